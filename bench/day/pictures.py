"""Draws docs/images/dashboards: a busy installation, as a real Prometheus saw it.

`python -m bench.day.pictures` needs `prometheus`. A day is played; beside it a client recovers its
files, another outgrows its contract, and the broker and the mail server stand still for a while.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.coffre import Client, Installation, install, until
from bench.day import costs, kinds
from bench.day.__main__ import SEED, in_turn, play
from bench.day.machines import Machine, enrol_all
from devstack.ports import Ports
from monitoring.boards import BOARDS
from monitoring.metrics import ROOT
from monitoring.panels import WINDOW
from monitoring.pictures import draw
from monitoring.watching import Prometheus, watch

# What takes days is to happen within minutes, and each client to have figures of its own.
SETTINGS = {
    "COFFRE_METRICS_PER_TENANT": "true",
    "COFFRE_COLLECT_HOURS": "0.02",
    "COFFRE_SCRUB_DAYS": "0.001",
    "COFFRE_SCRUB_RATE_BYTES": "2000000",
}
CLIENTS, MACHINES = 8, 4
SPAN = "30s"
STILL_SECONDS = 20
MEASURED_SECONDS = 40
CONTRACTED_BYTES = 100_000_000
NARROW_BYTES = 40_000_000
"""Little more than what the client has at first."""


def main() -> int:
    """Plays, watches, draws."""
    parser = argparse.ArgumentParser(prog="python -m bench.day.pictures", description=__doc__)
    default = Path(tempfile.gettempdir()) / "coffre-bench"
    parser.add_argument("--dir", type=Path, default=default, help=f"where to work ({default})")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--runs", type=int, default=600)
    options = parser.parse_args()
    folder: Path = options.dir.resolve() / "pictures"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    folder.parent.chmod(0o711)
    folder.chmod(0o711)
    os.environ.update(SETTINGS)
    with install(folder / "stack") as installation, _watched(installation, folder) as prometheus:
        machines = enrol_all(installation, CLIENTS, MACHINES, CONTRACTED_BYTES)
        url = str(installation.described["ingest"]["url"])
        play(url, [(machine, None) for machine in machines])
        play(url, [(machine, kinds.FIRST) for machine in machines])
        client = _open_client(installation, folder)
        # What they measure every few minutes they measure half a minute after their start.
        for service in ("quota", "reporting"):
            costs.restart(installation, service)
        until(prometheus.sees_all, "quota and reporting are back")
        time.sleep(MEASURED_SECONDS)
        prometheus.began = time.time()
        _live(Installation(installation.folder), client, machines, options.runs, options.minutes)
        costs.settle(installation)
        _draw(prometheus, client.tenant_id)
    return 0


@contextmanager
def _watched(installation: Installation, folder: Path) -> Iterator[Prometheus]:
    services = installation.described["services"]
    monitors = {name: service["monitor_url"] for name, service in services.items()}
    free = Ports(folder)
    with watch(monitors, f"127.0.0.1:{free.choose('prometheus')}", folder) as prometheus:
        yield prometheus
    free.close()


def _open_client(installation: Installation, folder: Path) -> Client:
    """A client with an agent and real files, which will outgrow what it contracted."""
    tree = folder / "tree"
    tree.mkdir()
    for number in range(30):
        (tree / f"{number}.bin").write_bytes(os.urandom(1_000_000))
    client = Client(installation, folder / "client", tree, contracted_bytes=NARROW_BYTES)
    client.choose_password()
    client.run()
    return client


def _live(
    installation: Installation, client: Client, machines: list[Machine], runs: int, minutes: float
) -> None:
    """The day, and beside it what people do and what breaks, until the day is over."""
    over = threading.Event()

    def repeat(seconds: float, do: Callable[[int], object]) -> threading.Thread:
        def turn() -> None:
            number = 0
            while not over.wait(seconds):
                number += 1
                do(number)

        thread = threading.Thread(target=turn)
        thread.start()
        return thread

    def grow(number: int) -> None:
        (client.folder.parent / "tree" / f"more-{number}.bin").write_bytes(os.urandom(3_000_000))
        client.run()

    still = ("mailbox", "rabbitmq")
    threads = [
        repeat(15, lambda number: client.restore(client.folder.parent / f"back-{number}")),
        repeat(40, grow),
        repeat(1, lambda _: installation.portal.ask("GET", "/tenants")),
        repeat(
            minutes * 60 / 3, lambda number: _stand_still(installation, still[number % len(still)])
        ),
    ]
    try:
        day = kinds.plan_day(runs, SEED)
        work = [
            (machine, due.kind)
            for machine, due in zip(in_turn(machines, len(day)), day, strict=True)
        ]
        url = str(installation.described["ingest"]["url"])
        play(url, work, [due.share_of_day * minutes * 60 for due in day])
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _stand_still(installation: Installation, name: str) -> None:
    """A server neither ends nor answers for a while."""
    process = installation.processes[name]
    process.send_signal(signal.SIGSTOP)
    time.sleep(STILL_SECONDS)
    process.send_signal(signal.SIGCONT)


def _draw(prometheus: Prometheus, tenant_id: str) -> None:
    def ask(expression: str) -> list[dict[str, object]]:
        filled = expression.replace(WINDOW, SPAN).replace("$tenant", tenant_id)
        return list(prometheus.course(filled))

    for board in BOARDS:
        picture = ROOT / "docs/images/dashboards" / f"{board.name}.svg"
        picture.write_text(draw(board, ask))


if __name__ == "__main__":
    sys.exit(main())
