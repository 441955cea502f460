-- What clients were told of: in a maintenance's window no run is missed.

CREATE TABLE notices (
    tenant_id uuid NOT NULL,
    notice_id uuid NOT NULL,
    version   integer NOT NULL,
    begins_at timestamptz,
    ends_at   timestamptz, -- of maintenance alone
    withdrawn boolean NOT NULL,
    PRIMARY KEY (tenant_id, notice_id)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON notices TO coffre_reporting;
