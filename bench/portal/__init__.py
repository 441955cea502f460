"""The portal with a thousand clients, ten million versions and three years of runs."""
