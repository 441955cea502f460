-- Destructions as operators see them, and where it is decided that one can't be taken back any more
-- (docs/decisions/0045).
CREATE TABLE portal.destructions (
    tenant_id      uuid PRIMARY KEY,
    told           bigint NOT NULL DEFAULT 0,       -- retention's count of what it says
    state          text NOT NULL DEFAULT 'scheduled'
        CHECK (state IN ('scheduled', 'waiting', 'running', 'completed', 'held', 'cancelled')),
    due_at         timestamptz,
    objects_left   bigint,
    reasons        jsonb NOT NULL DEFAULT '[]',
    destruction_id uuid,
    permitted_at   timestamptz,                     -- from then on nobody reinstates
    decisions      int NOT NULL DEFAULT 0,          -- how many operators took
    held           boolean NOT NULL DEFAULT false,
    held_until     timestamptz,
    hold_reason    text NOT NULL DEFAULT '',
    certificate    text,
    completed_at   timestamptz
);
GRANT SELECT, INSERT, UPDATE ON portal.destructions TO coffre_portal;

-- A line's personal part is bound to its chain by a salted digest, so that it can be blanked one day
-- and the chain still be proven. Lines from before have none.
ALTER TABLE portal.access_log
    ADD COLUMN salt            bytea,
    ADD COLUMN personal_sha256 bytea,
    ADD COLUMN blanked         boolean NOT NULL DEFAULT false;

-- The portal only ever adds lines; this alone empties some, of clients that were destroyed.
CREATE FUNCTION portal.blank_log(tenant uuid) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = portal, pg_temp AS $$
DECLARE
    count bigint;
BEGIN
    IF EXISTS (SELECT FROM tenants t WHERE t.tenant_id = tenant AND subscription <> 'destroyed') THEN
        RAISE EXCEPTION 'only the log of a destroyed client is blanked';
    END IF;
    UPDATE access_log SET blanked = true, salt = NULL, user_id = NULL, actor = '', address = '',
        fields = '{}' WHERE tenant_id = tenant AND NOT blanked;
    GET DIAGNOSTICS count = ROW_COUNT;
    RETURN count;
END
$$;
GRANT EXECUTE ON FUNCTION portal.blank_log(uuid) TO coffre_portal;

-- Of a tenant that was destroyed nothing else is kept (docs/destruction.md).
GRANT DELETE ON
    portal.users, portal.enrolments, portal.agents, portal.plans, portal.runs, portal.volumes,
    portal.allowances, portal.reports, portal.recipients_told, portal.offers_told,
    portal.overages, portal.overage_answers, portal.overage_decisions
    TO coffre_portal;
