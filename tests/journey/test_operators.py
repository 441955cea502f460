"""An operator at a terminal, with everything running: what they type is done, and told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from devstack import mails
from tests.world.machines import Machine, summary_of
from tests.world.running import Installation
from tests.world.waiting import wait_for

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(600)]

Coffre = Callable[..., Any]


@pytest.fixture
def coffre(installation: Installation) -> Coffre:
    """What a command answers, as JSON."""
    told = installation.stack
    named = {"COFFRE_PORTAL": told["portal"]["url"], "COFFRE_TOKEN": told["operator"]["token"]}

    def ask(*arguments: str) -> Any:
        ended = subprocess.run(
            [sys.executable, "-m", "operators", "--json", *arguments],
            cwd=Path(__file__).parents[2],
            env={**os.environ, **named},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    return ask


def test_what_stops_and_what_goes_on_is_mailed_and_done(
    machine: Machine, installation: Installation, coffre: Coffre
) -> None:
    (machine.source / "facture").write_bytes(b"31 EUR")
    assert machine.agent("run", "documents").returncode == 0
    email, tenant_id = machine.client.email, machine.client.tenant_id

    coffre("tenant", "suspend", tenant_id, "--reason", "facture impayée")
    told = mails.text(installation.mail(email, "est suspendu"))
    assert "facture impayée" in told
    refused = machine.agent("run", "documents", "--json")
    assert refused.returncode == 1
    assert summary_of(refused)["error"]["code"] == "subscription-suspended"

    coffre("tenant", "resume", tenant_id, "--reason", "payée")
    installation.mail(email, "Votre abonnement continue")
    assert machine.agent("run", "documents").returncode == 0

    ended = coffre("tenant", "end", tenant_id, "--reason", "résilié")
    assert ended["subscription"] == "ended"
    told = mails.text(installation.mail(email, "a pris fin"))
    due = wait_for(
        "the day of the destruction",
        lambda: coffre("tenant", "show", tenant_id)["destruction_due_at"],
    )
    day = datetime.fromisoformat(due).astimezone(ZoneInfo("Europe/Paris"))
    assert f"{day:%d/%m/%Y}" in told
    assert machine.agent("run", "documents").returncode == 1

    coffre("tenant", "reinstate", tenant_id, "--reason", "revient")
    installation.mail(email, "est rétabli")
    assert machine.agent("run", "documents").returncode == 0


def test_an_event_that_waits_is_seen_from_afar_and_handled_again(
    machine: Machine, installation: Installation, coffre: Coffre
) -> None:
    (machine.source / "facture").write_bytes(b"31 EUR")
    assert machine.agent("run", "documents").returncode == 0
    tenant_id = uuid.UUID(machine.client.tenant_id)

    def handled() -> Any:
        return installation.query(
            "SELECT event_id FROM quota.inbox WHERE tenant_id = $1 AND state = 'done'"
            " AND type = 'volume.changed.v1' LIMIT 1",
            tenant_id,
        )

    [row] = wait_for("an event of this client at quota", lambda: handled() or None)
    event_id = row["event_id"]
    installation.query(
        "UPDATE quota.inbox SET state = 'parked', attempts = 12, error = 'ZeroDivisionError'"
        " WHERE event_id = $1",
        event_id,
    )

    def listed() -> list[Any]:
        waiting = coffre("events", "parked", "list")["parked"]
        return [one for one in waiting if one["event_id"] == str(event_id)]

    [shown] = wait_for("the parked event", lambda: listed() or None)
    assert (shown["service"], shown["summary"]) == ("quota", "ZeroDivisionError")
    coffre("events", "parked", "replay", "quota", str(event_id), "--reason", "mended")
    wait_for("its end", lambda: not listed())
    [row] = installation.query("SELECT state FROM quota.inbox WHERE event_id = $1", event_id)
    assert row["state"] in {"pending", "done"}
