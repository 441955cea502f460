"""Programs and signals around a run: processes, hooks, pings, an orderly stop."""
