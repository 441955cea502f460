"""The command line of coffre-agent: one module for each group of commands.

Modules import what a command needs inside it, so that `coffre-agent --help` answers at once.
"""

from __future__ import annotations

# In the order in which `--help` lists the commands.
from agent.commands import configuring, enrolling, checking, timing  # isort: skip
from agent.commands import copying, showing, restoring  # isort: skip
from agent.commands.shell import app

__all__ = [
    "app",
    "checking",
    "configuring",
    "copying",
    "enrolling",
    "restoring",
    "showing",
    "timing",
]
