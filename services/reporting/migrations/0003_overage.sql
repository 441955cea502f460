-- What reporting knows of overage cases: for the hotline, and so that nothing is said of one that
-- has been closed since.

CREATE TABLE overages (
    case_id   uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    version   bigint NOT NULL,
    is_open   boolean NOT NULL,
    told      text NOT NULL             -- the event's own JSON
);

GRANT SELECT, INSERT, UPDATE ON overages TO coffre_reporting;
