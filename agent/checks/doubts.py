"""A configuration that is valid and may still not be what its writer meant."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from agent.checks.findings import Finding
from agent.config import Config, Plan
from agent.platforms import SYSTEM, paths

# A file or folder that stands in the data folder of a database that runs.
_HOT = {
    "ibdata1": "a MySQL or MariaDB data folder",
    "PG_VERSION": "a PostgreSQL data folder",
    "WiredTiger": "a MongoDB data folder",
}
_HOT_FOLDERS = {
    "/var/lib/mysql": "MySQL or MariaDB",
    "/var/lib/postgresql": "PostgreSQL",
    "/var/lib/mongodb": "MongoDB",
    "/var/lib/ldap": "OpenLDAP",
}


def doubts(config: Config) -> Iterator[Finding]:
    """What a person should look at before the first night."""
    if not config.plans:
        yield Finding("warning", "plans", "There is none: nothing is backed up. Add a [[plan]].")
    if config.server is not None:
        address = urlsplit(config.server)
        if address.scheme == "http" and address.hostname not in ("localhost", "127.0.0.1", "::1"):
            yield Finding(
                "warning", "server", "http:// sends the token in the clear: use https://."
            )
    for plan in config.plans:
        for folder in plan.folders:
            yield from _of_folder(plan, folder)
        yield from _of_plan(plan)
    for one, other in itertools.combinations(config.plans, 2):
        for mine, theirs in itertools.product(one.folders, other.folders):
            if _holds(mine, theirs) or _holds(theirs, mine):
                inner = theirs if _holds(mine, theirs) else mine
                sentence = (
                    f"{inner} is also backed up by the plan {one.name!r}: it is walked twice."
                )
                yield Finding("warning", "folders", sentence, other.name)


def _of_folder(plan: Plan, folder: str) -> Iterator[Finding]:
    if not os.path.isdir(_real(folder)):
        yield Finding("warning", folder, "is no folder of this machine; runs fail.", plan.name)
    for name in plan.exclude_if_present:
        if os.path.lexists(os.path.join(_real(folder), name)):
            sentence = f"holds {name}, which has no say in a folder that a plan names."
            yield Finding("warning", folder, sentence, plan.name)
    yield from _hot(plan, folder)


def _of_plan(plan: Plan) -> Iterator[Finding]:
    if plan.reports and not plan.recipients:
        sentence = "is empty: reports go to the client's administrators. Add others if need be."
        yield Finding("warning", "recipients", sentence, plan.name)
    for file in {dump.password_file for dump in plan.dumps if dump.password_file is not None}:
        if fault := _password_fault(file):
            yield Finding("warning", str(file), fault, plan.name)


def _hot(plan: Plan, folder: str) -> Iterator[Finding]:
    advice = "it may not be restorable as files; add a [[plan.dump]] and exclude it."
    for name, what in _HOT.items():
        if os.path.lexists(os.path.join(_real(folder), name)):
            yield Finding("warning", folder, f"is {what}: {advice}", plan.name)
            return
    for place, whose in _HOT_FOLDERS.items():
        excluded = any(pattern.rstrip("/*") == place for pattern in plan.exclude)
        if _holds(folder, place) and os.path.isdir(place) and not excluded:
            yield Finding("warning", place, f"is where {whose} works: {advice}", plan.name)


def _password_fault(file: Path) -> str | None:
    try:
        status = file.stat()
    except OSError as error:
        return f"can't be read ({error.strerror}); its dump would fail."
    if os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077:
        return f"can be read by others (mode {stat.S_IMODE(status.st_mode):04o}): chmod 600 it."
    if not os.access(file, os.R_OK):
        return "can't be read by you; run as the user who owns it."
    return None


def _real(folder: str) -> str:
    return paths.system_path(folder[1:], SYSTEM)


def _holds(outer: str, inner: str) -> bool:
    return outer in (inner, "/") or inner.startswith(outer + "/")
