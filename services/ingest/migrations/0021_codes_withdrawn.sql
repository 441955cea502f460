-- The portal lists the codes that still work, and ends them, in the transaction of the act
-- (docs/decisions/0061).
GRANT SELECT (enrolment_id, used_at), UPDATE (expires_at) ON ingest.enrolments TO coffre_portal;
