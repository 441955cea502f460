"""What the services' logs tell after all these journeys: ids to find things by, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devstack import mails
from tests.world.clients import PASSWORD
from tests.world.machines import Machine
from tests.world.running import Installation

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(600)]

SERVICES = ("ingest", "portal", "quota", "reporting", "retention")
NAME = "bulletin-de-paie-zoe"
CONTENT = "salaire net de Zoé Lemercier : 2 345,67 euros"
SHORTEST_SECRET = 12
SHORTEST = 40
"""Lines of mails that are long enough to be nobody else's words."""


def test_no_log_holds_what_is_secret_or_what_people_wrote(
    installation: Installation, machine: Machine, tmp_path: Path
) -> None:
    (machine.source / NAME).write_text(CONTENT)
    machine.run()
    machine.client.restore(machine, tmp_path / "back")
    mail = installation.mail(machine.client.email, "documents")
    logs = "".join(_logs_of(installation.folder))
    assert machine.client.tenant_id in logs
    for place, told in _secrets(installation, machine):
        assert told not in logs, place
    for written in (NAME, CONTENT, PASSWORD, str(machine.source)):
        assert written not in logs
        assert json.dumps(written)[1:-1] not in logs
    bodies = [mails.text(each) for each in (mail, *installation.mails(machine.client.email))]
    long_lines = [line for body in bodies for line in body.splitlines() if len(line) > SHORTEST]
    assert long_lines
    for line in long_lines:
        assert json.dumps(line)[1:-1] not in logs


def test_each_line_names_what_it_belongs_to(installation: Installation, machine: Machine) -> None:
    machine.run()
    lines = list(_lines(installation.folder))
    ours = [line for line in lines if line.get("tenant_id") == machine.client.tenant_id]
    requests = [line for line in lines if line["event"] == "request.answered"]
    assert requests
    assert all({"request_id", "trace_id", "service"} <= line.keys() for line in requests)
    about_runs = [line for line in requests if line["route"].startswith("/v1/runs/{run_id}")]
    known = [line for line in about_runs if line["status"] < 400]
    assert known
    assert all({"tenant_id", "run_id"} <= line.keys() for line in known)
    # One id finds the run's lines at ingest, and what reporting made of it.
    [committed] = [line for line in ours if line["event"] == "run.committed"]
    along = [line for line in lines if line.get("trace_id") == committed["trace_id"]]
    assert {line["event"] for line in along} >= {"run.started", "run.committed"}
    handled = [line for line in lines if "event_type" in line]
    assert all({"event_id", "tenant_id"} <= line.keys() for line in handled)


def _logs_of(folder: Path) -> Iterator[str]:
    for service in SERVICES:
        for path in (folder / "logs").glob(f"{service}.log*"):
            yield path.read_text(errors="replace")


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    for log in _logs_of(folder):
        for line in log[: log.rfind("\n") + 1].splitlines():  # the last one may be under way
            if line.startswith("{"):
                yield json.loads(line)


def _secrets(installation: Installation, machine: Machine) -> Iterator[tuple[str, str]]:
    yield "the machine's token", (machine.folder / "token").read_text().strip()
    yield "the operator's token", installation.portal.operator_token
    for path in (installation.folder / "secrets").iterdir():
        told = path.read_text().strip()
        if len(told) >= SHORTEST_SECRET:
            yield path.name, told
