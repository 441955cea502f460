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

ROOT = Path(__file__).parents[2]


def toml(value: Any) -> str:
    """A value as TOML writes it in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(each) for each in value) + "]"
    return json.dumps(value)


@dataclass
class Machine:
    """A client's machine: its configuration, and the agent run as a program."""

    folder: Path
    plans: dict[str, dict[str, Any]]
    server: str
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """The agent's configuration, written anew from what is set here."""
        lines = [
            f"server = {toml(self.server)}",
            'token_file = "token"',
            'state_dir = "state"',
            *(f"{key} = {toml(value)}" for key, value in self.more.items()),
        ]
        for name, plan in self.plans.items():
            settings = {"name": name, "schedule": "0 2 * * *", "timezone": "Europe/Paris", **plan}
            lines += ["", "[[plan]]", *(f"{k} = {toml(v)}" for k, v in settings.items())]
        file = self.folder / "agent.toml"
        file.write_text("\n".join(lines) + "\n")
        return file

    def agent(
        self, *arguments: str, mere_user: bool = False, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs `coffre-agent`; as a mere user, root's powers over files are taken from it."""
        command = self.command(*arguments)
        if mere_user and os.geteuid() == 0:
            command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
        return subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def command(self, *arguments: str) -> list[str]:
        """The command line for the agent."""
        return [sys.executable, "-m", "agent", "--config", str(self.config), *arguments]

    def twin(self, folder: Path) -> Machine:
        """Another machine with all that this one knows, its token included."""
        shutil.copytree(self.folder, folder)
        return Machine(folder, self.plans, self.server)

    def run(self, plan: str = "papers", expect: int = 0, mere_user: bool = False) -> dict[str, Any]:
        """Runs a plan; gives its summary."""
        ended = self.agent("run", plan, "--json", mere_user=mere_user)
        assert ended.returncode == expect, (ended.returncode, ended.stdout, ended.stderr)
        summary: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
        assert summary["message_type"] == "summary"
        return summary
