"""The user's own crontab, for machines without systemd and users who aren't root."""

from __future__ import annotations

import subprocess

from agent.programs import processes
from agent.telling.failures import UsageError

_BEGIN = "# Written by `coffre-agent timer`: the plan "
_END = "# End of what `coffre-agent timer` wrote."
_SECONDS = 20.0


def read() -> list[str]:
    """Its lines; none where there is no crontab."""
    if processes.find("crontab") is None:
        return []
    command = ["crontab", "-l"]
    told = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
    return told.stdout.decode(errors="surrogateescape").splitlines()


def write(lines: list[str]) -> None:
    """Replace it as a whole; UsageError where cron refuses it."""
    text = "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")
    told = subprocess.run(
        ["crontab", "-"], input=text, capture_output=True, timeout=_SECONDS, check=False
    )
    if told.returncode:
        words = told.stderr.decode(errors="replace").strip()
        raise UsageError(f"The crontab could not be written: {words}")


def block(cron_file: str) -> list[str]:
    """What a file for /etc/cron.d says, as lines of a crontab: they go by its owner's name."""
    first, *_, line = cron_file.splitlines()
    return [first, line.replace(" root cd / && ", " cd / && ", 1), _END]


def without(lines: list[str], plan: str) -> list[str]:
    """The lines but for those that we wrote for a plan."""
    begin = f"{_BEGIN}{plan}."
    if begin not in lines:
        return lines
    start = lines.index(begin)
    return lines[:start] + lines[lines.index(_END, start) + 1 :]
