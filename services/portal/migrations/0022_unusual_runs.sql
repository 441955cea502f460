-- The few runs that are unusual, among all that were judged: asked for with every look at files.
CREATE INDEX judgements_unusual ON portal.judgements (tenant_id, run_id) WHERE verdicts <> '[]';
