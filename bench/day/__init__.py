"""A provider's day, compressed into minutes, and what one run of it costs each server.

`python -m bench.day` starts an installation of its own, plays the day by the agent protocol, and
writes docs/scale.md from what was measured. `--runs 300 --dry` tries it.
"""
