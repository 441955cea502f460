-- Which damaged packs were told, so that their end is told as well.
CREATE TABLE damages (
    tenant_id uuid NOT NULL,
    pack_id   bytea NOT NULL,
    found_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, pack_id)
);

-- What was told before is told to be over, too.
INSERT INTO damages (tenant_id, pack_id, found_at)
SELECT tenant_id, pack_id, coalesce(damaged_at, now()) FROM catalogue.packs WHERE state = 'damaged';

GRANT SELECT, INSERT, UPDATE, DELETE ON damages TO coffre_retention;
