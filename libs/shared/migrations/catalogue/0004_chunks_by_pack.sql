-- The pack before the tenant: a tenant that came after the statistics were made counts as one row,
-- and then any index that begins with the tenant seems as good as the primary key for finding a
-- chunk, and is smaller. Each look-up read all chunks of the tenant (docs/decisions/0018).
-- Writing to chunks waits while this is made.
DROP INDEX catalogue.chunks_of_pack;
CREATE INDEX chunks_of_pack ON catalogue.chunks (pack_no, tenant_id);
