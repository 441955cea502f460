-- Mails that tell the hotline of damaged storage.
ALTER TABLE mails DROP CONSTRAINT mails_kind_check;
ALTER TABLE mails ADD CONSTRAINT mails_kind_check
    CHECK (kind IN ('report', 'hotline', 'password', 'undeliverable', 'damage'));
