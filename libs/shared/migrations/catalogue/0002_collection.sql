-- What collecting garbage needs (docs/decisions/0009).

-- The packs that a commit needed, by its transaction: what a mark's snapshot does not see of
-- these may have made reachable what the mark found dead. Retention forgets them after a mark.
CREATE TABLE catalogue.holds (
    hold_no   bigint GENERATED ALWAYS AS IDENTITY,
    tenant_id uuid NOT NULL,
    held_by   xid8 NOT NULL DEFAULT pg_current_xact_id(),
    pack_nos  bigint[] NOT NULL,
    PRIMARY KEY (tenant_id, hold_no)
);

-- Objects that are being deleted, or were a short while ago. Whoever puts a pack may write its
-- row only if it began after the deletion had ended: removed_by is the transaction that knew.
CREATE TABLE catalogue.removals (
    tenant_id  uuid NOT NULL,
    pack_id    bytea NOT NULL,
    asked_at   timestamptz NOT NULL,
    removed_by xid8,
    removed_at timestamptz,
    PRIMARY KEY (tenant_id, pack_id),
    CHECK ((removed_by IS NULL) = (removed_at IS NULL))
);

GRANT SELECT, INSERT ON catalogue.holds TO coffre_ingest;
GRANT SELECT ON catalogue.removals TO coffre_ingest;
GRANT SELECT, DELETE ON catalogue.holds TO coffre_retention;
GRANT SELECT, INSERT, UPDATE, DELETE ON catalogue.removals TO coffre_retention;
-- Repacking writes packs.
GRANT INSERT ON catalogue.packs, catalogue.chunks TO coffre_retention;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['holds', 'removals']
    LOOP
        EXECUTE format('ALTER TABLE catalogue.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE catalogue.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY writers ON catalogue.%I TO coffre_ingest, coffre_retention'
            ' USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$$;
