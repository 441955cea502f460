"""What a script says of a file: any name survives, and what is hostile or wrong is refused."""

from __future__ import annotations

import asyncio
import hashlib
from urllib.parse import urlsplit

import pytest

from tests.world.agents import Agent, problem_of
from tests.world.house import House


@pytest.mark.parametrize(
    "path",
    [
        b"",
        b"/",
        b"/etc/passwd",
        b"a//b",
        b"a/",
        b".",
        b"a/./b",
        b"..",
        b"../../other/files/x",
        b"a/%2e%2e/b",
        b"a%2F..%2Fb",
        b"a/b%00c",
        b"n" * 256,
        b"/".join([b"d" * 200] * 25),
        b"%64" * 5_000,
    ],
)
async def test_hostile_paths(agent: Agent, ingest: House, path: bytes) -> None:
    run = await agent.start(await agent.declare())
    answer = await raw_put(ingest, agent, run, path, b"content")
    assert b"entry-invalid" in answer, answer
    assert answer.startswith(b"HTTP/1.1 422 ")
    assert b"content-type: application/problem+json" in answer.lower()


async def raw_put(ingest: House, agent: Agent, run: str, path: bytes, body: bytes) -> bytes:
    """What is answered to an address that a client library would tidy."""
    url = urlsplit(ingest.url("ingest"))
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(
        b"PUT /v1/runs/%s/files/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s"
        % (run.encode(), path, agent.token.encode(), len(body), body)
    )
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return answer


async def test_any_name_survives(agent: Agent, ingest: House) -> None:
    """Names that are no text, that differ by case or by normalisation alone, with encoded parts."""
    names = {
        b"%C3%A9t%C3%A9": "été".encode(),
        b"e%CC%81te%CC%81": "e\u0301te\u0301".encode(),
        b"%FF%FE": b"\xff\xfe",
        b"Letter": b"Letter",
        b"letter": b"letter",
        b"a%0Ab": b"a\nb",
        b"end%0A": b"end\n",
        b"100%25+%3Fx%23": b"100%+?x#",
        b"sub%2Fdeep": b"deep",
        b"files": b"files",
        b"n" * 255: b"n" * 255,
    }
    plan = await agent.declare()
    run = await agent.start(plan)
    for number, path in enumerate(names):
        answer = await raw_put(ingest, agent, run, b"top/" + path, b"%d" % number)
        assert answer.startswith(b"HTTP/1.1 200 "), answer
    committed = await agent.client.post(f"/v1/runs/{run}/commit", json={})
    assert committed.status_code == 200, committed.text
    rows = await ingest.fetch(
        "SELECT name FROM catalogue.versions WHERE tenant_id = $1 AND kind = 'f'",
        agent.tenant.tenant_id,
    )
    assert {row["name"] for row in rows} == set(names.values())


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("X-Coffre-Mode", "rw-r--r--", "invalid-request"),
        ("X-Coffre-Mode", "99999", "invalid-request"),
        ("X-Coffre-Mode", "77777", "entry-invalid"),
        ("X-Coffre-Mtime", "yesterday", "invalid-request"),
        ("X-Coffre-Mtime", "2026-03-01T02:00:00", "invalid-request"),
        ("X-Coffre-Mtime", "NaN", "invalid-request"),
        ("X-Coffre-Mtime", "99999999999", "entry-invalid"),
        ("X-Content-SHA256", "abc", "invalid-request"),
        ("X-Content-SHA256", "0" * 64, "content-mismatch"),
    ],
)
async def test_what_is_said_wrongly_is_refused(
    agent: Agent, ingest: House, header: str, value: str, code: str
) -> None:
    run = await agent.start(await agent.declare())
    answer = await agent.client.put(
        f"/v1/runs/{run}/files/a", content=b"content", headers={header: value}
    )
    assert problem_of(answer) == (422, code)
    good = await agent.client.put(
        f"/v1/runs/{run}/files/b",
        content=b"content",
        headers={
            "X-Coffre-Mtime": "2026-03-01T02:00:00+01:00",
            "X-Content-SHA256": hashlib.sha256(b"content").hexdigest().upper(),
        },
    )
    assert good.status_code == 200, good.text
    assert (await agent.client.post(f"/v1/runs/{run}/commit", json={})).status_code == 200
    rows = await ingest.fetch(
        "SELECT name, mtime_ns FROM catalogue.versions WHERE tenant_id = $1",
        agent.tenant.tenant_id,
    )
    assert [tuple(row) for row in rows] == [(b"b", 1_772_326_800 * 10**9)]
