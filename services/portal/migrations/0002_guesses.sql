-- Guesses at passwords weigh less as time goes by, and an account knows from where its owner comes.

-- What was counted before is let go: it was about one hour.
DROP TABLE portal.throttles;

-- By account, by address, and by who is known to an account; the subject is hashed, it may be a
-- mistyped password (services/portal/rules/guesses.py).
CREATE TABLE portal.throttles (
    subject_sha256 bytea PRIMARY KEY CHECK (length(subject_sha256) = 32),
    level          double precision NOT NULL,   -- guesses that weighed at that moment
    counted_at     timestamptz NOT NULL,
    turned_away    int NOT NULL DEFAULT 0       -- tries that were not let in since then
);
CREATE INDEX throttles_age ON portal.throttles (counted_at);

-- Where a person signed in from: addresses (IPv6: the /64) and browsers, only their hashes.
CREATE TABLE portal.known_sources (
    user_id       uuid NOT NULL REFERENCES portal.users,
    source_sha256 bytea NOT NULL CHECK (length(source_sha256) = 32),
    last_at       timestamptz NOT NULL,
    PRIMARY KEY (user_id, source_sha256)
);
CREATE INDEX known_sources_age ON portal.known_sources (last_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON portal.throttles, portal.known_sources TO coffre_portal;
