-- Search by a part of a name (docs/decisions/0010). A bundle is up to 32 names that came into
-- one folder together; a term is something to find it by: three characters of a name, a name's
-- beginning, a folder above. Ingest fills all three after a commit, and never changes a bundle.

CREATE TABLE catalogue.bundles (
    tenant_id uuid NOT NULL,
    bundle_no bigint NOT NULL,
    plan_id   uuid NOT NULL,
    folder_id bigint NOT NULL,
    -- Joined by NUL, which no name has.
    names     bytea NOT NULL,
    PRIMARY KEY (tenant_id, bundle_no)
);

-- Bundle B stands on shelf B / 4096 in place B % 4096; places are u16, big-endian, ascending.
CREATE TABLE catalogue.terms (
    tenant_id uuid NOT NULL,
    shelf     integer NOT NULL,
    term      bytea NOT NULL,
    places    bytea NOT NULL,
    PRIMARY KEY (tenant_id, term, shelf)
);
ALTER TABLE catalogue.terms ALTER COLUMN places SET STORAGE EXTERNAL;

-- How many bundles a tenant has; its lock makes those who add them wait for each other.
CREATE TABLE catalogue.bundle_counts (
    tenant_id uuid PRIMARY KEY,
    bundles   bigint NOT NULL
);

GRANT SELECT, INSERT, UPDATE ON
    catalogue.bundles, catalogue.terms, catalogue.bundle_counts TO coffre_ingest;
GRANT SELECT ON
    catalogue.bundles, catalogue.terms, catalogue.bundle_counts TO coffre_portal;
GRANT SELECT, UPDATE, DELETE ON
    catalogue.bundles, catalogue.terms, catalogue.bundle_counts TO coffre_retention;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['bundles', 'terms', 'bundle_counts']
    LOOP
        EXECUTE format('ALTER TABLE catalogue.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE catalogue.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY writers ON catalogue.%I TO coffre_ingest, coffre_retention'
            ' USING (true) WITH CHECK (true)', name);
        EXECUTE format(
            'CREATE POLICY one_tenant ON catalogue.%I FOR SELECT TO coffre_portal'
            ' USING (tenant_id = nullif(current_setting(''coffre.tenant'', true), '''')::uuid)',
            name);
    END LOOP;
END
$$;
