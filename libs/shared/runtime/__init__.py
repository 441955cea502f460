"""Processes: their commands, their signals, and loops that end the process when they die."""

from __future__ import annotations

from libs.shared.crashpoints import crashpoint
from libs.shared.runtime.command import Command, main
from libs.shared.runtime.service import Loop, Service

__all__ = ["Command", "Loop", "Service", "crashpoint", "main"]
