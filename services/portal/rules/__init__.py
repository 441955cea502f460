"""Decisions of the portal: pure functions and frozen values, no I/O, no clock."""
