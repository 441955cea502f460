"""Whatever is killed, whenever: acknowledged data stays, no event is lost, no report is missing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.trees import compare_trees
from tests.world.machines import ROOT, Machine, summary_of
from tests.world.running import Installation
from tests.world.twice import Many, open_many
from tests.world.waiting import wait_for

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(900)]

SERVICES = ("ingest", "quota", "reporting", "retention", "portal")


def killer(installation: Installation) -> Callable[[random.Random], str]:
    """Kills a service, unless it is being replaced at this moment."""

    def kill(draw: random.Random) -> str:
        service = draw.choice(SERVICES)
        with suppress(ProcessLookupError):
            os.kill(installation.pid(service), signal.SIGKILL)
        return service

    return kill


def killer_of_many(many: Many) -> Callable[[random.Random], str]:
    """Kills one process of a service, and starts another in its place."""

    def kill(draw: random.Random) -> str:
        service = draw.choice(SERVICES)
        house = draw.choice(many.houses)
        house.kill(service)
        house.launch(service)
        return service

    return kill


def fill(machine: Machine, seed: int, files: int = 400) -> None:
    draw = random.Random(seed)
    for number in range(files):
        path = machine.source / f"folder-{number % 17}" / f"file-{seed}-{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(
            draw.randbytes(draw.choice((10, 2_000, 60_000, 700_000 if number % 40 == 0 else 9_000)))
        )


def run(machine: Machine) -> subprocess.CompletedProcess[str]:
    """One copy, however it ends."""
    return machine.agent("run", "documents", "--json")


def storm(
    machine: Machine,
    seed: int,
    seconds: float,
    pause: tuple[float, float],
    kill: Callable[[random.Random], str],
) -> list[str]:
    """Runs of a growing folder while services die at random; the names of the dead."""
    draw = random.Random(seed)
    dead: list[str] = []
    stop = threading.Event()

    def strike() -> None:
        while not stop.wait(draw.uniform(*pause)) and time.monotonic() < deadline:
            dead.append(kill(draw))

    deadline = time.monotonic() + seconds
    striker = threading.Thread(target=strike)
    striker.start()
    committed: list[dict[str, object]] = []
    try:
        round_number = 0
        while time.monotonic() < deadline:
            round_number += 1
            fill(machine, seed * 1000 + round_number, files=150)
            result = run(machine)
            assert result.returncode in {0, 1, 22}, result.stderr
            if result.returncode == 0:
                committed.append(summary_of(result))
    finally:
        stop.set()
        striker.join()
    final = wait_for(
        "a good run after the storm",
        lambda: (ran := run(machine)).returncode == 0 and summary_of(ran),
        120,
    )
    committed.append(final)
    check_promises(machine, committed)
    return dead


def check_promises(machine: Machine, committed: list[dict[str, object]]) -> None:
    back = machine.folder.parent / f"back-{len(committed)}"
    options = ("--to", str(back), "--json")
    client = machine.client
    wait_for("a restore", lambda: client.ask_restore(machine, *options).returncode == 0, 120)
    assert compare_trees(machine.source, back / str(machine.source).lstrip("/")) == []

    def reported() -> bool:
        """Each by a mail, or by the digest that tells of what a day's allowance leaves over."""
        subjects = [str(mail["Subject"]) for mail in client.house.mails(client.email)]
        sent = sum(subject.startswith(("[REUSSIE", "[RETABLIE]")) for subject in subjects)
        [[withheld]] = client.house.query(
            "SELECT count(*) FROM reporting.mails WHERE tenant_id = $1::text::uuid"
            " AND state = 'withheld' AND subject_id = ANY($2::text[]::uuid[])",
            client.tenant_id,
            [str(summary["run_id"]) for summary in committed],
        )
        return sent + withheld >= len(committed)

    wait_for(f"{len(committed)} reports", reported, 90)
    ids = [str(mail["Message-ID"]) for mail in client.house.mails(client.email)]
    # SMTP can't tell a lost answer from a lost mail: the same Message-ID may come twice, no more.
    assert len(ids) - len(set(ids)) <= 2

    def balanced() -> bool:
        shown: set[str] = set()
        before = ""
        with client.sign_in() as api:
            while runs := api.get(f"plans/documents/runs{before}").json()["runs"]:
                shown |= {run["run_id"] for run in runs if run["restore_point"]}
                before = f"?before={runs[-1]['number']}"
        return {str(summary["run_id"]) for summary in committed} <= shown

    wait_for("every committed run in the portal", balanced, 60)


def test_services_die_at_random_while_a_client_copies(
    installation: Installation, make_machine: Callable[..., Machine]
) -> None:
    machine = make_machine()
    assert storm(machine, 11, seconds=12, pause=(1.0, 3.0), kill=killer(installation))


@pytest.mark.long
def test_services_die_at_random_for_minutes(
    installation: Installation, make_machine: Callable[..., Machine]
) -> None:
    machine = make_machine()
    dead = storm(machine, 5, seconds=300, pause=(0.5, 4.0), kill=killer(installation))
    assert len(dead) > 50


@pytest.mark.long
def test_two_of_each_service_die_at_random_for_minutes(
    servers: Any, database_template: str, tmp_path: Path
) -> None:
    with open_many(servers, database_template, tmp_path / "many", *SERVICES) as many:
        client = many.open_client()
        (tmp_path / "source").mkdir()
        plans = {"documents": {"folders": [str(tmp_path / "source")], "recipients": [client.email]}}
        machine = client.machine(tmp_path / "agent", plans)
        dead = storm(machine, 7, seconds=240, pause=(2.0, 6.0), kill=killer_of_many(many))
        assert set(dead) == set(SERVICES)
        wait_for("all events to be handled", lambda: unhandled(many) == 0, 120)
        assert parked(many) == 0


def unhandled(many: Many) -> int:
    """Events that wait anywhere, before the broker or behind it."""
    return sum(
        many.query(f"SELECT count(*) FROM {service}.{condition}")[0][0]
        for service in SERVICES
        for condition in ("outbox WHERE published_at IS NULL", "inbox WHERE done_at IS NULL")
    )


def parked(many: Many) -> int:
    """Events that wait for a person."""
    return sum(
        many.query(f"SELECT count(*) FROM {service}.inbox WHERE state = 'parked'")[0][0]
        for service in SERVICES
    )


def test_an_agent_killed_in_the_middle_goes_on_where_it_was(
    make_machine: Callable[..., Machine],
) -> None:
    machine = make_machine()
    fill(machine, seed=3, files=1500)
    for pause in (0.6, 0.9, 1.4):
        process = subprocess.Popen(
            machine.command("run", "documents", "--json"),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(pause)
        process.kill()
        process.wait()
    machine.run()
    back = machine.folder.parent / "back"
    machine.client.restore(machine, back)
    assert compare_trees(machine.source, back / str(machine.source).lstrip("/")) == []
