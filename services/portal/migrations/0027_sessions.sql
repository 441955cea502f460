-- What somebody is signed in with can be listed, told apart and ended one by one; a second step of
-- a sign-in, an operator who has to enrol first, and personal tokens are kinds of it.

ALTER TABLE portal.credentials
    ADD COLUMN credential_id uuid NOT NULL DEFAULT gen_random_uuid(),  -- its name in pages and API
    ADD COLUMN address text NOT NULL DEFAULT '',     -- where it was opened from
    ADD COLUMN browser text NOT NULL DEFAULT '',     -- as it called itself then
    ADD COLUMN label text NOT NULL DEFAULT '',       -- of a personal token
    ADD COLUMN scope text NOT NULL DEFAULT 'all' CHECK (scope IN ('all', 'read')),
    ADD COLUMN last_at timestamptz,                  -- last seen, to some minutes
    ADD COLUMN challenge bytea;                      -- that a passkey is to sign, while it is asked

ALTER TABLE portal.credentials DROP CONSTRAINT credentials_kind_check;
ALTER TABLE portal.credentials ADD CONSTRAINT credentials_kind_check
    CHECK (kind IN ('session', 'token', 'bootstrap', 'pending', 'enrolling', 'personal'));

CREATE UNIQUE INDEX credentials_id ON portal.credentials (credential_id);
