-- What the portal withdraws, written by the portal itself in the transaction of the act, so that it
-- holds at once and with the broker away (docs/decisions/0036). Ingest only reads these two.
CREATE TABLE ingest.portal_revocations (
    agent_id   uuid PRIMARY KEY,
    revoked_at timestamptz NOT NULL
);

-- How a subscription stands since its last step; the newer of this and ingest.tenants is true.
CREATE TABLE ingest.portal_subscriptions (
    tenant_id           uuid PRIMARY KEY,
    version             integer NOT NULL,
    subscription        text NOT NULL,
    subscription_reason text NOT NULL
);

GRANT SELECT ON ingest.portal_revocations, ingest.portal_subscriptions TO coffre_ingest;
GRANT USAGE ON SCHEMA ingest TO coffre_portal;
GRANT INSERT ON ingest.portal_revocations TO coffre_portal;
GRANT SELECT, INSERT, UPDATE ON ingest.portal_subscriptions TO coffre_portal;

CREATE VIEW ingest.standings AS
SELECT tenant_id,
    CASE WHEN p.version > t.version THEN p.subscription ELSE t.subscription END AS subscription,
    CASE WHEN p.version > t.version THEN p.subscription_reason ELSE t.subscription_reason END
        AS subscription_reason
FROM ingest.tenants t LEFT JOIN ingest.portal_subscriptions p USING (tenant_id);
GRANT SELECT ON ingest.standings TO coffre_ingest;
