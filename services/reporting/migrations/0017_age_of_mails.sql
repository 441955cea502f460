-- The mails that machines of clients caused, oldest first, as long as their text is here.
CREATE INDEX mails_of_age ON mails (created_at)
    WHERE by_client AND body IS NOT NULL AND state IN ('sent', 'undeliverable');
