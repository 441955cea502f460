"""Whatever is killed, whenever: acknowledged data stays, no event is lost, no report is missing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journey.world import ROOT, Client, World, eventually
from tests.trees import compare_trees

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(900)]

SERVICES = ("ingest", "quota", "reporting", "retention", "portal")


def pid_of(world: World, service: str) -> int | None:
    """The process that serves now, as the stack tells it; None while it is being replaced."""
    pid = int(world.stack["services"][service]["pid"])
    return pid if Path(f"/proc/{pid}").exists() else None


def kill(world: World, service: str) -> None:
    pid = pid_of(world, service)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)


def fill(client: Client, seed: int, files: int = 400) -> None:
    draw = random.Random(seed)
    for number in range(files):
        path = client.source / f"folder-{number % 17}" / f"file-{seed}-{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(
            draw.randbytes(draw.choice((10, 2_000, 60_000, 700_000 if number % 40 == 0 else 9_000)))
        )


def storm(client: Client, seed: int, seconds: float, pause: tuple[float, float]) -> list[str]:
    """Runs of a growing folder while services die at random; the names of the dead."""
    draw = random.Random(seed)
    dead: list[str] = []
    stop = threading.Event()

    def strike() -> None:
        while not stop.wait(draw.uniform(*pause)):
            victim = draw.choice(SERVICES)
            kill(client.world, victim)
            dead.append(victim)

    striker = threading.Thread(target=strike)
    striker.start()
    committed: list[dict[str, object]] = []
    deadline = time.monotonic() + seconds
    try:
        round_number = 0
        while time.monotonic() < deadline:
            round_number += 1
            fill(client, seed * 1000 + round_number, files=150)
            result = client.run(seconds=180)
            assert result.code in {0, 1, 22}, result.errors
            if result.code == 0:
                committed.append(result.summary)
    finally:
        stop.set()
        striker.join()
    final = eventually(
        lambda: (r := client.run()).code == 0 and r, "a good run after the storm", 120
    )
    committed.append(final.summary)
    check_promises(client, committed)
    return dead


def check_promises(client: Client, committed: list[dict[str, object]]) -> None:
    back = client.folder / f"back-{len(committed)}"
    restored = eventually(lambda: (r := client.restore(back)).code == 0 and r, "a restore", 120)
    assert restored.code == 0
    assert compare_trees(client.source, back / str(client.source).lstrip("/")) == []

    def reported() -> bool:
        sent = sum("REUSSIE" in str(mail["Subject"]) for mail in client.world.mails(client.email))
        return sent >= len(committed)

    eventually(reported, f"{len(committed)} reports", 90)
    ids = [str(mail["Message-ID"]) for mail in client.world.mails(client.email)]
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

    eventually(balanced, "every committed run in the portal", 60)


def test_services_die_at_random_while_a_client_copies(make_client: Callable[..., Client]) -> None:
    client = make_client()
    assert storm(client, seed=11, seconds=25, pause=(1.0, 3.0))


@pytest.mark.long
def test_services_die_at_random_for_minutes(make_client: Callable[..., Client]) -> None:
    client = make_client()
    assert len(storm(client, seed=5, seconds=300, pause=(0.5, 4.0))) > 50


def test_an_agent_killed_in_the_middle_goes_on_where_it_was(
    make_client: Callable[..., Client],
) -> None:
    client = make_client()
    fill(client, seed=3, files=1500)
    for pause in (0.6, 0.9, 1.4):
        process = subprocess.Popen(
            client.command("run", "documents", "--json"),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(pause)
        process.kill()
        process.wait()
    assert client.run().code == 0
    back = client.folder / "back"
    assert client.restore(back).code == 0
    assert compare_trees(client.source, back / str(client.source).lstrip("/")) == []
