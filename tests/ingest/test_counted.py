"""What ingest counts of a run by itself, whatever the machine says."""

from __future__ import annotations

import os
from typing import Any

from libs.shared.entries import FolderDelta
from libs.shared.events import Counted, DumpCounted
from tests.world.agents import Agent, folder
from tests.world.house import House


async def counted(house: House, agent: Agent, number: int) -> Counted:
    """What was said of a run of the agent's only plan."""
    ended = await house.events(agent.tenant.tenant_id, "run.finished.v1")
    [found] = [one["counted"] for one in ended if one["number"] == number]
    return Counted.model_validate(found)


async def test_a_run_is_counted_against_the_restore_point_before(
    agent: Agent, ingest: House
) -> None:
    plan = await agent.declare(dumps=["crm"])
    texts = [f"letter {n} ".encode() * 500 for n in range(6)]
    dump = b"CREATE TABLE t;" * 400
    named = [agent.file(b"%d.txt" % n, text) for n, text in enumerate(texts)]
    top = [folder(b"docs"), folder(b"@dumps")]
    first = [
        FolderDelta(b"", top, []),
        FolderDelta(b"docs", named, []),
        FolderDelta(b"@dumps", [agent.file(b"crm.sql", dump)], []),
    ]
    dumps: dict[str, Any] = {
        "dumps": [{"name": "crm", "succeeded": True, "guaranteed": True, "size_bytes": 1}],
        "counters": {"files_total": 9_999, "files_changed": 0, "files_removed": 0},
    }

    async def run(*deltas: FolderDelta, contents: list[bytes]) -> Counted:
        run_id = await agent.start(plan)
        if contents:
            assert (await agent.upload(run_id, agent.pack(*contents))).is_success
        if deltas:
            assert (await agent.send(run_id, *deltas)).is_success
        answer = await agent.commit(run_id, batches=1 if deltas else 0, **dumps)
        assert answer.is_success, answer.text
        return await counted(ingest, agent, answer.json()["number"])

    was = await run(*first, contents=[*texts, dump])
    assert (was.files_total, was.files_new, was.files_changed, was.files_removed) == (7, 7, 0, 0)
    assert was.new_bytes == was.bytes_protected == sum(map(len, [*texts, dump]))
    assert was.packed_bytes < was.new_bytes / 10, "text can be compressed"
    assert was.dumps == (DumpCounted(name="crm.sql", size_bytes=len(dump), is_same=False),)

    was = await run(contents=[])
    assert (was.files_new, was.new_bytes, was.dumps[0].is_same) == (0, 0, True)

    touched = [
        FolderDelta(
            b"docs",
            [agent.file(b"0.txt", texts[0], mtime_ns=2), agent.file(b"new.txt", texts[1])],
            [b"1.txt"],
        ),
        FolderDelta(b"@dumps", [agent.file(b"crm.sql", dump, mtime_ns=2)], []),
    ]
    was = await run(*touched, contents=[])
    assert (was.files_new, was.files_changed, was.files_removed) == (1, 0, 1)
    assert (was.new_bytes, was.bytes_replaced, was.dumps[0].is_same) == (0, len(texts[1]), True)
    assert (was.ending, was.files_renamed) == (".txt", 0)

    noise = [os.urandom(9_000) for _ in range(5)]
    encrypted = [
        FolderDelta(
            b"docs",
            [
                agent.file(b"0.txt", noise[0]),
                agent.file(b"2.txt.locked", noise[1]),
                agent.file(b"3.locked", noise[2]),
                agent.file(b"elsewhere.locked", noise[3]),
            ],
            [b"2.txt", b"3.txt", b"4.txt"],
        ),
        FolderDelta(b"@dumps", [agent.file(b"crm.sql", noise[4])], []),
    ]
    was = await run(*encrypted, contents=noise)
    assert (was.files_total, was.files_new, was.files_changed, was.files_removed) == (7, 3, 2, 3)
    assert (was.ending, was.files_renamed) == (".locked", 2)
    assert was.packed_bytes == was.new_bytes == 45_000
    assert was.dumps == (DumpCounted(name="crm.sql", size_bytes=9_000, is_same=False),)
