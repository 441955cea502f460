"""Retention: what may be forgotten, and when."""
