"""The configuration: TOML files, checked as a whole before anything is done."""

from __future__ import annotations

from agent.config.loading import ConfigurationWrong, find_file, load
from agent.config.settings import Bandwidth, BandwidthHours, Config, Dump, Hooks, Plan

__all__ = [
    "Bandwidth",
    "BandwidthHours",
    "Config",
    "ConfigurationWrong",
    "Dump",
    "Hooks",
    "Plan",
    "find_file",
    "load",
]
