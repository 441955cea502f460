-- Tenants of whom everything was erased: what still comes of them is not handled
-- (docs/decisions/0045).
CREATE TABLE erased_tenants (
    tenant_id      uuid PRIMARY KEY,
    destruction_id uuid NOT NULL,
    erased_at      timestamptz NOT NULL
);

-- Whether a tenant is erased, for a handler of one of its events: as long as its transaction lasts
-- nobody erases that tenant, and who erases waits for all that are handled. The question comes
-- after the lock, with a view of its own of what was committed: that is why it is PL/pgSQL.
CREATE FUNCTION is_erased(tenant uuid) RETURNS boolean
    LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(
        hashtextextended(current_schema() || tenant::text, 0));
    RETURN EXISTS (SELECT FROM erased_tenants e WHERE e.tenant_id = tenant);
END
$$;

DO $$
DECLARE
    service_role text := current_setting('coffre.service_role');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT ON erased_tenants TO %I', service_role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION is_erased(uuid) TO %I', service_role);
END
$$;
