"""How much sixteen sign-ins a second slow the first page of everybody else.

`python -m bench.signing` starts a PostgreSQL and a portal of its own and prints both times.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from ipaddress import ip_network
from itertools import count
from pathlib import Path
from typing import Any

import argon2
import httpx2

from bench.catalogue import open_database, open_server
from devstack.ports import Ports
from libs.shared import clock, database, keys
from libs.shared.certificates import Notary
from libs.shared.objects import ObjectStore
from libs.shared.runtime import http
from services.portal.__main__ import build
from services.portal.actions.clients import opening
from services.portal.actions.people.passwords import Passwords
from services.portal.actions.resources import Resources
from services.portal.rules.log.chain import COFFRE

EMAIL, PASSWORD = "jeanne@client.example", "la pluie tombe sur Nantes"
CLIENTS = 60
PAGES_A_SECOND, SIGN_INS_A_SECOND = 20, 16


def main() -> int:
    """Measures and prints; 0 unless a page failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.signing", description=__doc__)
    default = Path(tempfile.gettempdir()) / "coffre-bench"
    parser.add_argument("--dir", type=Path, default=default, help=f"where to work ({default})")
    parser.add_argument("--seconds", type=int, default=30, help="how long each way is measured")
    options = parser.parse_args()
    with open_server(options.dir.resolve() / "signing") as admin_dsn:
        measured = asyncio.run(_measure(admin_dsn, options.dir, options.seconds))
    print(json.dumps(measured, indent=2))
    return 0 if measured["failed"] == 0 else 1


async def _measure(admin_dsn: str, folder: Path, seconds: int) -> dict[str, Any]:
    dsn = (await open_database(admin_dsn, ["ingest", "portal"]))("coffre_portal")
    ports = Ports(folder)
    port = ports.choose("portal")
    serving = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(dsn, port), daemon=True
    )
    serving.start()
    try:
        return await _ask(f"http://127.0.0.1:{port}", seconds)
    finally:
        serving.terminate()
        serving.join()
        ports.close()


def _serve(dsn: str, port: int) -> None:
    asyncio.run(_serve_until_ended(dsn, port))


async def _serve_until_ended(dsn: str, port: int) -> None:
    pool = await database.create_pool(dsn, "portal", max_size=20)
    objects = ObjectStore.in_s3("http://127.0.0.1:1", "none", "none", "none")
    passwords = Passwords()
    resources = Resources(
        pool=pool,
        objects=objects,
        keys=keys.KeyRing(objects, bytes(32)),
        mail_key=bytes(32),
        portal_url=f"http://127.0.0.1:{port}",
        ingest_url="http://127.0.0.1:1",
        certificate_key=Notary(bytes(32)).public_pem.decode(),
        passwords=passwords,
    )
    await _open_clients(resources)
    await http.serve(
        build(resources, trusted_proxies=[ip_network("127.0.0.1")]),
        f"127.0.0.1:{port}",
        http.Farewell(asyncio.Event(), 0, 15),
    )


async def _open_clients(resources: Resources) -> None:
    """Clients whose administrators have the password of this bench, whose hash is a real one."""
    cheap = Passwords(hasher=argon2.PasswordHasher(1, 8, 1))
    for number in range(CLIENTS):
        terms = opening.Contract(
            name=f"Client {number}",
            locale="fr",
            timezone="Europe/Paris",
            contracted_bytes=10**12,
            seats=3,
            retention_days=30,
            administrator_name="Jeanne",
            administrator_email=f"{number}{EMAIL}",
        )
        await opening.open_tenant(resources.pool, cheap, resources.mail_key, COFFRE, terms)
    hashed = await resources.passwords.hash(PASSWORD)
    async with database.transaction(resources.pool) as conn:
        await conn.execute(
            """
            UPDATE users SET password_hash = $1, one_time = false, password_expires_at = NULL
            """,
            hashed,
        )


async def _ask(url: str, seconds: int) -> dict[str, Any]:
    limits = httpx2.Limits(max_connections=200)
    async with httpx2.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        for _ in range(600):
            try:
                await client.get("/health/live")
                break
            except httpx2.TransportError:
                await asyncio.sleep(0.1)
        form = {"email": f"0{EMAIL}", "password": PASSWORD}
        assert (await client.post("/sign-in", data=form)).status_code == 303
        pages, signs = partial(_get, client, "/"), partial(_sign_in, client, count())
        await _drive(pages, 10, 3)
        alone, first = await _drive(pages, PAGES_A_SECOND, seconds)
        (beside, second), (signed, answers) = await asyncio.gather(
            _drive(pages, PAGES_A_SECOND, seconds), _drive(signs, SIGN_INS_A_SECOND, seconds)
        )
    return {
        "at": clock.now().isoformat(),
        "home_alone_ms": _tell(alone),
        "home_beside_sign_ins_ms": _tell(beside),
        "ratio_p99": round(_percentile(beside, 0.99) / _percentile(alone, 0.99), 2),
        "sign_ins_ms": _tell(signed),
        "sign_ins": dict(answers),
        "failed": sum(n for status, n in (first + second).items() if status != 200),
    }


async def _get(client: httpx2.AsyncClient, path: str) -> int:
    return (await client.get(path)).status_code


async def _sign_in(client: httpx2.AsyncClient, numbers: Iterator[int]) -> int:
    """One of many clients, each from an address of its own."""
    # The first looks at the page meanwhile.
    person = next(numbers) % (CLIENTS - 1) + 1
    return (
        await client.post(
            "/api/v1/tokens",
            json={"email": f"{person}{EMAIL}", "password": PASSWORD},
            headers={"X-Forwarded-For": f"10.0.0.{person}"},
        )
    ).status_code


async def _drive(
    ask: Callable[[], Awaitable[int]], a_second: int, seconds: int
) -> tuple[list[float], Counter[int]]:
    """Asks at a steady rate, whatever the answers take; times in seconds, and the statuses."""
    times: list[float] = []
    statuses: Counter[int] = Counter()

    async def once() -> None:
        begun = time.perf_counter()
        statuses[await ask()] += 1
        times.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    asked = []
    for number in range(a_second * seconds):
        await asyncio.sleep(max(0.0, begun + number / a_second - time.perf_counter()))
        asked.append(asyncio.create_task(once()))
    await asyncio.gather(*asked)
    return times, statuses


def _percentile(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def _tell(times: list[float]) -> dict[str, float]:
    return {
        "p50": round(_percentile(times, 0.5) * 1000, 1),
        "p99": round(_percentile(times, 0.99) * 1000, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
