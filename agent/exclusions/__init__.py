"""Which entries a plan leaves out: patterns, shipped lists, marked folders, sizes, file systems."""

from __future__ import annotations

from agent.exclusions.patterns import Exclusions
from agent.exclusions.rules import Rules, rules_of

__all__ = ["Exclusions", "Rules", "rules_of"]
