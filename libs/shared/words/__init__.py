"""How what happened is said to people."""
