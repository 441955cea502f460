"""What a client may make ingest write on a day: beyond it a clear word, and nothing written."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.shared.entries import FolderDelta
from services.ingest import rules
from tests.world.agents import Agent, problem_of, taken
from tests.world.house import House

Asked = Any


async def use_up(ingest: House, agent: Agent, kind: str) -> None:
    """As if the client had brought all that it may today."""
    await ingest.fetch(
        "INSERT INTO ingest.usage VALUES ($1, (now() AT TIME ZONE 'UTC')::date, $2, $3)"
        " ON CONFLICT (tenant_id, day, kind) DO UPDATE SET amount = $3",
        agent.tenant.tenant_id,
        kind,
        rules.usage.MOST[kind],  # type: ignore[index]  # a test's own word
    )


async def test_each_allowance_ends_and_the_stranger_feels_nothing(
    agent: Agent, stranger: Agent, ingest: House
) -> None:
    plan, content = await agent.declare(), random.Random(1).randbytes(1_000)
    run = await agent.start(plan)
    delta = FolderDelta(b"", [agent.file(b"a")], [])
    for kind in ("declarations", "runs", "packs", "entries"):
        await use_up(ingest, agent, kind)
    refused = {
        "declarations": await agent.client.put(
            "/v1/plans/docs",
            json={"folders": ["/etc"], "schedule": "0 3 * * *", "timezone": "Europe/Paris"},
        ),
        "runs": await agent.ask_start(plan),
        "packs": await agent.upload(run, agent.pack(content)),
        "entries": await agent.send(run, delta),
    }
    for kind, answer in refused.items():
        assert problem_of(answer) == (429, "allowance-used"), kind
        assert answer.json()["kind"] == kind
        assert 1 <= int(answer.headers["retry-after"]) <= 86_401
    answer = await agent.client.put(f"/v1/runs/{run}/files/b", content=b"")
    assert problem_of(answer) == (429, "allowance-used")
    # What was refused is not there, and what is refused is not counted further.
    assert await agent.missing(run, content) == [True]
    rows = await ingest.fetch(
        "SELECT kind, amount FROM ingest.usage WHERE tenant_id = $1", agent.tenant.tenant_id
    )
    used = {row["kind"]: row["amount"] for row in rows}
    assert all(used[kind] == rules.usage.MOST[kind] for kind in refused)  # type: ignore[index]
    # The run under way goes on to its end; nobody else is concerned.
    assert (await agent.commit(run, 0)).status_code == 200
    await stranger.copy(await stranger.declare(), delta, contents=[])


async def test_a_run_is_not_failed_by_how_much_was_said_of_others(
    agent: Agent, ingest: House
) -> None:
    await use_up(ingest, agent, "told-bytes")
    answer = await agent.client.put(
        "/v1/plans/new", json={"folders": [], "schedule": "0 3 * * *", "timezone": "UTC"}
    )
    assert problem_of(answer) == (429, "allowance-used")
    await ingest.fetch("DELETE FROM ingest.usage WHERE tenant_id = $1", agent.tenant.tenant_id)
    plan = await agent.declare()
    await use_up(ingest, agent, "told-bytes")
    not_copied = [{"path": "/srv/x", "is_folder": False, "reason": {"code": "in-use"}}]
    counters = {"files_total": 3, "files_not_copied": 1}
    told = {"not_copied": not_copied, "log_tail": "words", "counters": counters}
    taken(await agent.commit(await agent.start(plan), 0, **told))
    taken(await agent.abort(await agent.start(plan), **told))
    events = await ingest.events(agent.tenant.tenant_id, "run.finished.v1")
    for event in events:
        assert (event["not_copied"], event["log_tail"]) == ([], "")
        assert (event["files_total"], event["files_not_copied"]) == (3, 1)


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        (datetime(2026, 11, 28, 23, 59, 59, 500_000, tzinfo=UTC), 1),
        (datetime(2026, 11, 28, tzinfo=UTC), 86_401),
    ],
)
def test_a_day_ends_at_midnight(now: datetime, seconds: int) -> None:
    assert rules.usage.seconds_left(now) == seconds
    rules.usage.check_usage("runs", rules.usage.MOST["runs"], now)
    with pytest.raises(rules.refusals.AllowanceUsed) as refused:
        rules.usage.check_usage("runs", rules.usage.MOST["runs"] + 1, now)
    assert refused.value.headers == {"Retry-After": str(seconds)}


def test_plans_beyond_what_a_client_may_have_are_refused_for_good() -> None:
    rules.usage.check_plans(rules.usage.MOST_PLANS)
    with pytest.raises(rules.refusals.AllowanceUsed) as refused:
        rules.usage.check_plans(rules.usage.MOST_PLANS + 1)
    assert refused.value.headers == {}
