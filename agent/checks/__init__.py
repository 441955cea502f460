"""What `check` and `config validate` look at, without copying anything."""

from __future__ import annotations

from agent.checks.findings import Finding, exit_code_of

__all__ = ["Finding", "exit_code_of"]
