-- Overage cases, what was held on each day, and what fills it.

ALTER TABLE allowances
    ADD COLUMN locale        text NOT NULL DEFAULT 'fr',
    ADD COLUMN timezone      text NOT NULL DEFAULT 'Europe/Paris',
    ADD COLUMN subscription  text NOT NULL DEFAULT 'active',
    ADD COLUMN block_case_id uuid,                  -- the case with which an operator's block ends
    ADD COLUMN level_percent integer NOT NULL DEFAULT 0,
    ADD COLUMN case_id       uuid;                  -- the newest case, open or closed

-- Changed under the lock on the tenant's row of allowances.
CREATE TABLE cases (
    case_id           uuid PRIMARY KEY,
    tenant_id         uuid NOT NULL,
    version           bigint NOT NULL,
    opened_at         timestamptz NOT NULL,
    passed_at         timestamptz NOT NULL,
    deadline_at       timestamptz NOT NULL,
    final_at          timestamptz NOT NULL,
    reminded_day      integer NOT NULL,
    answer            text CHECK (answer IN ('order', 'reduce', 'call')),
    answered_at       timestamptz,
    first_answered_at timestamptz,
    ceiling_bytes     bigint,                       -- what was held when a deadline blocked growth
    reason            text NOT NULL,
    closed_at         timestamptz,
    next_at           timestamptz,                  -- when the next step is due by the clock
    CONSTRAINT answer_whole CHECK ((answer IS NULL) = (answered_at IS NULL)
                                   AND (answer IS NULL) = (first_answered_at IS NULL))
);

CREATE UNIQUE INDEX cases_open ON cases (tenant_id) WHERE closed_at IS NULL;
CREATE INDEX cases_due ON cases (next_at) WHERE next_at IS NOT NULL;

-- One row a day (UTC) and tenant, kept for years; ceiling_bytes where growth was blocked.
CREATE TABLE days (
    tenant_id        uuid NOT NULL,
    day              date NOT NULL,
    stored_bytes     bigint NOT NULL,
    protected_bytes  bigint NOT NULL,
    contracted_bytes bigint,
    ceiling_bytes    bigint,
    PRIMARY KEY (tenant_id, day)
);

CREATE INDEX days_by_day ON days (day);

-- What each plan protects, by its newest restore point.
CREATE TABLE plans (
    tenant_id       uuid NOT NULL,
    plan_id         uuid NOT NULL,
    number          integer NOT NULL,
    plan_name       text NOT NULL,
    hostname        text NOT NULL,
    protected_bytes bigint NOT NULL,
    PRIMARY KEY (tenant_id, plan_id)
);

-- What the runs of the last weeks sent.
CREATE TABLE sent (
    tenant_id   uuid NOT NULL,
    plan_id     uuid NOT NULL,
    run_id      uuid NOT NULL,
    finished_at timestamptz NOT NULL,
    sent_bytes  bigint NOT NULL,
    PRIMARY KEY (tenant_id, plan_id, run_id)
);

CREATE INDEX sent_by_time ON sent (finished_at);

-- Operators decide in the portal now; the version is the portal's.
ALTER TABLE decisions
    ADD COLUMN version    bigint NOT NULL DEFAULT 0,
    ADD COLUMN until      timestamptz,
    ADD COLUMN decided_by text NOT NULL DEFAULT '';
ALTER TABLE decisions DROP CONSTRAINT decisions_decision_check;
ALTER TABLE decisions ADD CONSTRAINT decisions_decision_check
    CHECK (decision IN ('block', 'unblock', 'extend'));

GRANT SELECT, INSERT, UPDATE ON cases, days, plans TO coffre_quota;
GRANT SELECT, INSERT, DELETE ON sent TO coffre_quota;
