"""Dumps of databases: streamed from their programs into chunks, checked, and kept as files.

`programs` says how each kind is called, `streams` reads a program under a deadline, `sqlite`
copies a database that is being written to, `taking` takes one dump and checks it, and `folder`
shows all of a plan's dumps to the comparison as one more folder, `@dumps`.
"""
