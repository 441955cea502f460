-- What the portal keeps of other services' events, to show it.

CREATE TABLE portal.agents (
    agent_id      uuid PRIMARY KEY,
    tenant_id     uuid NOT NULL,
    hostname      text NOT NULL,
    platform      text NOT NULL,
    agent_version text NOT NULL,
    enrolled_at   timestamptz NOT NULL,
    revoked_at    timestamptz
);
CREATE INDEX agents_tenant ON portal.agents (tenant_id);

CREATE TABLE portal.plans (
    plan_id    uuid PRIMARY KEY,
    tenant_id  uuid NOT NULL,
    version    int NOT NULL,            -- 0: known from a run only, not yet from its declaration
    agent_id   uuid NOT NULL,
    hostname   text NOT NULL,
    name       text NOT NULL,
    folders    jsonb NOT NULL DEFAULT '[]',
    schedule   text NOT NULL DEFAULT '',
    timezone   text NOT NULL DEFAULT '',
    recipients jsonb NOT NULL DEFAULT '[]',
    reports    boolean NOT NULL DEFAULT true
);
CREATE INDEX plans_tenant ON portal.plans (tenant_id, name);

CREATE TABLE portal.runs (
    run_id           uuid PRIMARY KEY,
    tenant_id        uuid NOT NULL,
    plan_id          uuid NOT NULL,
    number           int NOT NULL,
    outcome          text CHECK (outcome IN ('succeeded', 'succeeded_with_warnings', 'failed')),
    -- {code, subject, amount, limit, detail}, as in not_copied, dumps and warnings.
    reason           jsonb,
    started_at       timestamptz NOT NULL,
    finished_at      timestamptz,
    restore_point    boolean NOT NULL DEFAULT false,
    files_total      bigint NOT NULL DEFAULT 0,
    files_new        bigint NOT NULL DEFAULT 0,
    files_changed    bigint NOT NULL DEFAULT 0,
    files_removed    bigint NOT NULL DEFAULT 0,
    files_not_copied bigint NOT NULL DEFAULT 0,
    bytes_protected  bigint NOT NULL DEFAULT 0,
    bytes_sent       bigint NOT NULL DEFAULT 0,
    stored_bytes     bigint NOT NULL DEFAULT 0,
    not_copied       jsonb NOT NULL DEFAULT '[]',
    dumps            jsonb NOT NULL DEFAULT '[]',
    log_tail         text NOT NULL DEFAULT '',
    CHECK ((outcome IS NULL) = (finished_at IS NULL))
);
CREATE INDEX runs_plan ON portal.runs (tenant_id, plan_id, number);

CREATE TABLE portal.volumes (
    tenant_id       uuid PRIMARY KEY,
    stored_bytes    bigint NOT NULL,
    protected_bytes bigint NOT NULL,
    sequence        bigint NOT NULL
);

CREATE TABLE portal.allowances (
    tenant_id     uuid PRIMARY KEY,
    version       bigint NOT NULL,
    ceiling_bytes bigint NOT NULL,
    blocked       boolean NOT NULL,
    reason        text NOT NULL
);

CREATE TABLE portal.reports (
    run_id    uuid NOT NULL,
    recipient text NOT NULL,
    tenant_id uuid NOT NULL,
    plan_id   uuid NOT NULL,
    sent_at   timestamptz,              -- none: refused for good
    reason    text NOT NULL DEFAULT '',
    PRIMARY KEY (run_id, recipient)
);

GRANT SELECT, INSERT, UPDATE ON
    portal.agents, portal.plans, portal.runs, portal.volumes, portal.allowances, portal.reports
    TO coffre_portal;
