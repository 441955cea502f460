"""Whatever is down: copies still arrive, and what was due happens once it is back."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.journey.world import Client, World, eventually

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(600)]


@contextmanager
def frozen(world: World, *services: str) -> Iterator[None]:
    """Services that neither work nor die, as on a machine that hangs."""
    pids = [int(world.stack["services"][name]["pid"]) for name in services]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_copies_arrive_while_everything_but_ingest_hangs(
    make_client: Callable[..., Client],
) -> None:
    client = make_client()
    (client.source / "a.txt").write_text("a")
    with frozen(client.world, "quota", "reporting", "retention", "portal"):
        assert client.run().code == 0
        assert not [m for m in client.world.mails(client.email) if "REUSSIE" in str(m["Subject"])]
    client.world.mail(client.email, "REUSSIE")

    def shown() -> bool:
        with client.sign_in() as api:
            return bool(api.get("plans/documents/runs").json()["runs"])

    eventually(shown, "the run in the portal")


def test_an_agent_waits_for_ingest_and_goes_on(make_client: Callable[..., Client]) -> None:
    client = make_client()
    (client.source / "a.txt").write_text("a" * 100_000)
    os.kill(int(client.world.stack["services"]["ingest"]["pid"]), signal.SIGKILL)
    result = client.run()
    assert result.code == 0, result.errors
