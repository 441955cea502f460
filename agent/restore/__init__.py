"""Bringing a restore point back below a folder.

`performing` reads the manifest and plans, `windows` puts chunks into the order of packs, `crew`
hands them to processes of `worker`, which fetch, verify and write; `landing` is where all write.
"""
