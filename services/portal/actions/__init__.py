"""What the portal does, in verbs."""
