"""What goes to ingest and portal, and how fast."""
