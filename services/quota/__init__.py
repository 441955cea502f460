"""Quota: what is kept for each tenant, and how far it may grow."""
