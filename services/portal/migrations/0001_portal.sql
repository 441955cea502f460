-- Client companies and their contract, the people who sign in, and the machines that may join.

CREATE TABLE portal.tenants (
    tenant_id          uuid PRIMARY KEY,
    name               text NOT NULL CHECK (name <> ''),
    locale             text NOT NULL CHECK (locale IN ('fr', 'en')),
    timezone           text NOT NULL,
    contracted_bytes   bigint NOT NULL CHECK (contracted_bytes >= 0),
    seats              int NOT NULL CHECK (seats >= 1),
    retention_days     int NOT NULL CHECK (retention_days >= 1),
    subscription       text NOT NULL
        CHECK (subscription IN ('active', 'ending', 'ended', 'suspended', 'destroyed')),
    subscription_reason text NOT NULL DEFAULT '',
    ends_at            timestamptz,     -- the day that was agreed, while 'ending'
    ended_at           timestamptz,
    destruction_due_at timestamptz,     -- told by retention
    destruction_version int NOT NULL DEFAULT 0,
    version            int NOT NULL,    -- of what the other services were told last
    created_at         timestamptz NOT NULL
);
CREATE INDEX tenants_ending ON portal.tenants (ends_at) WHERE subscription = 'ending';

CREATE TABLE portal.users (
    user_id             uuid PRIMARY KEY,
    tenant_id           uuid REFERENCES portal.tenants,   -- none: the provider's own staff
    role                text NOT NULL CHECK (role IN ('operator', 'administrator', 'user')),
    name                text NOT NULL,
    email               text NOT NULL,
    locale              text NOT NULL CHECK (locale IN ('fr', 'en')),
    password_hash       text NOT NULL,
    one_time            boolean NOT NULL,
    password_expires_at timestamptz,    -- of a one-time password
    created_at          timestamptz NOT NULL,
    CHECK ((role = 'operator') = (tenant_id IS NULL)),
    CHECK (one_time = (password_expires_at IS NOT NULL))
);
CREATE UNIQUE INDEX users_email ON portal.users (lower(email));
CREATE INDEX users_tenant ON portal.users (tenant_id);

-- What a signed-in person holds: a cookie or a bearer token. Only its hash is kept.
CREATE TABLE portal.credentials (
    token_sha256 bytea PRIMARY KEY CHECK (length(token_sha256) = 32),
    user_id      uuid NOT NULL REFERENCES portal.users,
    kind         text NOT NULL CHECK (kind IN ('session', 'token', 'bootstrap')),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz
);
CREATE INDEX credentials_user ON portal.credentials (user_id);
CREATE INDEX credentials_expiry ON portal.credentials (expires_at);

-- Guesses at passwords, by account and by address; the subject is hashed, it may be a mistyped
-- password.
CREATE TABLE portal.throttles (
    subject_sha256 bytea PRIMARY KEY,
    attempts       int NOT NULL,
    opened_at      timestamptz NOT NULL
);
CREATE INDEX throttles_age ON portal.throttles (opened_at);

CREATE TABLE portal.enrolments (
    enrolment_id uuid PRIMARY KEY,
    tenant_id    uuid NOT NULL REFERENCES portal.tenants,
    label        text NOT NULL,
    opened_by    uuid NOT NULL REFERENCES portal.users,
    opened_at    timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX enrolments_tenant ON portal.enrolments (tenant_id, opened_at);

-- Who did what, when, from where. Rows are only ever added, each to the end of a chain: one a
-- client, and one for what concerns none (services/portal/rules/log/chain.py).
CREATE TABLE portal.access_log (
    tenant_id uuid NOT NULL,            -- zeros: acts of nobody's client
    number    bigint NOT NULL CHECK (number >= 1),      -- in its chain, without gaps
    at        timestamptz NOT NULL
        CHECK (at BETWEEN '0002-01-01' AND '9998-12-31'),   -- so that whoever verifies can read it
    user_id   uuid,
    actor     text NOT NULL,            -- the name shown, kept even when the person is gone
    act       text NOT NULL,            -- a code of services/portal/rules/log/acts.py
    address   text NOT NULL,
    fields    jsonb NOT NULL,
    hash      bytea NOT NULL CHECK (length(hash) = 32), -- over all of this and the hash before
    PRIMARY KEY (tenant_id, number)
);

-- Where each chain ends: what was cut off there is missed.
CREATE TABLE portal.log_heads (
    tenant_id uuid PRIMARY KEY,
    number    bigint NOT NULL,
    hash      bytea NOT NULL CHECK (length(hash) = 32)
) WITH (fillfactor = 50);               -- updated with each act

-- Which sign-ins have read which plan's contents, so that a restore is in the log once and not
-- with each of its thousands of requests.
CREATE TABLE portal.restores (
    credential bytea NOT NULL,          -- as in portal.credentials
    plan_id    uuid NOT NULL,
    noted_at   timestamptz NOT NULL,
    PRIMARY KEY (credential, plan_id)
);

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
    warnings         jsonb NOT NULL DEFAULT '[]',
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
GRANT SELECT, INSERT, UPDATE ON portal.tenants, portal.users TO coffre_portal;
GRANT SELECT, INSERT, UPDATE, DELETE ON portal.credentials, portal.throttles TO coffre_portal;
GRANT SELECT, INSERT ON portal.enrolments, portal.access_log TO coffre_portal;
GRANT SELECT, INSERT, UPDATE ON portal.log_heads TO coffre_portal;
GRANT SELECT, INSERT, DELETE ON portal.restores TO coffre_portal;
