"""The agent with its own Python, as one folder that starts by itself."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from release import tools, wheel

SPEC = Path(__file__).with_name("agent.spec")


def environment(work: Path, python: Path, lock: Path, agent: Path) -> Path:
    """A virtual environment with the agent and its libraries alone; the path of its Python."""
    folder = work / "environment"
    subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)
    ours = folder / "bin" / "python"
    tools.install(python, ours, "--require-hashes", "-r", lock)
    tools.install(python, ours, agent)
    return ours


def build(work: Path, at_hand: Path, python: Path, public_key: str) -> Path:
    """The folder `coffre-agent`, with the program of that name in it.

    public_key: what it will believe the provider's updates by.
    """
    told = {"version": wheel.VERSION, "public_key": public_key}
    (work / "release.json").write_text(json.dumps(told, indent=1) + "\n")
    subprocess.run(
        [
            *(python, "-m", "PyInstaller", "--noconfirm", "--clean", "--log-level", "ERROR"),
            *("--distpath", work / "bundle", "--workpath", work / "pyinstaller", SPEC),
        ],
        check=True,
        # Sets in the order of their hashes would make each build another one.
        env={
            **os.environ,
            "PYTHONHASHSEED": "1",
            "PYTHONPATH": str(next(at_hand.parent.glob("lib/python*/site-packages"))),
            "COFFRE_RELEASE_WORK": str(work),
            "PYINSTALLER_CONFIG_DIR": str(work / "pyinstaller-settings"),
        },
    )
    return work / "bundle" / "coffre-agent"
