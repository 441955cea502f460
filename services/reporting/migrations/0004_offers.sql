-- The next sizes of storage that a client could order, with their prices, for mails that offer them.
CREATE TABLE offers (
    tenant_id uuid PRIMARY KEY,
    version   integer NOT NULL,
    currency  text NOT NULL,
    offers    text NOT NULL             -- JSON: size and price a month of each
);

GRANT SELECT, INSERT, UPDATE ON offers TO coffre_reporting;
