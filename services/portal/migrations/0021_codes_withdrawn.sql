-- Codes to enrol are listed as long as they work, and end where ingest reads them
-- (docs/decisions/0061).
GRANT SELECT (enrolment_id, used_at), UPDATE (expires_at) ON ingest.enrolments TO coffre_portal;
