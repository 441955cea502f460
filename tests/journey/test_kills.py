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

import pytest

from tests.trees import compare_trees
from tests.world.machines import ROOT, Machine, summary_of
from tests.world.running import Installation
from tests.world.waiting import wait_for

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(900)]

SERVICES = ("ingest", "quota", "reporting", "retention", "portal")


def kill(installation: Installation, service: str) -> None:
    """Kills a service, unless it is being replaced at this moment."""
    with suppress(ProcessLookupError):
        os.kill(installation.pid(service), signal.SIGKILL)


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


def storm(machine: Machine, seed: int, seconds: float, pause: tuple[float, float]) -> list[str]:
    """Runs of a growing folder while services die at random; the names of the dead."""
    draw = random.Random(seed)
    dead: list[str] = []
    stop = threading.Event()

    def strike() -> None:
        while not stop.wait(draw.uniform(*pause)):
            victim = draw.choice(SERVICES)
            kill(machine.client.house, victim)
            dead.append(victim)

    striker = threading.Thread(target=strike)
    striker.start()
    committed: list[dict[str, object]] = []
    deadline = time.monotonic() + seconds
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
        subjects = [str(mail["Subject"]) for mail in client.house.mails(client.email)]
        sent = sum(subject.startswith(("[REUSSIE", "[RETABLIE]")) for subject in subjects)
        return sent >= len(committed)

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


def test_services_die_at_random_while_a_client_copies(make_machine: Callable[..., Machine]) -> None:
    machine = make_machine()
    assert storm(machine, seed=11, seconds=25, pause=(1.0, 3.0))


@pytest.mark.long
def test_services_die_at_random_for_minutes(make_machine: Callable[..., Machine]) -> None:
    machine = make_machine()
    assert len(storm(machine, seed=5, seconds=300, pause=(0.5, 4.0))) > 50


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
