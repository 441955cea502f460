-- Since when all that a client stores is known to be good, asked with each look at its first page:
-- a terabyte is 60,000 packs.
CREATE INDEX packs_known_good ON catalogue.packs (tenant_id, greatest(verified_at, stored_at))
    WHERE state = 'live';
