"""The installed agent, and how another takes its place."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from agent.programs import ours
from agent.telling.failures import AgentError, UsageError
from libs.shared.reasons import Reason

_COMMANDS = {"deb": ["dpkg", "--install"], "rpm": ["rpm", "--upgrade"], "file": ["sh"]}
_SECONDS = 600.0
KEPT = "agent-before"


@dataclass(frozen=True)
class Installed:
    """How this agent came here: by is deb, rpm or file. folder: all of it."""

    by: str
    version: str
    public_key: bytes
    folder: Path


def this_one() -> Installed:
    """The agent that runs; UsageError where it didn't come in a package of the provider's."""
    folder = Path(sys.executable).resolve().parent
    inner = folder / "_internal"
    if not ours.IS_BUNDLED or not (inner / "installed-by").is_file():
        raise UsageError(
            "This agent did not come in one of your provider's packages, so it can't replace "
            "itself. Update it the way it was installed."
        )
    told = json.loads((inner / "release.json").read_text())
    by = (inner / "installed-by").read_text().strip()
    return Installed(by, told["version"], bytes.fromhex(told["public_key"]), folder)


def replace(installed: Installed, content: bytes, state_dir: Path) -> Path:
    """Put another agent in its place; gives the folder in which the present one stays.

    content: the package. Where the new one can't be started here, nothing is changed.
    """
    kept = installed.folder
    with tempfile.TemporaryDirectory(prefix="coffre-agent-") as scratch:
        package = Path(scratch) / f"coffre-agent.{installed.by}"
        package.write_bytes(content)
        if installed.by != "file":
            kept = _keep(installed, state_dir)
        command = [*_COMMANDS[installed.by], str(package)]
        if installed.by == "file":
            # It unpacks itself beside this one, and takes its place if it can be started.
            command.append("--version")
        told = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
    if told.returncode:
        words = told.stderr.decode(errors="replace").strip()
        sentence = f"The new agent could not be installed: {words} The present one stays."
        raise AgentError(Reason("usage"), sentence)
    if installed.by == "file":
        _forget_older(installed.folder)
    return kept


def _keep(installed: Installed, state_dir: Path) -> Path:
    """A copy of what a package manager is about to replace."""
    kept, fresh = state_dir / KEPT, state_dir / f".{KEPT}"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(installed.folder, fresh, symlinks=True)
    shutil.rmtree(kept, ignore_errors=True)
    fresh.rename(kept)
    return kept


def _forget_older(before: Path) -> None:
    """Of the folders beside each other, leave the new one and the one before."""
    new = Path(os.path.realpath(before.parent / "current"))
    for folder in before.parent.iterdir():
        if folder.is_dir() and not folder.is_symlink() and folder not in (new, before):
            shutil.rmtree(folder, ignore_errors=True)
