"""Ingest: takes copies in from agents, stores them, and says what became of each run."""
