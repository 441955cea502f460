"""Virtual environments that hold what a client's machine gets, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from tests.world.machines import ROOT, Machine

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def closure(requirements: list[str]) -> set[str]:
    """Names of the distributions that these requirements bring to this machine."""
    found: set[str] = set()
    wanted = [Requirement(line) for line in requirements]
    while wanted:
        requirement = wanted.pop()
        name = requirement.name.lower().replace("_", "-")
        if name in found or not (requirement.marker is None or requirement.marker.evaluate()):
            continue
        found.add(name)
        for line in metadata.requires(name) or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                wanted.append(needed)
    return found


def make_environment(folder: Path) -> Path:
    """An empty environment, without pip even; gives its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder / "bin" / "python"


def link_agent(folder: Path) -> Path:
    """An environment with the agent and its libraries, as they are installed here; its Python."""
    python = make_environment(folder)
    [packages] = folder.glob("lib/python*/site-packages")
    for name in closure(PROJECT["dependencies"]):
        distribution = metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or ()} - {".."}:
            (packages / top).symlink_to(str(distribution.locate_file(top)))
    for ours in ("agent", "libs", "services"):  # as a wheel has them
        (packages / ours).symlink_to(ROOT / ours)
    return python


@dataclass
class InstalledMachine(Machine):
    """A client's machine on which the agent was installed."""

    python: str = ""

    def command(self, *arguments: str) -> list[str]:
        """The command line for the agent."""
        program = str(Path(self.python).parent / "coffre-agent")
        start = [program] if Path(program).exists() else [self.python, "-m", "agent"]
        return [*start, "--config", str(self.config), *arguments]
