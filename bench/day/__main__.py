"""Plays the day, prints what it cost, writes docs/scale.md."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import asyncpg
import httpx2

from bench import measuring
from bench.coffre import Installation, install, until
from bench.day import costs, keys, kinds, page
from bench.day.machines import Machine, enrol_all

ROOT = Path(__file__).parents[2]
AT_ONCE = 16
IDLE_SECONDS = 30
SEED = 7
# How many runs of each kind are measured alone: enough to stand out from the noise.
ALONE = {
    kinds.UNCHANGED: 200,
    kinds.CHANGED: 60,
    kinds.MANY: 15,
    kinds.LARGE: 10,
    kinds.FAILED: 40,
}
NIGHTLY = ("collect", "prove")


def main() -> int:
    """Measures, prints, writes; 0 unless something failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.day", description=__doc__)
    default = Path(tempfile.gettempdir()) / "coffre-bench"
    parser.add_argument("--dir", type=Path, default=default, help=f"where to work ({default})")
    parser.add_argument("--runs", type=int, default=10_000, help="runs of the day")
    parser.add_argument("--minutes", type=float, default=5, help="into how many it is compressed")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--machines", type=int, default=10, help="of each client")
    parser.add_argument("--dry", action="store_true", help="leave docs/scale.md as it is")
    options = parser.parse_args()
    folder: Path = options.dir.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    shutil.rmtree(folder / "day", ignore_errors=True)
    try:
        with install(folder / "day") as installation:
            measured = _measure(installation, options)
    except measuring.ProgramFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    (folder / "day.json").write_text(json.dumps(measured, indent=1))
    text = page.render(measured)
    print(text)
    if not options.dry:
        (ROOT / "docs" / "scale.md").write_text(text)
    return 0


def _measure(installation: Installation, options: argparse.Namespace) -> dict[str, Any]:
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:4.0f} s  {text}", file=sys.stderr, flush=True)

    say(f"{options.clients} clients with {options.machines} machines each")
    machines = enrol_all(installation, options.clients, options.machines)
    url = str(installation.described["ingest"]["url"])
    play(url, [(machine, None) for machine in machines])
    costs.settle(installation)
    say("idle")
    before = costs.look(installation)
    time.sleep(IDLE_SECONDS)
    idle = costs.look(installation).since(before)
    alone: dict[str, Any] = {}
    for kind, count in {kinds.FIRST: len(machines), **ALONE}.items():
        say(f"{count} runs: {kind.text}")
        work = [(machine, kind) for machine in in_turn(machines, count)]
        used, _ = _use(installation, url, work, idle)
        alone[kind.name] = {"runs": count, **asdict(used)}
    day = kinds.plan_day(options.runs, SEED)
    say(f"a day of {len(day)} runs in {options.minutes:g} minutes")
    work = [
        (machine, due.kind) for machine, due in zip(in_turn(machines, len(day)), day, strict=True)
    ]
    moments = [due.share_of_day * options.minutes * 60 for due in day]
    used, played = _use(installation, url, work, idle, moments)
    say("the round of the night")
    night = _use_night(installation, len(machines) // options.machines)
    say("done")
    return {
        "machine": measuring.describe_machine(),
        "clients": options.clients,
        "machines": len(machines),
        "minutes": options.minutes,
        "runs": len(day),
        "kinds": {kind.name: sum(due.kind is kind for due in day) for kind in kinds.OF_A_DAY},
        "peak_share": kinds.find_peak(day),
        "idle": asdict(idle),
        "alone": alone,
        "day": {**asdict(used), **played},
        "night": asdict(night),
        "keys": asyncio.run(_describe_keys(installation.described["postgres"]["dsn"])),
        "seconds": time.monotonic() - began,
    }


def in_turn(machines: Sequence[Machine], count: int) -> list[Machine]:
    """Each machine as often as any other, in an order of its own each time."""
    chance = random.Random(SEED)
    rounds = (chance.sample(machines, len(machines)) for _ in itertools.count())
    return list(itertools.islice(itertools.chain.from_iterable(rounds), count))


def _use(
    installation: Installation,
    url: str,
    work: Sequence[tuple[Machine, kinds.Kind | None]],
    idle: costs.Used,
    moments: Sequence[float] = (),
) -> tuple[costs.Used, dict[str, float]]:
    """What some runs used, until all that they cause is done; how they went."""
    before = costs.look(installation)
    played = play(url, work, moments)
    costs.settle(installation)
    used = costs.look(installation).since(before)
    return used.without_idling(idle), {**played, "settled_seconds": used.seconds}


def play(
    url: str,
    work: Sequence[tuple[Machine, kinds.Kind | None]],
    moments: Sequence[float] = (),
) -> dict[str, float]:
    """Runs, each at its moment or as soon as there is room; no kind: the plan is declared."""
    late: list[float] = []

    async def play() -> None:
        room = asyncio.Semaphore(AT_ONCE)
        limits = httpx2.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
        began = time.monotonic()
        for machine, _ in work:
            machine.turn = asyncio.Lock()  # one that somebody waited for belongs to its loop

        async def do(place: int, machine: Machine, kind: kinds.Kind | None) -> None:
            due = moments[place] if moments else 0.0
            await asyncio.sleep(due - (time.monotonic() - began))
            async with room:
                late.append(time.monotonic() - began - due)
                await (machine.declare(http) if kind is None else machine.run(http, kind))

        async with (
            httpx2.AsyncClient(base_url=url, limits=limits, timeout=300, trust_env=False) as http,
            asyncio.TaskGroup() as group,
        ):
            for place, (machine, kind) in enumerate(work):
                group.create_task(do(place, machine, kind))

    began = time.monotonic()
    machines = {id(machine): machine for machine, _ in work}.values()
    before = sum(machine.repeated for machine in machines)
    try:
        asyncio.run(play())
    except* measuring.ProgramFailed as failed:
        raise failed.exceptions[0] from None
    return {
        "played_seconds": time.monotonic() - began,
        "latest_seconds": max(late),
        "repeated": sum(machine.repeated for machine in machines) - before,
    }


def _use_night(installation: Installation, clients: int) -> costs.Used:
    """What retention does once a day, which it does half a minute after its start."""
    before = costs.look(installation)
    before = replace(before, processor={**before.processor, "retention": 0.0})
    costs.restart(installation, "retention")
    metrics = f"{installation.described['services']['retention']['monitor_url']}/metrics"
    until(lambda: _has_passed(metrics, clients), "retention has looked at every client", 3600)
    costs.settle(installation)
    return costs.look(Installation(installation.folder)).since(before)


def _has_passed(metrics: str, clients: int) -> bool:
    try:
        with urllib.request.urlopen(metrics, timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return False
    wanted = (f'coffre_retention_passes_total{{job_name="{job}"}} {clients}.0' for job in NIGHTLY)
    return all(line in text for line in wanted)


async def _describe_keys(dsn: str) -> str:
    conn = await asyncpg.connect(dsn)
    try:
        return keys.describe(await keys.read_tables(conn))
    finally:
        await conn.close()


if __name__ == "__main__":
    sys.exit(main())
