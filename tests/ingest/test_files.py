"""Whole files from scripts: any size, and nothing kept of what went wrong."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from tests.world.agents import Agent, problem_of
from tests.world.house import House
from tests.world.tenants import Tenant


async def test_a_file_is_cut_and_stored_once(agent: Agent, ingest: House) -> None:
    # More than the largest chunk: where a tenant's key cuts less than that is up to chance.
    content = random.Random(1).randbytes(5_000_000)
    run = await agent.start(await agent.declare())
    answer = await agent.client.put(f"/v1/runs/{run}/files/srv/dump.sql", content=content)
    assert answer.status_code == 200, answer.text
    taken = answer.json()
    assert taken["size"] == len(content)
    assert taken["sha256"] == hashlib.sha256(content).hexdigest()
    assert taken["crc32"] == f"{zlib.crc32(content):08x}"
    assert taken["chunks"] > 1
    assert len(content) < taken["stored_bytes"] < len(content) + 2_000
    again = await agent.client.put(f"/v1/runs/{run}/files/srv/dump2.sql", content=content)
    assert again.json() == {**taken, "stored_bytes": 0}


async def test_a_scripts_nights(agent: Agent, ingest: House) -> None:
    plan = await agent.declare()

    async def night(files: dict[str, bytes], **commit: object) -> Any:
        run = await agent.start(plan)
        for path, content in files.items():
            answer = await agent.client.put(
                f"/v1/runs/{run}/files/{path}",
                content=content,
                headers={"X-Coffre-Mtime": "1750000000.5", "X-Coffre-Mode": "600"},
            )
            assert answer.status_code == 200, answer.text
        answer = await agent.client.post(f"/v1/runs/{run}/commit", json=commit)
        again = await agent.client.post(f"/v1/runs/{run}/commit", json=commit)
        assert again.json() == answer.json()
        assert answer.status_code == 200, answer.text
        (*_, finished) = await ingest.events(agent.tenant.tenant_id, "run.finished.v1")
        return {
            name.removeprefix("files_"): finished[name]
            for name in (
                "files_total",
                "files_new",
                "files_changed",
                "files_removed",
                "bytes_protected",
                "bytes_sent",
            )
        }

    assert await night({"srv/a": b"a", "srv/b": b"bb", "etc/x/y/z": b""}) == {
        "total": 3,
        "new": 3,
        "changed": 0,
        "removed": 0,
        "bytes_protected": 3,
        "bytes_sent": 3,
    }
    # Added to what was there.
    assert await night({"srv/b": b"bbb", "srv/c": b"c"}) == {
        "total": 4,
        "new": 1,
        "changed": 1,
        "removed": 0,
        "bytes_protected": 5,
        "bytes_sent": 4,
    }
    # In the place of all that was there: a file becomes a folder, and what is not named is gone.
    assert await night({"srv/a/1": b"one", "srv/b": b"bbb", "srv/c": b"C"}, full=True) == {
        "total": 3,
        "new": 1,
        "changed": 1,
        "removed": 2,
        "bytes_protected": 7,
        "bytes_sent": 7,
    }
    rows = await ingest.fetch(
        "SELECT v.name, v.first_run, v.last_run, v.kind::text, v.mode, v.mtime_ns"
        " FROM catalogue.versions v WHERE tenant_id = $1 ORDER BY name, first_run",
        agent.tenant.tenant_id,
    )
    when = 1_750_000_000_500_000_000
    assert [tuple(row)[:5] for row in rows] == [
        (b"1", 3, None, "f", 0o600),
        (b"a", 1, 2, "f", 0o600),
        (b"a", 3, None, "d", 0o755),
        (b"b", 1, 1, "f", 0o600),
        (b"b", 2, None, "f", 0o600),
        (b"c", 2, 2, "f", 0o600),
        (b"c", 3, None, "f", 0o600),
        (b"etc", 1, 2, "d", 0o755),
        (b"srv", 1, None, "d", 0o755),
        (b"x", 1, 2, "d", 0o755),
        (b"y", 1, 2, "d", 0o755),
        (b"z", 1, 2, "f", 0o600),
    ]
    assert {row["mtime_ns"] for row in rows if row["kind"] == "f"} == {when}
    assert (
        await ingest.fetch(
            "SELECT count(*) AS n FROM ingest.run_files JOIN ingest.runs r USING (run_id)"
            " WHERE r.tenant_id = $1",
            agent.tenant.tenant_id,
        )
    )[0]["n"] == 0


async def test_a_cut_body_keeps_nothing_and_a_second_put_replaces(
    agent: Agent, ingest: House
) -> None:
    run = await agent.start(await agent.declare())
    content = random.Random(2).randbytes(2_000_000)
    url = urlsplit(ingest.url("ingest"))
    for head, length in ((b"Content-Length: 2000000", 1_900_000), (b"", 1_900_000)):
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        writer.write(
            b"PUT /v1/runs/%s/files/dump HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
            b"%s\r\n\r\n"
            % (run.encode(), agent.token.encode(), head or b"Transfer-Encoding: chunked")
        )
        part = content[:length]
        writer.write(part if head else b"%x\r\n%s\r\n" % (length, part))
        await writer.drain()
        await asyncio.sleep(0.3)
        writer.transport.abort()
        del reader
    await asyncio.sleep(0.3)
    answer = await agent.client.post(f"/v1/runs/{run}/commit", json={})
    assert problem_of(answer) == (422, "invalid-request")
    for body in (b"first", content):
        answer = await agent.client.put(f"/v1/runs/{run}/files/dump", content=body)
        assert answer.status_code == 200, answer.text
    answer = await agent.client.post(f"/v1/runs/{run}/commit", json={})
    assert answer.json()["protected_bytes"] == len(content)


async def test_files_and_folders_of_a_run_do_not_mix(agent: Agent, stranger: Agent) -> None:
    run = await agent.start(await agent.declare())

    async def put(path: str, by: Agent = agent) -> httpx2.Response:
        return await by.client.put(f"/v1/runs/{run}/files/{path}", content=b"x")

    assert (await put("a/b/c")).status_code == 200
    assert problem_of(await put("a/b")) == (422, "entry-invalid")
    assert problem_of(await put("a/b/c/d")) == (422, "entry-invalid")
    assert problem_of(await put("x", stranger)) == (404, "not-found")
    answer = await agent.commit(run, 1)
    assert problem_of(answer) == (422, "invalid-request")
    for method in ("GET", "POST", "DELETE"):
        answer = await agent.client.request(method, f"/v1/runs/{run}/files/a")
        assert problem_of(answer) == (405, "method-not-allowed")
    assert (await agent.client.post(f"/v1/runs/{run}/commit", json={})).status_code == 200
    assert problem_of(await put("late")) == (409, "run-closed")


async def test_contents_that_went_away_are_named(agent: Agent, ingest: House) -> None:
    run = await agent.start(await agent.declare())
    for name, content in (("kept", b"kept"), ("lo%20st", b"lost"), ("empty", b"")):
        answer = await agent.client.put(f"/v1/runs/{run}/files/{name}", content=content)
        assert answer.status_code == 200
    await ingest.fetch("DELETE FROM catalogue.chunks WHERE chunk_id = $1", agent.id_of(b"lost"))
    answer = await agent.client.post(f"/v1/runs/{run}/commit", json={})
    assert problem_of(answer) == (409, "files-missing")
    assert answer.json()["files"] == ["lo%20st"]
    answer = await agent.client.put(f"/v1/runs/{run}/files/lo%20st", content=b"lost")
    assert answer.status_code == 200
    answer = await agent.client.post(f"/v1/runs/{run}/commit", json={})
    assert answer.json()["protected_bytes"] == 8


async def test_growth_is_blocked_in_the_middle_of_a_file(agent: Agent, tenant: Tenant) -> None:
    plan = await agent.declare()
    run = await agent.start(plan)
    content = random.Random(3).randbytes(400_000)
    kept = await agent.client.put(f"/v1/runs/{run}/files/kept", content=content)
    assert kept.status_code == 200
    await tenant.may_store(10**10, blocked=True)

    async def endless() -> AsyncIterator[bytes]:
        for number in range(60):
            yield random.Random(number).randbytes(1_000_000)

    answer = await agent.client.put(f"/v1/runs/{run}/files/more", content=endless())
    assert problem_of(answer) == (507, "growth-blocked")
    again = await agent.client.put(f"/v1/runs/{run}/files/again", content=content)
    assert again.json()["stored_bytes"] == 0
    answer = await agent.client.post(f"/v1/runs/{run}/commit", json={})
    assert answer.json()["protected_bytes"] == 2 * len(content)


async def test_a_large_file_from_a_pipe_takes_little_memory(agent: Agent, ingest: House) -> None:
    """Two at once, 200 MB together, of unknown length."""
    plan = await agent.declare()
    run = await agent.start(plan)
    process = Path(f"/proc/{ingest.processes['ingest'].pid}")
    status = process / "status"

    def read_kilobytes(what: str) -> int:
        (found,) = re.findall(rf"{what}:\s+(\d+) kB", status.read_text())
        return int(found)

    async def generate(which: int, pieces: int) -> AsyncIterator[bytes]:
        dice = random.Random(which)
        digests[which] = hashlib.sha256()
        for _ in range(pieces):
            piece = dice.randbytes(1_000_000) + bytes(2_000_000) + b"half" * 250_000
            digests[which].update(piece)
            yield piece

    async def put_both(pieces: int) -> list[httpx2.Response]:
        url = f"/v1/runs/{run}/files/dumps"
        return await asyncio.gather(
            *(agent.client.put(f"{url}/{n}", content=generate(n, pieces)) for n in range(2))
        )

    digests = [hashlib.sha256()] * 2
    await put_both(1)  # what is loaded once is there, whatever other tests asked for before
    before = read_kilobytes("VmRSS")
    (process / "clear_refs").write_text("5")  # the peak starts from here
    answers = await put_both(25)
    for answer, digest in zip(answers, digests, strict=True):
        assert answer.json()["sha256"] == digest.hexdigest()
        assert answer.json()["size"] == 100_000_000
    assert read_kilobytes("VmHWM") - before < 110_000
    answer = await agent.client.post(f"/v1/runs/{run}/commit", json={"full": True})
    assert answer.json()["protected_bytes"] == 200_000_000


async def test_no_acknowledged_file_is_lost_to_a_commit(agent: Agent, ingest: House) -> None:
    plan = await agent.declare()
    conflicts = 0
    for _ in range(4):
        run = await agent.start(plan)

        async def put(name: str, run: str = run) -> tuple[str, int]:
            url = f"/v1/runs/{run}/files/{name}"
            return name, (await agent.client.put(url, content=name.encode())).status_code

        await put("first")
        puts = [asyncio.create_task(put(f"n{number}")) for number in range(12)]
        while True:
            answer = await agent.client.post(f"/v1/runs/{run}/commit", json={"full": True})
            if answer.status_code == 200:
                break
            assert problem_of(answer) == (409, "conflict")
            conflicts += 1
        answers = [await task for task in puts]
        assert {status for _, status in answers} <= {200, 409}
        kept = {"first", *(name for name, status in answers if status == 200)}
        rows = await ingest.fetch(
            "SELECT convert_from(name, 'UTF8') AS name FROM catalogue.versions"
            " WHERE tenant_id = $1 AND last_run IS NULL",
            agent.tenant.tenant_id,
        )
        assert {row["name"] for row in rows} == kept
    assert conflicts or kept != {"first"}, "the commit was never in the way of a file"
