"""The disk of PostgreSQL, or of the broker, is full: said in a sentence, and nothing is lost.

Of the store and of the agent's own disk tell tests/agent/test_full_store.py and test_memory.py, of
the passing files of ingest and portal tests/ingest/test_full_disk.py and
tests/portal/test_passing.py.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from devstack import postgresql, rabbitmq
from devstack.ports import Ports
from devstack.processes import Processes
from devstack.servers import Servers
from devstack.stack import SERVICES, Stack
from tests.servers import free_port, make_bucket
from tests.trees import compare_trees
from tests.world.house import House
from tests.world.waiting import wait_for

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]
MEGABYTE = 1 << 20


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A small disk that any user may enter, where it can be had."""
    folder.mkdir(mode=0o755)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "none", folder]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a small disk can only be mounted by root, outside most containers")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def fill(disk: Path, left: int = 0) -> Iterator[None]:
    """A disk with so many bytes left, until something else was deleted."""
    ballast = disk / "ballast"
    room = os.statvfs(disk)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - left)
    try:
        yield
    finally:
        ballast.unlink()


@pytest.fixture
def disks() -> Iterator[tuple[Path, Path]]:
    """Where PostgreSQL and the broker keep everything."""
    with tempfile.TemporaryDirectory(prefix="coffre-disks-") as name:
        Path(name).chmod(0o755)
        with (
            small_disk(Path(name) / "postgresql", "300m") as first,
            small_disk(Path(name) / "rabbitmq", "400m") as second,
        ):
            yield first, second


@pytest.fixture
def house(servers: Any, disks: tuple[Path, Path], tmp_path: Path) -> Iterator[House]:
    """The services that a copy and its report need, with servers of their own."""
    processes, free = Processes(tmp_path), Ports(tmp_path)
    shared: Servers = servers.programs
    try:
        own = replace(
            shared,
            postgresql=postgresql.start(
                processes, disks[0] / "cluster", secrets.token_hex(8), free, durable=True
            ),
            rabbitmq=rabbitmq.start(processes, disks[1] / "broker", secrets.token_hex(8), free),
        )
        listens, monitors = ({service: free_port() for service in SERVICES} for _ in range(2))
        place = Stack(tmp_path, own, listens, monitors, bucket=make_bucket(servers))
        place.prepare()
        house = House(place)
        try:
            for service in ("ingest", "portal", "reporting", "quota"):
                house.start(service)
            house.wait_ready("ingest", "portal", "reporting", "quota")
            yield house
        finally:
            house.close()
    finally:
        processes.close()
        free.close()


def checks(house: House, service: str) -> dict[str, str]:
    """What a service tells its operators."""
    answer = httpx2.get(
        f"{house.place.monitor_url(service)}/health/ready", trust_env=False, timeout=60
    )
    return dict(answer.json()["checks"])


def test_full_disks_are_named_and_lose_nothing(
    house: House, disks: tuple[Path, Path], tmp_path: Path
) -> None:
    client = house.open_client()
    (tmp_path / "source").mkdir()
    plans = {"documents": {"folders": [str(tmp_path / "source")], "recipients": [client.email]}}
    machine = client.machine(tmp_path / "machine", plans, patience="20s")
    (machine.source / "first").write_bytes(os.urandom(MEGABYTE))
    machine.run()
    client.reports(1)

    # Copies need the database alone: while the broker takes nothing, they go on.
    with fill(disks[1], 100 * MEGABYTE):
        (machine.source / "second").write_bytes(os.urandom(MEGABYTE))
        said = len(house.log("ingest").read_text())

        def is_told() -> bool:
            machine.run()
            return "relay.interrupted" in house.log("ingest").read_text()[said:]

        wait_for("the relay to say that it waits", is_told, 180)
        assert "its disk or its memory is full" in house.log("ingest").read_text()[said:]
        assert house.query("SELECT 1 FROM ingest.outbox WHERE published_at IS NULL LIMIT 1")
    wait_for("all events", house.all_delivered, 180)
    runs = house.query("SELECT count(*) FROM ingest.runs WHERE outcome = 'succeeded'")[0][0]
    client.reports(runs)

    # A database without room refuses what writes; the agent says so, and sends it again.
    with fill(disks[0]):
        for number in range(3000):
            (machine.source / f"{number}").write_bytes(os.urandom(200))
        refused = machine.agent("run", "documents", "--json")
        assert refused.returncode not in {0, 3}, refused.stdout
        wait_for(
            "ingest to say that the disk is full",
            lambda: "disk of PostgreSQL is full" in checks(house, "ingest")["database"],
            60,
        )
    wait_for("readiness", lambda: checks(house, "ingest")["database"] == "ok", 180)
    wait_for("a good run", lambda: machine.agent("run", "documents").returncode == 0, 180)
    back = tmp_path / "back"
    client.restore(machine, back)
    assert compare_trees(machine.source, back / str(machine.source).lstrip("/")) == []
