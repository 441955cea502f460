-- What somebody has beside a password: one app that shows codes, passkeys, and codes on paper.

CREATE TABLE portal.totps (
    user_id       uuid PRIMARY KEY REFERENCES portal.users,
    sealed_secret text NOT NULL,            -- under the mail key, bound to the user
    confirmed_at  timestamptz,              -- none: shown, and no code of it was typed yet
    last_step     bigint NOT NULL DEFAULT 0 -- the newest code that was taken: none is taken twice
);

CREATE TABLE portal.recovery_codes (
    user_id     uuid NOT NULL REFERENCES portal.users,
    code_sha256 bytea NOT NULL CHECK (length(code_sha256) = 32),
    PRIMARY KEY (user_id, code_sha256)      -- a code that was used is gone
);

CREATE TABLE portal.passkeys (
    key_id     bytea PRIMARY KEY,           -- as the authenticator calls it
    passkey_id uuid NOT NULL UNIQUE,        -- its name in pages
    user_id    uuid NOT NULL REFERENCES portal.users,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    label      text NOT NULL,
    added_at   timestamptz NOT NULL,
    last_at    timestamptz
);
CREATE INDEX passkeys_user ON portal.passkeys (user_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON portal.totps, portal.recovery_codes, portal.passkeys
    TO coffre_portal;
