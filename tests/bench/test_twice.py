"""Two of each service on this machine against one: what a copy costs, and when its mail is there.

`./run test --long tests/bench/test_twice.py -s` prints it. Both installations run all the while,
and copy in turns: what else the machine does weighs on both alike, and each round of one is
compared with that of the other beside it. What processors do while nothing is asked of them is
taken off.
One machine copies after the other: several at once fill two cores, and what waits for a processor
tells nothing of how many processes there are.
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import pytest

from devstack.stack import SERVICES
from tests.world.machines import Machine
from tests.world.twice import Many, open_many
from tests.world.waiting import wait_for

AGENTS = 6
ROUNDS = 10
WARM_ROUNDS = 1
"""Connections are made, and plans are learnt."""
FILES = 50
IDLE_SECONDS = 20.0
MOST = 1.25
"""How much worse two may be: a tenth is what one measurement differs from the next by."""


@dataclass
class Side:
    """One of the two installations, and what each of its rounds took."""

    many: Many
    machines: list[Machine]
    idle: float = 0.0
    """Processor seconds a second, while nothing is asked of it."""
    seconds: list[float] = field(default_factory=list)
    """Of a run, from its begin to its mail."""
    processor: list[float] = field(default_factory=list)
    """Of all services for a run, in seconds."""

    def rest(self) -> None:
        """Measures what it does by itself."""
        wait_for("silence", lambda: unhandled(self.many) == 0, 300)
        before = processor_seconds(self.many)
        time.sleep(IDLE_SECONDS)
        self.idle = (processor_seconds(self.many) - before) / IDLE_SECONDS

    def copy(self, turn: int) -> None:
        """A run of each machine."""
        took = []
        began, before = time.perf_counter(), processor_seconds(self.many)
        for machine in self.machines:
            fill(machine, turn)
            begun = time.perf_counter()
            machine.run()
            machine.client.reports(turn + 1)
            took.append(time.perf_counter() - begun)
        wait_for("all events to be handled", lambda: unhandled(self.many) == 0, 300)
        used = processor_seconds(self.many) - before
        used -= self.idle * (time.perf_counter() - began)
        self.seconds.append(median(took))
        self.processor.append(used / len(self.machines))


def processor_seconds(many: Many) -> float:
    """What all processes of the services have used since they began."""
    running = [one for house in many.houses for one in house.processes.values()]
    times = [psutil.Process(one.pid).cpu_times() for one in running]
    return sum(one.user + one.system for one in times)


def enrolled(many: Many, folder: Path) -> Machine:
    """A machine of a client of its own."""
    (folder / "source").mkdir(parents=True)
    client = many.open_client()
    plan = {"folders": [str(folder / "source")], "recipients": [client.email]}
    return client.machine(folder / "agent", {"documents": plan})


def fill(machine: Machine, turn: int) -> None:
    """A folder that grows."""
    draw = random.Random(f"{machine.folder}-{turn}")
    for number in range(FILES):
        (machine.source / f"{turn}-{number}").write_bytes(draw.randbytes(30_000))


def unhandled(many: Many) -> int:
    """Events that wait anywhere, but the pings that services send themselves."""
    halves = ("outbox WHERE published_at IS NULL", "inbox WHERE done_at IS NULL")
    parts = [
        f"(SELECT count(*) FROM {service}.{half} AND type NOT LIKE 'service.pinged%')"
        for service in SERVICES
        for half in halves
    ]
    return int(many.query(f"SELECT {' + '.join(parts)}")[0][0])


def ratio(two: list[float], one: list[float]) -> float:
    """How much more two need: the median of pairs of rounds that were beside each other."""
    pairs = zip(two[WARM_ROUNDS:], one[WARM_ROUNDS:], strict=True)
    return round(median(more / less for more, less in pairs), 3)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_two_of_each_do_what_one_does(servers: Any, database_template: str, tmp_path: Path) -> None:
    with (
        open_many(servers, database_template, tmp_path / "1", *SERVICES, count=1) as alone,
        open_many(servers, database_template, tmp_path / "2", *SERVICES, count=2) as both,
    ):
        one, two = (
            Side(many, [enrolled(many, tmp_path / f"{count}-{at}") for at in range(AGENTS)])
            for count, many in ((1, alone), (2, both))
        )
        for side in (one, two):
            side.rest()
        for turn in range(ROUNDS):
            for side in (one, two) if turn % 2 else (two, one):
                side.copy(turn)
    told = {
        name: {
            "idle": round(side.idle, 3),
            "seconds": round(median(side.seconds[WARM_ROUNDS:]), 3),
            "processor": round(median(side.processor[WARM_ROUNDS:]), 3),
        }
        for name, side in (("one", one), ("two", two))
    }
    processor, seconds = ratio(two.processor, one.processor), ratio(two.seconds, one.seconds)
    print(json.dumps({**told, "processor_ratio": processor, "seconds_ratio": seconds}))
    assert processor < MOST
    assert seconds < MOST
