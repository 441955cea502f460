-- What each client held on each day, as quota told it: for charts.
CREATE TABLE portal.volume_days (
    tenant_id        uuid NOT NULL,
    day              date NOT NULL,
    version          bigint NOT NULL,        -- the newer one wins
    stored_bytes     bigint NOT NULL,
    protected_bytes  bigint NOT NULL,
    contracted_bytes bigint,
    ceiling_bytes    bigint,                 -- where growth stopped, null where it went on
    reached_on       date,                   -- told of the newest day
    PRIMARY KEY (tenant_id, day)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON portal.volume_days TO coffre_portal;

-- The first operator was called so; clients read who did something.
UPDATE portal.users SET name = email WHERE role = 'operator' AND name = 'Operator';
