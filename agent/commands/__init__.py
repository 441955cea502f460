"""The command line of coffre-agent: one module for each group of commands.

Modules import what a command needs inside it, so that `coffre-agent --help` answers at once.
"""

from __future__ import annotations

# In the order in which `--help` lists the commands.
from agent.commands import setting_up, enrolling, checking, timing, copying  # isort: skip
from agent.commands import showing, restoring, configuring, updating  # isort: skip
from agent.commands.shell import app

__all__ = [
    "app",
    "checking",
    "configuring",
    "copying",
    "enrolling",
    "restoring",
    "setting_up",
    "showing",
    "timing",
    "updating",
]
