-- What a service says: rows written in the transaction that causes them, published by one relay.
CREATE TABLE outbox (
    event_id     uuid PRIMARY KEY,
    position     bigint GENERATED ALWAYS AS IDENTITY,
    type         text NOT NULL,
    routing_key  text NOT NULL,
    tenant_id    uuid NOT NULL,
    payload      text NOT NULL, -- JSON as sent; text, because jsonb refuses what JSON allows
    blank        text[] NOT NULL DEFAULT '{}',
    traceparent  text NOT NULL DEFAULT '',
    occurred_at  timestamptz NOT NULL,
    sequence     bigint UNIQUE, -- without gaps, given by the relay after the commit
    published_at timestamptz
);
CREATE INDEX outbox_unpublished ON outbox (position) WHERE published_at IS NULL;
CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;

CREATE TABLE outbox_counter (
    one           boolean PRIMARY KEY DEFAULT true CHECK (one),
    last_sequence bigint NOT NULL
);
INSERT INTO outbox_counter (last_sequence) VALUES (0);

-- What a service hears: stored as it arrives, handled by workers, kept for the days of replay.
CREATE TABLE inbox (
    event_id    uuid PRIMARY KEY,
    position    bigint GENERATED ALWAYS AS IDENTITY,
    source      text NOT NULL,
    sequence    bigint,
    type        text NOT NULL,
    tenant_id   uuid,
    payload     text NOT NULL DEFAULT '',
    raw         bytea, -- the body, where it can't be read as an event
    traceparent text NOT NULL DEFAULT '',
    occurred_at timestamptz,
    received_at timestamptz NOT NULL,
    state       text NOT NULL CHECK (state IN ('pending', 'done', 'parked')),
    attempts    int NOT NULL DEFAULT 0,
    next_at     timestamptz NOT NULL,
    done_at     timestamptz,
    error       text NOT NULL DEFAULT ''
);
CREATE INDEX inbox_pending ON inbox (next_at, position) WHERE state = 'pending';
CREATE INDEX inbox_parked ON inbox (position) WHERE state = 'parked';
CREATE INDEX inbox_done ON inbox (done_at) WHERE state = 'done';

DO $$
DECLARE
    service_role text := current_setting('coffre.service_role');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON outbox, inbox TO %I', service_role);
    EXECUTE format('GRANT SELECT, UPDATE ON outbox_counter TO %I', service_role);
END
$$;
