-- What clients order, what it costs, and the ledger of what is due.

-- Price lists as they were put: the newest row counts, the others are kept to be looked up.
CREATE TABLE portal.price_lists (
    version int PRIMARY KEY CHECK (version >= 1),
    put_at  timestamptz NOT NULL,
    put_by  text NOT NULL,
    lists   jsonb NOT NULL              -- as GET /api/v1/prices shows them
);

-- An example to begin with, to be replaced before the first client is opened.
INSERT INTO portal.price_lists (version, put_at, put_by, lists) VALUES (1, '2026-11-01', 'Coffre',
    '[{"from": "2020-01", "until": null, "currency": "EUR", "vat_percent": "20",
       "seat_entry": "15.00", "seat_monthly": "3.00",
       "storage": {"per_100_gb": "9.00"}}]');

-- Every change of what a client has; rows are only ever added. An order carries its price, so that
-- the ledger follows from these rows alone (docs/decisions/0043).
CREATE TABLE portal.orders (
    order_id     uuid PRIMARY KEY,
    tenant_id    uuid NOT NULL REFERENCES portal.tenants,
    number       int NOT NULL CHECK (number >= 1),      -- of the client's, without gaps
    what         text NOT NULL CHECK (what IN ('storage', 'seats')),
    before       bigint NOT NULL CHECK (before >= 0),
    after        bigint NOT NULL CHECK (after >= 0),
    cause        text NOT NULL
        CHECK (cause IN ('opened', 'ordered', 'revised', 'kept', 'ended', 'reinstated')),
    ordered_at   timestamptz NOT NULL,
    effective_at timestamptz NOT NULL,
    "by"         text NOT NULL,         -- the name shown, kept even when the person is gone
    reason       text NOT NULL,
    clause       text NOT NULL,         -- of the contract, where the provider orders by itself
    unit_price   numeric NOT NULL CHECK (unit_price >= 0),
    entry_fee    numeric NOT NULL CHECK (entry_fee >= 0),
    currency     text NOT NULL,
    vat_percent  numeric NOT NULL,
    key          text,                  -- given by whoever ordered: the same one orders once
    UNIQUE (tenant_id, number),
    UNIQUE (tenant_id, key)
);

-- Orders that have not taken effect yet: one of a kind, a newer one replaces it.
CREATE TABLE portal.orders_pending (
    tenant_id    uuid NOT NULL REFERENCES portal.tenants,
    what         text NOT NULL,
    order_id     uuid NOT NULL REFERENCES portal.orders,
    effective_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, what)
);
CREATE INDEX orders_pending_due ON portal.orders_pending (effective_at);

-- What is due, month by month, before tax; rows are only ever added.
CREATE TABLE portal.ledger (
    tenant_id   uuid NOT NULL,
    month       text NOT NULL CHECK (month ~ '^\d{4}-\d{2}$'),
    about       text NOT NULL CHECK (about ~ '^\d{4}-\d{2}$' AND about <= month),
    order_id    uuid NOT NULL REFERENCES portal.orders,
    rule        text NOT NULL,          -- services/portal/rules/orders/ledger.py
    quantity    bigint NOT NULL,
    amount      numeric(20, 2) NOT NULL,
    currency    text NOT NULL,
    vat_percent numeric NOT NULL,
    PRIMARY KEY (tenant_id, month, about, order_id, rule)
);
CREATE INDEX ledger_month ON portal.ledger (month, tenant_id);

-- Which months of a client are closed: all up to the newest.
CREATE TABLE portal.closed_months (
    tenant_id uuid NOT NULL,
    month     text NOT NULL CHECK (month ~ '^\d{4}-\d{2}$'),
    closed_at timestamptz NOT NULL,
    closed_by text NOT NULL,
    PRIMARY KEY (tenant_id, month)
);

-- What reporting was told last of the next sizes, so that it is told again only when they differ.
CREATE TABLE portal.offers_told (
    tenant_id uuid PRIMARY KEY REFERENCES portal.tenants,
    version   int NOT NULL,
    told      jsonb NOT NULL
);

-- Whether a client's administrators may order; operators always may.
ALTER TABLE portal.tenants ADD COLUMN orders_itself boolean NOT NULL DEFAULT true;

-- Contracts from before there were orders begin with two, at the prices of the example.
INSERT INTO portal.orders (order_id, tenant_id, number, what, before, after, cause, ordered_at,
    effective_at, "by", reason, clause, unit_price, entry_fee, currency, vat_percent)
SELECT gen_random_uuid(), t.tenant_id, o.number, o.what, 0, o.after, 'opened', t.created_at,
    t.created_at, 'Coffre', '', '', o.unit_price, o.entry_fee, 'EUR', 20
FROM portal.tenants t, LATERAL (VALUES
    (1, 'storage', t.contracted_bytes, 9.00 * ceil(t.contracted_bytes / 1e11), 0),
    (2, 'seats', t.seats, 3.00, 15.00)
) AS o (number, what, after, unit_price, entry_fee);

GRANT SELECT, INSERT ON portal.price_lists, portal.orders, portal.ledger, portal.closed_months
    TO coffre_portal;
GRANT SELECT, INSERT, UPDATE, DELETE ON portal.orders_pending TO coffre_portal;
GRANT SELECT, INSERT, UPDATE ON portal.offers_told TO coffre_portal;
-- A person whose account is closed is gone; orders and log keep the name.
GRANT DELETE ON portal.users TO coffre_portal;
