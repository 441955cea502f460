-- Of a rare cause the closed incidents are found without reading through all others.

CREATE INDEX incidents_newest_of_cause ON portal.incidents (cause, closed_at DESC, incident_id)
    WHERE closed_at IS NOT NULL;
