"""Whole files from scripts: any size, any name, and nothing kept of what went wrong."""

from __future__ import annotations

import hashlib
import random
import zlib

from tests.ingest.machines import Agent, Service


async def test_a_file_is_cut_and_stored_once(agent: Agent, ingest: Service) -> None:
    content = random.Random(1).randbytes(3_000_000)
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
