"""Runs from start to end: idempotent, one at a time, and nothing partial."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

import pytest

from libs.shared import clock
from libs.shared.entries import FolderDelta
from tests.world.agents import Agent, codes_of, folder, problem_of
from tests.world.house import House
from tests.world.tenants import Tenant


async def test_declaring_a_plan(agent: Agent, ingest: House) -> None:
    plan = await agent.declare()
    assert await agent.declare() == plan
    assert await agent.declare(schedule="0 4 * * *") == plan
    assert await agent.declare("other") != plan
    events = await ingest.events(agent.tenant.tenant_id, "plan.declared.v1")
    assert [(e["name"], e["version"], e["schedule"]) for e in events] == [
        ("docs", 1, "30 1 * * *"),
        ("docs", 2, "0 4 * * *"),
        ("other", 1, "30 1 * * *"),
    ]
    assert events[0]["hostname"] == "caisse"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("schedule", "61 * * * *"),
        ("schedule", ""),
        ("schedule", None),
        ("timezone", "Mars/Olympus"),
        ("timezone", "../../etc/passwd"),
        ("timezone", ""),
        ("folders", "x"),
        ("recipients", ["no address"]),
        ("recipients", ["a@b\r\nBcc: c@d"]),
        ("recipients", [f"p{i}@b.fr" for i in range(101)]),
        ("dumps", [5]),
        ("reports", "perhaps"),
    ],
)
async def test_a_declaration_that_makes_no_sense(agent: Agent, member: str, value: object) -> None:
    declaration = {"folders": ["/x"], "schedule": "0 1 * * *", "timezone": "UTC", member: value}
    answer = await agent.client.put("/v1/plans/x", json=declaration)
    assert problem_of(answer) == (422, "invalid-request")
    assert member in answer.json()["errors"][0]["where"]


async def test_the_same_key_starts_one_run(agent: Agent, ingest: House) -> None:
    plan = await agent.declare()
    key = str(uuid.uuid4())
    answers = await asyncio.gather(*(agent.ask_start(plan, run_key=key) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    started = await ingest.events(agent.tenant.tenant_id, "run.started.v1")
    assert len(started) == 1


async def test_a_key_of_another_plan_starts_nothing(agent: Agent) -> None:
    first, second = await agent.declare(), await agent.declare("other")
    key = str(uuid.uuid4())
    assert (await agent.ask_start(first, run_key=key)).status_code == 201
    assert problem_of(await agent.ask_start(second, run_key=key)) == (409, "conflict")
    assert (await agent.ask_start(first, run_key=key)).status_code == 201


async def test_the_newer_run_wins(agent: Agent, ingest: House) -> None:
    plan = await agent.declare()
    first = await agent.start(plan)
    second = await agent.start(plan)
    answer = await agent.commit(first, 0)
    assert problem_of(answer) == (409, "run-closed")
    assert "the same token is used on two" in answer.json()["detail"]
    assert problem_of(await agent.upload(first, agent.pack(b"x"))) == (409, "run-closed")
    assert (await agent.commit(second, 0)).json()["number"] == 2
    finished = await ingest.events(agent.tenant.tenant_id, "run.finished.v1")
    assert [(e["number"], e["outcome"]) for e in finished] == [(1, "failed"), (2, "succeeded")]
    assert codes_of(finished) == ["overtaken", None]
    assert answer.json()["reason"] == finished[0]["reason"]


async def test_commits_at_once_are_one(agent: Agent, ingest: House) -> None:
    plan = await agent.declare()
    run = await agent.start(plan)
    await agent.upload(run, agent.pack(b"x"))
    await agent.send(run, FolderDelta(b"", [agent.file(b"x", b"x")], []))
    answers = await asyncio.gather(*(agent.commit(run) for _ in range(25)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["protected_bytes"] == 1
    assert len(await ingest.events(agent.tenant.tenant_id, "run.finished.v1")) == 1


async def test_abort_and_commit_exclude_each_other(agent: Agent) -> None:
    plan = await agent.declare()
    run = await agent.start(plan)
    assert (await agent.commit(run, 0)).status_code == 200
    assert problem_of(await agent.abort(run)) == (409, "run-closed")
    run = await agent.start(plan)
    answer = await agent.abort(run, reason={"code": "folder-missing", "subject": "/srv/docs"})
    assert answer.json()["outcome"] == "failed"
    assert answer.json()["reason"]["subject"] == "/srv/docs"
    assert (await agent.abort(run)).json() == answer.json()
    assert problem_of(await agent.commit(run, 0)) == (409, "run-closed")
    assert problem_of(await agent.send(run)) == (409, "run-closed")


async def test_a_run_that_failed_in_part_keeps_what_it_copied(agent: Agent, ingest: House) -> None:
    plan = await agent.declare(dumps=["accounts"])
    dump = {"name": "accounts", "succeeded": True, "guaranteed": True, "size_bytes": 5}
    again = {"code": "missed-again", "amount": 2, "limit": 3}
    for name, ending, code in (
        (b"a", {"outcome_hint": "failed", "dumps": [dump]}, "incomplete"),
        (b"b", {"outcome_hint": "failed", "dumps": [dump], "reason": again}, "missed-again"),
        (b"c", {}, "dump-missing"),
        (b"d", {"dumps": [{**dump, "succeeded": False}], "reason": again}, "dump-failed"),
    ):
        run = await agent.start(plan)
        await agent.send(run, FolderDelta(b"", [folder(name)], []))
        answer = await agent.commit(run, **ending)
        assert answer.json()["outcome"] == "failed", ending
        assert answer.json()["reason"]["code"] == code
        assert answer.json()["restore_point"]
        assert (await agent.commit(run, **ending)).json() == answer.json()
    run = await agent.start(plan)
    answer = await agent.commit(run, 0, dumps=[dump])
    assert (answer.json()["outcome"], answer.json()["reason"]) == ("succeeded", None)
    rows = await ingest.fetch(
        "SELECT (SELECT count(*) FROM catalogue.versions WHERE tenant_id = $1) AS versions,"
        " (SELECT array_agg(number ORDER BY number) FROM catalogue.runs WHERE tenant_id = $1)"
        " AS runs",
        agent.tenant.tenant_id,
    )
    assert dict(rows[0]) == {"versions": 4, "runs": [1, 2, 3, 4, 5]}
    finished = await ingest.events(agent.tenant.tenant_id, "run.finished.v1")
    assert codes_of(finished) == ["incomplete", "missed-again", "dump-missing", "dump-failed", None]
    assert finished[1]["reason"] == {**again, "subject": "", "detail": ""}
    assert (finished[2]["reason"]["subject"], finished[2]["reason"]["amount"]) == ("accounts", 1)
    assert all(event["restore_point"] for event in finished)


async def test_warnings_and_what_the_summary_says(agent: Agent, ingest: House) -> None:
    plan = await agent.declare()
    run = await agent.start(plan)
    locked = {"code": "unreadable", "subject": "\0" * 5_000, "detail": "locked\0" + "x" * 9_000}
    not_copied = [{"path": f"/srv/{i}\0", "reason": {"code": "unreadable"}} for i in range(1_500)]
    not_copied[0]["reason"] = locked
    answer = await agent.commit(run, 0, not_copied=not_copied, log_tail="é" * 50_000 + "\0the end")
    assert answer.json()["outcome"] == "succeeded_with_warnings"
    (finished,) = await ingest.events(agent.tenant.tenant_id, "run.finished.v1")
    assert finished["files_not_copied"] == 1_500
    assert len(finished["not_copied"]) == 1_000
    first = finished["not_copied"][0]
    assert "\0" not in first["path"] + first["reason"]["subject"] + first["reason"]["detail"]
    assert (len(first["reason"]["subject"]), len(first["reason"]["detail"])) == (4_096, 500)
    assert finished["log_tail"].endswith("the end")
    assert len(finished["log_tail"].encode()) <= 65_536
    assert finished["hostname"] == "caisse"
    assert finished["restore_point"]


async def test_what_an_agent_warns_of_goes_with_the_run_s_end(agent: Agent, ingest: House) -> None:
    """Good end or bad, known codes or those of a newer agent: all is told, within limits."""
    plan = await agent.declare()
    clock = {"code": "clock-behind", "amount": 315_576_000}
    told = {**clock, "subject": "", "limit": None, "detail": ""}
    newer = {"code": "of-a-newer-agent", "detail": "x\0" + "d" * 1_000_000, "since": "tomorrow"}
    run = await agent.start(plan)
    answer = await agent.commit(run, 0, warnings=[clock, newer, *[clock] * 1_000])
    assert answer.json()["outcome"] == "succeeded_with_warnings", answer.text
    run = await agent.start(plan)
    assert (await agent.abort(run, reason=newer, warnings=[clock])).status_code == 200
    run = await agent.start(plan)
    for nonsense in ({}, {"code": "No Word"}, {"code": "a", "amount": 10**40}, "a sentence"):
        for member in ({"warnings": [nonsense]}, {"reason": nonsense}):
            answer = await agent.commit(run, 0, **member)
            assert problem_of(answer) == (422, "invalid-request")
    assert (await agent.commit(run, 0)).json()["outcome"] == "succeeded"
    good, bad, plain = await ingest.events(agent.tenant.tenant_id, "run.finished.v1")
    assert len(good["warnings"]) == 20
    assert good["warnings"][0] == told
    assert good["warnings"][1]["code"] == "of-a-newer-agent"
    assert good["warnings"][1]["detail"] == "x\ufffd" + "d" * 498
    assert bad["warnings"] == [told]
    assert bad["reason"]["code"] == "of-a-newer-agent"
    assert bad["reason"]["detail"] == "x\ufffd" + "d" * 1998
    assert plain["warnings"] == []


async def test_a_clock_that_is_wrong_by_years_changes_no_date_of_ours(
    agent: Agent, ingest: House
) -> None:
    plan = await agent.declare()
    for number, (mtime_ns, claimed) in enumerate(
        [(-(2**62), "0001-01-01T00:00:00Z"), (2**62, "9999-12-31T23:59:59Z")]
    ):
        run = await agent.start(plan)
        await agent.upload(run, agent.pack(b"x"))
        entry = agent.file(b"f%d" % number, b"x", mtime_ns=mtime_ns)
        assert (await agent.send(run, FolderDelta(b"", [entry], []))).status_code == 204
        answer = await agent.commit(run, started_at=claimed)
        assert answer.status_code == 200, answer.text
    for finished in await ingest.events(agent.tenant.tenant_id, "run.finished.v1"):
        for moment in (finished["started_at"], finished["finished_at"]):
            assert abs(clock.now() - datetime.fromisoformat(moment)) < timedelta(minutes=5)
    rows = await ingest.fetch(
        "SELECT v.mtime_ns, r.committed_at, v.received_at FROM catalogue.versions v"
        " JOIN catalogue.runs r ON r.plan_id = v.plan_id AND r.number = v.first_run"
        " WHERE v.tenant_id = $1 ORDER BY v.mtime_ns",
        agent.tenant.tenant_id,
    )
    assert [row["mtime_ns"] for row in rows] == [-(2**62), 2**62]
    for row in rows:
        assert abs(clock.now() - row["committed_at"]) < timedelta(minutes=5)
        assert abs(clock.now() - row["received_at"]) < timedelta(minutes=5)


async def test_an_unchanged_run_costs_a_handful_of_rows(agent: Agent, ingest: House) -> None:
    plan = await agent.declare()
    files = [agent.file(b"%d" % i, b"x") for i in range(1000)]
    await agent.copy(plan, FolderDelta(b"", files, []), contents=[b"x"])
    count = (
        "SELECT (SELECT count(*) FROM catalogue.versions) AS versions,"
        " (SELECT count(*) FROM catalogue.chunks) AS chunks,"
        " (SELECT count(*) FROM catalogue.runs) AS runs,"
        " (SELECT count(*) FROM ingest.outbox WHERE tenant_id <> '"
        + str(uuid.UUID(int=0))
        + "') AS events"
    )
    before = dict((await ingest.fetch(count))[0])
    await agent.copy(plan, contents=[])
    after = dict((await ingest.fetch(count))[0])
    assert {name: after[name] - before[name] for name in after} == {
        "versions": 0,
        "chunks": 0,
        "runs": 1,
        "events": 2,
    }


async def test_commits_need_their_chunks_and_bring_condemned_packs_back(
    agent: Agent, ingest: House
) -> None:
    plan = await agent.declare()
    tenant_id = agent.tenant.tenant_id
    run = await agent.start(plan)
    await agent.upload(run, agent.pack(b"one"))
    await agent.upload(run, agent.pack(b"two"))
    entries = [agent.file(b"1", b"one"), agent.file(b"2", b"two")]
    await agent.send(run, FolderDelta(b"", entries, []))
    # What retention does: the first pack is condemned, the second is gone.
    await ingest.fetch(
        "WITH p AS (UPDATE catalogue.packs SET state = 'condemned', condemned_at = '2026-01-01'"
        " WHERE tenant_id = $1 RETURNING object_bytes) UPDATE catalogue.volumes"
        " SET stored_bytes = 0, sequence = sequence + 1 WHERE tenant_id = $1",
        tenant_id,
    )
    assert await agent.missing(run, b"one", b"two") == [True, True]
    gone = "(SELECT pack_no FROM catalogue.chunks WHERE chunk_id = $1)"
    await ingest.fetch(f"DELETE FROM catalogue.packs WHERE pack_no = {gone}", agent.id_of(b"two"))
    await ingest.fetch("DELETE FROM catalogue.chunks WHERE chunk_id = $1", agent.id_of(b"two"))
    answer = await agent.commit(run)
    assert problem_of(answer) == (409, "chunks-missing")
    assert answer.json()["chunks"] == [agent.id_of(b"two").hex()]
    assert (await agent.upload(run, agent.pack(b"two"))).status_code == 201
    answer = await agent.commit(run)
    assert answer.status_code == 200, answer.text
    rows = await ingest.fetch(
        "SELECT count(*) AS n, sum(object_bytes)::bigint AS bytes, bool_and(state = 'live') AS live"
        " FROM catalogue.packs WHERE tenant_id = $1",
        tenant_id,
    )
    assert (rows[0]["n"], rows[0]["live"]) == (2, True)
    assert answer.json()["stored_bytes"] == rows[0]["bytes"]


async def test_a_condemned_pack_that_is_sent_again_lives(agent: Agent, ingest: House) -> None:
    plan = await agent.declare()
    run = await agent.start(plan)
    first, second = agent.pack(b"one"), agent.pack(b"one", b"two")
    await agent.upload(run, first)
    await ingest.fetch(
        "UPDATE catalogue.packs SET state = 'condemned', condemned_at = '2026-01-01'"
        " WHERE tenant_id = $1",
        agent.tenant.tenant_id,
    )
    assert (await agent.upload(run, second)).status_code == 201
    assert await agent.missing(run, b"one", b"two") == [False, False]
    assert (await agent.upload(run, first)).status_code == 201
    assert (await agent.upload(run, first)).status_code == 200


async def test_a_silent_run_is_abandoned(own_ingest: Callable[..., House]) -> None:
    """Nothing waits for a lease: it is set back, as if the time had gone by."""
    service = own_ingest(COFFRE_LEASE_SECONDS="30")
    tenant = Tenant(service)
    await tenant.becomes("active")
    agent = await tenant.enrol()
    run = await agent.start(await agent.declare())

    async def left(less_seconds: float = 0) -> float:
        """How much of its lease is left, after so much less."""
        [row] = await service.fetch(
            "UPDATE ingest.runs SET lease_until = lease_until - make_interval(secs => $2)"
            " WHERE run_id = $1 RETURNING lease_until",
            uuid.UUID(run), less_seconds,
        )  # fmt: skip
        return float((row["lease_until"] - clock.now()).total_seconds())

    assert await left(15) < 16
    await agent.missing(run, b"x")  # signs of life keep it open
    assert await left() > 16

    async def slowly() -> AsyncIterator[bytes]:
        yield b"a large file"
        assert await left(15) < 16
        while await left() < 16:
            yield b" from a script"
            await asyncio.sleep(0.5)

    answer = await agent.client.put(f"/v1/runs/{run}/files/slow", content=slowly())
    assert answer.status_code == 200, answer.text
    assert await service.events(tenant.tenant_id, "run.finished.v1") == []
    await left(100)
    async with asyncio.timeout(60):
        while not (finished := await service.events(tenant.tenant_id, "run.finished.v1")):
            await asyncio.sleep(0.2)
    assert [e["outcome"] for e in finished] == ["failed"]
    assert codes_of(finished) == ["abandoned"]
    assert problem_of(await agent.commit(run, 0)) == (409, "run-closed")
    await agent.client.aclose()


async def test_the_published_description(ingest: House, agent: Agent) -> None:
    document = (await agent.client.get("/v1/openapi.json")).json()
    assert len(document["paths"]) == 10
    schemas = document["components"]["schemas"]
    assert "warnings" in schemas["Commit"]["properties"]
    assert set(schemas["Reason"]["properties"]) == {
        "code", "subject", "amount", "limit", "detail",
    }  # fmt: skip
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert {"400", "422", "431", "503"} <= set(operation["responses"]), (method, path)
            for status, answer in operation["responses"].items():
                if status >= "400":
                    assert set(answer["content"]) == {"application/problem+json"}
                    assert "detail" in json.dumps(answer), (method, path, status)
