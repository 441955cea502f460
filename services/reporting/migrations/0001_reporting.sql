-- What reporting knows of tenants and plans, the runs that it reported, and the mail queue.

CREATE TABLE tenants (
    tenant_id        uuid PRIMARY KEY,
    version          bigint NOT NULL,
    name             text NOT NULL,
    locale           text NOT NULL,
    timezone         text NOT NULL,
    administrators   text NOT NULL,
    contracted_bytes bigint NOT NULL
);

CREATE TABLE plans (
    tenant_id  uuid NOT NULL,
    plan_id    uuid NOT NULL,
    version    bigint NOT NULL,
    name       text NOT NULL,
    hostname   text NOT NULL,
    schedule   text NOT NULL,
    timezone   text NOT NULL,
    recipients text[] NOT NULL,
    reports    boolean NOT NULL,
    PRIMARY KEY (tenant_id, plan_id)
);

-- The summary is the event's own JSON, kept as text: names of files may hold what jsonb refuses.
CREATE TABLE runs (
    tenant_id       uuid NOT NULL,
    run_id          uuid NOT NULL,
    plan_id         uuid NOT NULL,
    number          integer NOT NULL,
    outcome         text NOT NULL,
    files_total     bigint NOT NULL,
    bytes_protected bigint NOT NULL,
    summary         text NOT NULL,
    arrived_at      timestamptz NOT NULL,
    reported_at     timestamptz,
    PRIMARY KEY (tenant_id, run_id)
);

CREATE INDEX runs_by_plan ON runs (tenant_id, plan_id, number);
CREATE INDEX runs_waiting ON runs (tenant_id) WHERE reported_at IS NULL;

-- One row per subject (a run, a password, a refused mail, a day's damage), person and kind:
-- the queue while state is 'queued' or 'sending', the proof of sending afterwards.
CREATE TABLE mails (
    mail_id             uuid PRIMARY KEY,
    tenant_id           uuid NOT NULL,
    kind                text NOT NULL, -- as services/reporting/mail/letters names it
    subject_id          uuid NOT NULL,
    plan_id             uuid,
    recipient           text NOT NULL,
    message_id          text NOT NULL UNIQUE,
    subject             text NOT NULL,
    body                bytea,
    secret              boolean NOT NULL DEFAULT false,
    state               text NOT NULL
        CHECK (state IN ('queued', 'sending', 'sent', 'undeliverable')),
    created_at          timestamptz NOT NULL,
    due_at              timestamptz NOT NULL,
    give_up_at          timestamptz NOT NULL,
    tries               integer NOT NULL DEFAULT 0,
    possible_duplicates integer NOT NULL DEFAULT 0,
    sending_since       timestamptz,
    last_answer         text NOT NULL DEFAULT '',
    sent_at             timestamptz,
    CONSTRAINT mails_once UNIQUE (tenant_id, kind, subject_id, recipient)
);

CREATE INDEX mails_due ON mails (due_at) WHERE state = 'queued';
CREATE INDEX mails_sending ON mails (mail_id) WHERE state = 'sending';

GRANT SELECT, INSERT, UPDATE ON tenants, plans, runs, mails TO coffre_reporting;
