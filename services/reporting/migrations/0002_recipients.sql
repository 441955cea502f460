-- Recipients by the portal's word, allowances and turns of the mail queue.

-- What a machine declares makes nobody be written to: it is not even kept here.
ALTER TABLE plans DROP COLUMN recipients;

ALTER TABLE tenants ADD COLUMN subscription text NOT NULL DEFAULT 'active';

CREATE TABLE recipients (
    tenant_id uuid NOT NULL,
    plan_id   uuid NOT NULL,
    version   bigint NOT NULL,
    people    text NOT NULL,            -- JSON: name, email, locale of each
    pending   integer NOT NULL,
    PRIMARY KEY (tenant_id, plan_id)
);

-- 'withheld': beyond the allowance, never composed; a digest tells of it.
ALTER TABLE mails DROP CONSTRAINT mails_state_check;
ALTER TABLE mails ADD CONSTRAINT mails_state_check
    CHECK (state IN ('queued', 'sending', 'sent', 'undeliverable', 'withheld'));
ALTER TABLE mails
    ADD COLUMN locale text NOT NULL DEFAULT 'fr',
    ADD COLUMN by_client boolean NOT NULL DEFAULT false, -- counts towards the allowances
    ADD COLUMN shortened boolean NOT NULL DEFAULT false, -- once refused for its size
    ADD COLUMN told_in uuid;                             -- the digest that told of it

CREATE INDEX mails_allowances ON mails (tenant_id, created_at)
    WHERE by_client AND state <> 'withheld';
CREATE INDEX mails_untold ON mails (tenant_id, recipient)
    WHERE state = 'withheld' AND told_in IS NULL;
-- Whose turn it is: the next client in a circle, one-time passwords before all.
CREATE INDEX mails_turns ON mails (secret, tenant_id, due_at) WHERE state = 'queued';

GRANT SELECT, INSERT, UPDATE ON recipients TO coffre_reporting;
