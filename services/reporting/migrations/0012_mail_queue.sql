-- Several processes send at a time, what a server said when it took a mail is kept, and bounces.

ALTER TABLE mails
    ADD COLUMN sender     uuid,                     -- which sender has it in hand while 'sending'
    ADD COLUMN receipt    text NOT NULL DEFAULT '', -- what the server said when it took it
    ADD COLUMN bounced_at timestamptz;              -- sent, and come back

UPDATE mails SET receipt = last_answer WHERE state = 'sent';
