"""Two of each service on this machine against one: the same copies, and what they set off.

`./run test --long tests/bench/test_twice.py -s` prints seconds and their ratio.
"""

from __future__ import annotations

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from devstack.stack import SERVICES
from tests.world.machines import Machine
from tests.world.twice import Many, open_many
from tests.world.waiting import wait_for

AGENTS = 6
RUNS = 3
ROUNDS = 3
FILES = 150


def measure(many: Many, folder: Path) -> float:
    """Seconds from the first copy's begin to the last report, with all events handled."""
    machines = [enrolled(many, folder / str(number)) for number in range(AGENTS)]
    wait_for("silence", lambda: unhandled(many) == 0, 300)
    began = time.perf_counter()
    with ThreadPoolExecutor(AGENTS) as threads:
        list(threads.map(copy, machines))
    for machine in machines:
        machine.client.reports(RUNS)
    wait_for("all events to be handled", lambda: unhandled(many) == 0, 300)
    return time.perf_counter() - began


def enrolled(many: Many, folder: Path) -> Machine:
    """A machine of a client of its own."""
    (folder / "source").mkdir(parents=True)
    client = many.open_client()
    plan = {"folders": [str(folder / "source")], "recipients": [client.email]}
    return client.machine(folder / "agent", {"documents": plan})


def copy(machine: Machine) -> None:
    """Runs of a folder that grows, one after the other."""
    draw = random.Random(str(machine.folder))
    for turn in range(RUNS):
        for number in range(FILES):
            (machine.source / f"{turn}-{number}").write_bytes(draw.randbytes(30_000))
        machine.run()


def unhandled(many: Many) -> int:
    """Events that wait anywhere, but the pings that services send themselves."""
    halves = ("outbox WHERE published_at IS NULL", "inbox WHERE done_at IS NULL")
    parts = [
        f"(SELECT count(*) FROM {service}.{half} AND type NOT LIKE 'service.pinged%')"
        for service in SERVICES
        for half in halves
    ]
    return int(many.query(f"SELECT {' + '.join(parts)}")[0][0])


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_two_of_each_do_what_one_does(servers: Any, database_template: str, tmp_path: Path) -> None:
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(ROUNDS):
        for count in (1, 2) if turn % 2 else (2, 1):
            place = tmp_path / f"{turn}-{count}"
            with open_many(
                servers, database_template, place / "many", *SERVICES, count=count
            ) as many:
                seconds[count].append(measure(many, place / "machines"))
    print(json.dumps({"seconds": seconds, "ratio": median(seconds[1]) / median(seconds[2])}))
