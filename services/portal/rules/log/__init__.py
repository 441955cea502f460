"""The access log: what can stand in it, and the chain that holds it together."""
