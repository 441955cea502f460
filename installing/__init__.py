"""Making an installation: its secrets, and what servers are told before services start."""
