"""A new version takes the place of the one before, and nobody who copies or recovers notices."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from devstack.stack import is_ready
from tests.deploy.kustomize import environment, overlay
from tests.trees import compare_trees
from tests.world.clients import Client
from tests.world.house import House
from tests.world.machines import Machine
from tests.world.proxy import Proxy
from tests.world.twice import open_many
from tests.world.waiting import wait_for

pytestmark = pytest.mark.timeout(900)
ENDING = ("COFFRE_HANDOVER_SECONDS", "COFFRE_DRAIN_SECONDS")
MEGABYTE = 1 << 20


def replaced(house: House, service: str, while_it_ends: Callable[[], object]) -> None:
    """Ends a process as a roll-out does, and starts the one of the new version in its place."""
    old = house.processes.pop(service)
    old.terminate()
    wait_for(f"{service}'s listener to close", lambda: not listens(house.place.url(service)))
    while_it_ends()
    assert old.wait(60) == 0, house.log(service).read_text()[-4000:]
    house.start(service)
    wait_for(f"{service}'s readiness", lambda: is_ready(house.place.url(service)), 180)


def listens(url: str) -> bool:
    try:
        httpx2.get(f"{url}/health/live", trust_env=False)
    except httpx2.ConnectError:
        return False
    except httpx2.TransportError:
        return True
    return True


class Download:
    """A download through the proxy that stands still until it is told to go on."""

    def __init__(self, client: Client, path: str) -> None:
        self.api = client.sign_in()
        request = self.api.build_request("GET", "plans/documents/file", params={"path": path})
        self.answer = self.api.send(request, stream=True)
        assert self.answer.status_code == 200, self.answer.read()
        self.pieces = self.answer.iter_raw(64 * 1024)
        self.begun = next(self.pieces)

    def rest(self) -> bytes:
        """All of it; raises where it was broken off."""
        whole = self.begun + b"".join(self.pieces)
        self.api.close()
        return whole


def ask_on_and_on(proxy: Proxy, stop: threading.Event) -> list[int]:
    """What somebody is answered who asks again and again, over connections that are kept."""
    answers = []
    with httpx2.Client(trust_env=False, timeout=60) as web:
        while not stop.wait(0.02):
            answers.append(web.get(f"{proxy.portal}/sign-in").status_code)
            # Refused before its body was read.
            answers.append(web.post(f"{proxy.ingest}/v1/enrolments", json={}).status_code)
    return answers


def copy_on_and_on(machine: Machine, stop: threading.Event) -> int:
    """Runs of a folder that grows, one after the other; how many."""
    count = 0
    while not stop.is_set():
        count += 1
        draw = random.Random(count)
        for number in range(60):
            (machine.source / f"{count}-{number}").write_bytes(draw.randbytes(150_000))
        machine.run()
    return count


@pytest.mark.long
def test_two_of_each_are_replaced_while_agents_copy_and_a_download_runs(
    servers: Any, database_template: str, tmp_path: Path
) -> None:
    told = environment(overlay("production"), "portal")
    ending = {name: told[name] for name in ENDING}
    with open_many(servers, database_template, tmp_path, "portal", "ingest", **ending) as many:
        proxy, client = many.proxy, many.open_client()
        (tmp_path / "source").mkdir()
        plans = {"documents": {"folders": [str(tmp_path / "source")]}}
        machine = client.machine(tmp_path / "agent", plans, bandwidth={"limit": "3 MB/s"})
        large = random.Random(1).randbytes(48 * MEGABYTE)
        (machine.source / "large").write_bytes(large)
        machine.run()
        stop = threading.Event()
        with ThreadPoolExecutor(2) as threads:
            asking = threads.submit(ask_on_and_on, proxy, stop)
            copying = threads.submit(copy_on_and_on, machine, stop)
            try:
                for house in many.houses:
                    # By turns: one of them is with each of the two.
                    path = f"{machine.source}/large".lstrip("/")
                    downloads = [Download(client, path) for _ in range(2)]
                    replaced(
                        house,
                        "portal",
                        lambda: [check(one.rest() == large) for one in downloads],  # noqa: B023 - called within the turn
                    )
                    replaced(house, "ingest", lambda: None)
            finally:
                stop.set()
            assert copying.result() >= 1
            answers = asking.result()
        assert len(answers) > 100
        assert set(answers) == {200, 422}, answers
        failed = [one for one in proxy.answered() if one["status"] >= 500 or not one["status"]]
        assert failed == []
        client.restore(machine, tmp_path / "back")
        back = tmp_path / "back" / str(machine.source).lstrip("/")
        assert compare_trees(machine.source, back) == []


def check(is_so: bool) -> None:
    assert is_so
