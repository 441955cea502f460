"""Processes: their commands, their signals, their jobs; what dies of a bug ends the process."""

from __future__ import annotations

from libs.shared.crashpoints import crashpoint
from libs.shared.runtime.command import (
    Command,
    Commands,
    describe_clock,
    main,
    tell_clock,
)
from libs.shared.runtime.jobs import Job, Jobs
from libs.shared.runtime.memory import give_memory_back
from libs.shared.runtime.service import Service

__all__ = [
    "Command",
    "Commands",
    "Job",
    "Jobs",
    "Service",
    "crashpoint",
    "describe_clock",
    "give_memory_back",
    "main",
    "tell_clock",
]
