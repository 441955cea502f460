-- The portal hands out codes: it writes their hashes itself, in the transaction of the act, so that
-- a code works at once and with the broker away (docs/decisions/0047).
GRANT INSERT ON ingest.enrolments TO coffre_portal;

-- A client may be new, and known by the portal's own word alone.
CREATE OR REPLACE VIEW ingest.standings AS
SELECT tenant_id,
    CASE WHEN p.version > coalesce(t.version, 0) THEN p.subscription ELSE t.subscription END
        AS subscription,
    CASE WHEN p.version > coalesce(t.version, 0) THEN p.subscription_reason
        ELSE t.subscription_reason END AS subscription_reason
FROM ingest.tenants t FULL JOIN ingest.portal_subscriptions p USING (tenant_id);
