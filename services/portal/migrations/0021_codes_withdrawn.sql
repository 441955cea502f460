-- Codes to enrol are listed as long as they work, and end here and where ingest reads them
-- (docs/decisions/0061).
GRANT UPDATE (expires_at) ON portal.enrolments TO coffre_portal;
