"""The shell of the README, run as it stands there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def script_without_agent(server: str, code: str) -> str:
    """The lines for machines without an agent, with an address and a code in place of theirs."""
    (lines,) = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    placed = lines.replace("server=http://127.0.0.1:8001 code=CODE", f"server={server} code={code}")
    assert placed != lines
    assert len(lines.splitlines()) == 10
    return str(placed)


def run_bash(script: str) -> subprocess.CompletedProcess[str]:
    """Runs a script as somebody would who pasted it."""
    return subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
