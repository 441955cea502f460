"""Builds what clients' machines get, into `dist/`: `./run package`."""
