"""Whatever is down: copies still arrive, and what was due happens once it is back."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.world.machines import Machine
from tests.world.running import Installation
from tests.world.waiting import wait_for

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(600)]


@contextmanager
def frozen(installation: Installation, *services: str) -> Iterator[None]:
    """Services that neither work nor die, as on a machine that hangs."""
    pids = [installation.pid(name) for name in services]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_copies_arrive_while_everything_but_ingest_hangs(
    make_machine: Callable[..., Machine],
) -> None:
    machine = make_machine()
    (machine.source / "a.txt").write_text("a")
    with frozen(machine.client.house, "quota", "reporting", "retention", "portal"):
        machine.run()
        assert not [
            m
            for m in machine.client.house.mails(machine.client.email)
            if "REUSSIE" in str(m["Subject"])
        ]
    machine.client.house.mail(machine.client.email, "REUSSIE")

    def shown() -> bool:
        with machine.client.sign_in() as api:
            return bool(api.get("plans/documents/runs").json()["runs"])

    wait_for("the run in the portal", shown)


def test_an_agent_waits_for_ingest_and_goes_on(make_machine: Callable[..., Machine]) -> None:
    machine = make_machine()
    (machine.source / "a.txt").write_text("a" * 100_000)
    os.kill(machine.client.house.pid("ingest"), signal.SIGKILL)
    machine.run()
