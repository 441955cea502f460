"""Whole files from scripts: any size, any name, and nothing kept of what went wrong."""

from __future__ import annotations

import hashlib
import random
import zlib
from typing import Any

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


async def test_a_scripts_nights(agent: Agent, ingest: Service) -> None:
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
