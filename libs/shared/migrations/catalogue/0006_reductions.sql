-- What clients drop before it would expire, and may take back for some days (docs/decisions/0046).

-- Restore points up to hides_through are not shown while the reduction is not withdrawn.
-- told_run: the run whose agent was given the list without what was dropped; settled_run: the one
-- that closed the versions which were still open. Both are ingest's, all else is retention's.
CREATE TABLE catalogue.reductions (
    tenant_id     uuid NOT NULL,
    reduction_id  uuid NOT NULL,
    plan_id       uuid NOT NULL,
    state         text NOT NULL CHECK (state IN ('applied', 'withdrawn', 'collected')),
    hides_through integer NOT NULL,
    told_run      integer,
    settled_run   integer,
    PRIMARY KEY (tenant_id, reduction_id)
);
CREATE INDEX reductions_of_plan ON catalogue.reductions (tenant_id, plan_id);

-- Which versions are dropped, by their folder: those that began with run begun_by or before, and
-- those that ended with run ended_by or before. A version's row stays as it is: it is what proves
-- the restore points that saw it.
CREATE TABLE catalogue.dropped (
    tenant_id    uuid NOT NULL,
    folder_id    bigint NOT NULL,
    reduction_id uuid NOT NULL,
    begun_by     integer NOT NULL,
    ended_by     integer NOT NULL,
    PRIMARY KEY (tenant_id, folder_id, reduction_id)
);
CREATE INDEX dropped_by ON catalogue.dropped (tenant_id, reduction_id);

-- How much of a pack counts no more, as only dropped versions need it: these chunks. A commit that
-- needs one counts it again.
ALTER TABLE catalogue.packs
    ADD COLUMN dropped_bytes bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT only_what_counts_is_dropped CHECK (dropped_bytes BETWEEN 0
        AND CASE state WHEN 'condemned' THEN 0 ELSE object_bytes END);

CREATE TABLE catalogue.discounts (
    tenant_id uuid NOT NULL,
    chunk_id  bytea NOT NULL,
    pack_no   bigint NOT NULL,
    length    integer NOT NULL,
    PRIMARY KEY (tenant_id, chunk_id)
);
CREATE INDEX discounts_of_pack ON catalogue.discounts (tenant_id, pack_no);

-- What fills a tenant's volume, as of one moment: by folder with all below it, the current files,
-- their sizes, and the stored bytes that nothing outside of it needs.
CREATE TABLE catalogue.fills (
    tenant_id   uuid NOT NULL,
    folder_id   bigint NOT NULL,
    plan_id     uuid NOT NULL,
    parent_id   bigint NOT NULL,
    name        bytea NOT NULL,
    files       bigint NOT NULL,
    size_bytes  bigint NOT NULL,
    freed_bytes bigint NOT NULL,
    counted_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, folder_id)
);
CREATE INDEX fills_below ON catalogue.fills (tenant_id, parent_id, freed_bytes);

-- The ids of a version's chunks. ROWS is why this is a function: the planner takes a
-- generate_series of unknown length for a thousand rows, and hashes for a thousandfold.
CREATE FUNCTION catalogue.split_ids(ids bytea) RETURNS SETOF bytea
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE ROWS 2 AS $$
BEGIN
    FOR at IN 1 .. octet_length(ids) BY 32 LOOP
        RETURN NEXT substr(ids, at, 32);
    END LOOP;
END
$$;

GRANT SELECT, UPDATE (told_run, settled_run) ON catalogue.reductions TO coffre_ingest;
GRANT SELECT ON catalogue.dropped TO coffre_ingest;
GRANT SELECT, DELETE ON catalogue.discounts TO coffre_ingest;
GRANT SELECT ON catalogue.reductions, catalogue.dropped, catalogue.fills TO coffre_portal;
GRANT SELECT, INSERT, UPDATE, DELETE ON
    catalogue.reductions, catalogue.dropped, catalogue.discounts, catalogue.fills
    TO coffre_retention;
GRANT EXECUTE ON FUNCTION catalogue.split_ids(bytea) TO coffre_portal, coffre_retention;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['reductions', 'dropped', 'discounts', 'fills']
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
