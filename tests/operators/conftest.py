"""`coffre` as operators type it, against a portal on real servers."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.portal.conftest import Portal, portal
from tests.world import forks

__all__ = ["portal"]

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Its standard output as JSON; the command must have succeeded."""
        assert self.code == 0, self.err
        return json.loads(self.out)


@dataclass(frozen=True)
class Coffre:
    """The command in an environment of its own."""

    environ: dict[str, str]

    async def __call__(self, *arguments: str, typed: str = "", **environ: str) -> Ended:
        """Runs it to its end; from Python's own beginning where something is typed."""
        if not typed:
            told = {**self.environ, **environ}
            forked = await asyncio.to_thread(forks.run, "operators", *arguments, env=told)
            return Ended(forked.returncode, forked.stdout, forked.stderr)
        ended = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "operators", *arguments],
            cwd=ROOT,
            env={**self.environ, **environ},
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture
def bare(tmp_path: Path) -> Coffre:
    """Nobody is signed in, no portal is named."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return Coffre({**kept, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")})


@pytest.fixture
def coffre(bare: Coffre, portal: Portal) -> Coffre:
    """An operator's, by the environment."""
    named = {"COFFRE_PORTAL": portal.url, "COFFRE_TOKEN": portal.operator_token}
    return Coffre(bare.environ | named)
