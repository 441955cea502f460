"""A client's machine: its configuration, and the agent run as a program."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devstack.agents import write_configuration
from tests.world import forks

ROOT = Path(__file__).parents[2]
_READ_AT_IMPORT = "COFFRE_AGENT_FOLDERS"
"""By what the agent chooses how it reaches folders, before it has read anything else."""


@dataclass
class Machine:
    """A client's machine: its configuration, and the agent run as a program."""

    folder: Path
    plans: dict[str, dict[str, Any]]
    server: str
    more: dict[str, Any] = field(default_factory=dict)
    client: Any = None

    @property
    def source(self) -> Path:
        """The folder that its first plan copies."""
        return Path(next(iter(self.plans.values()))["folders"][0])

    @property
    def config(self) -> Path:
        """The agent's configuration, written anew from what is set here."""
        return write_configuration(self.folder, self.server, self.plans, **self.more)

    def agent(
        self, *arguments: str, mere_user: bool = False, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs `coffre-agent`; as a mere user, root's powers over files are taken from it."""
        command = self.command(*arguments)
        told = {**os.environ, **environ}
        if mere_user and os.geteuid() == 0:
            command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
        elif _READ_AT_IMPORT not in told:
            words = command[command.index("--config") :]
            return forks.run("agent", *words, env=told, seconds=240)
        return subprocess.run(
            command,
            cwd=ROOT,
            env=told,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=240,
            check=False,
        )

    def command(self, *arguments: str) -> list[str]:
        """The command line for the agent."""
        return [sys.executable, "-m", "agent", "--config", str(self.config), *arguments]

    def enrol(self, code: str) -> None:
        """Makes the machine known to ingest, which has heard of the code."""
        enrolled = self.agent("enrol", "--server", self.server, "--code", code)
        assert enrolled.returncode == 0, enrolled.stderr

    def twin(self, folder: Path) -> Machine:
        """Another machine with all that this one knows, its token included."""
        shutil.copytree(self.folder, folder)
        return Machine(folder, self.plans, self.server)

    def run(
        self, plan: str | None = None, expect: int = 0, mere_user: bool = False
    ) -> dict[str, Any]:
        """Runs a plan, the first unless told; gives its summary."""
        ended = self.agent("run", plan or next(iter(self.plans)), "--json", mere_user=mere_user)
        assert ended.returncode == expect, (ended.returncode, ended.stdout, ended.stderr)
        return summary_of(ended)


def summary_of(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What the agent says last, as JSON."""
    summary: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    assert summary["message_type"] in {"summary", "dry_run"}, summary
    return summary
