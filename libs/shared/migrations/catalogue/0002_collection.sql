-- What collecting garbage and finding damage need (docs/decisions/0009).

-- 'damaged': the object was seen to be broken. It still counts as stored; its chunks count as
-- absent until they are uploaded again. damaged_at outlives a condemnation, so that resurrecting
-- a damaged pack does not make it good.
-- chunks_moved: some of its chunks were given to another pack; whoever remembers that a chunk
-- lies here must look again. Chunks change their pack, or go, only in a transaction that holds
-- the row of the pack they leave, exclusively, and sets this.
ALTER TABLE catalogue.packs
    ADD COLUMN damaged_at timestamptz,
    ADD COLUMN chunks_moved boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT packs_state_check,
    ADD CONSTRAINT packs_state_check CHECK (state IN ('live', 'condemned', 'damaged')),
    ADD CONSTRAINT damage_has_a_date CHECK (
        CASE state WHEN 'live' THEN damaged_at IS NULL
                   WHEN 'damaged' THEN damaged_at IS NOT NULL ELSE true END);

DROP INDEX catalogue.packs_condemned;
-- Few rows are not live: finding out that there is none must cost nothing.
CREATE INDEX packs_not_live ON catalogue.packs (tenant_id, pack_no) WHERE state <> 'live';
CREATE INDEX packs_verified ON catalogue.packs (tenant_id, verified_at) WHERE state = 'live';
-- A first copy closes no version, and so pays nothing for this.
CREATE INDEX versions_superseded ON catalogue.versions (tenant_id, plan_id, last_run)
    WHERE last_run IS NOT NULL;

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
