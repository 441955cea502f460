-- Up to which number a reader has everything that this service said to it; when it was last asked,
-- and since when it owes an answer (docs/decisions/0087).
CREATE TABLE outbox_readers (
    reader           text PRIMARY KEY,
    up_to            bigint NOT NULL, -- a number of the outbox
    listed_at        timestamptz,
    unanswered_since timestamptz
);
-- What is to be emptied once its readers have it.
CREATE INDEX outbox_secret ON outbox (sequence) WHERE blank <> '{}' AND published_at IS NOT NULL;
-- Events that could not be read are named after their bytes: looked through by the id they claim.
CREATE INDEX inbox_raw ON inbox (position) WHERE raw IS NOT NULL;

-- Readers of the version before know nothing of lists: where events were said already, the first
-- one waits until all are replaced. What was said before is not gone through once more.
ALTER TABLE outbox_counter
    ADD COLUMN lists_from timestamptz NOT NULL DEFAULT '-infinity',
    ADD COLUMN lists_after bigint NOT NULL DEFAULT 0;
UPDATE outbox_counter SET lists_from = now() + interval '15 minutes', lists_after = last_sequence
 WHERE last_sequence > 0;

-- Secrets that were published by the version before are emptied already: such an event can't be
-- said again.
UPDATE outbox SET payload = '{}', blank = '{}' WHERE blank <> '{}' AND published_at IS NOT NULL;

DO $$
DECLARE
    service_role text := current_setting('coffre.service_role');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON outbox_readers TO %I', service_role);
END
$$;
