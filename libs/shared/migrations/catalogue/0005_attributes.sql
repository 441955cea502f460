-- What entries have beside their mode: attributes, ACLs, times beyond the wire's. Most have
-- nothing, and cost nothing; a set that many have is kept once (docs/decisions/0039).

-- Not validated: what is there obeys a narrower one.
ALTER TABLE catalogue.versions DROP CONSTRAINT versions_kind_check,
    ADD CONSTRAINT versions_kind_check CHECK (kind IN ('f', 'd', 'l', 'p', 'b', 'c')) NOT VALID;
-- SHA-256 of the set; null for none.
ALTER TABLE catalogue.versions ADD COLUMN attributes_id bytea;
CREATE INDEX versions_attributed ON catalogue.versions (tenant_id, attributes_id)
    WHERE attributes_id IS NOT NULL;

-- used_at: the last commit that brought the set. Whoever drops sets that no version has leaves
-- those that were brought lately: their versions may not be committed yet.
CREATE TABLE catalogue.attribute_sets (
    tenant_id     uuid NOT NULL,
    attributes_id bytea NOT NULL CHECK (octet_length(attributes_id) = 32),
    content       bytea NOT NULL,
    used_at       timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, attributes_id)
);

GRANT SELECT, INSERT, UPDATE ON catalogue.attribute_sets TO coffre_ingest;
GRANT SELECT ON catalogue.attribute_sets TO coffre_portal;
GRANT SELECT, DELETE ON catalogue.attribute_sets TO coffre_retention;

ALTER TABLE catalogue.attribute_sets ENABLE ROW LEVEL SECURITY;
ALTER TABLE catalogue.attribute_sets FORCE ROW LEVEL SECURITY;
CREATE POLICY writers ON catalogue.attribute_sets TO coffre_ingest, coffre_retention
    USING (true) WITH CHECK (true);
CREATE POLICY one_tenant ON catalogue.attribute_sets FOR SELECT TO coffre_portal
    USING (tenant_id = nullif(current_setting('coffre.tenant', true), '')::uuid);
