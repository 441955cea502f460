"""What lies on the disk now, and what was there at the last run."""
