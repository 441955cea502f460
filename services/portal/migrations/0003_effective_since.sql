-- Since when a subscription stands as it does: from then on ingest goes by it. None: from before
-- this was noted.
ALTER TABLE portal.tenants ADD COLUMN subscription_since timestamptz;
