"""Snapshots of the file systems that a plan's folders lie on, for files that are in use."""
