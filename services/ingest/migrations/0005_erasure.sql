-- Of a tenant that was destroyed nothing is kept (docs/destruction.md).
GRANT DELETE ON
    ingest.runs, ingest.plans, ingest.agents, ingest.enrolments, ingest.tallies, ingest.rebuilds,
    ingest.allowances, ingest.tenants, ingest.portal_revocations, ingest.portal_subscriptions
    TO coffre_ingest;
