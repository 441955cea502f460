"""Who may copy: tokens, codes, subscriptions, allowances; and a stranger who finds nothing."""

from __future__ import annotations

import random
import uuid
from datetime import timedelta

import pytest

from libs.shared import clock
from libs.shared.entries import FolderDelta
from libs.shared.events import AgentRevoked, SubscriptionEnded, SubscriptionReinstated
from tests.hostile.counting import Campaign
from tests.world.agents import Agent, codes_of, folder, problem_of
from tests.world.house import House
from tests.world.tenants import Tenant


def routes(plan: str, run: str) -> list[tuple[str, str, dict[str, object]]]:
    """Every route that names something of a tenant's, with a body that would do."""
    start = {"plan_id": plan, "run_key": str(uuid.uuid4()), "estimated_new_bytes": 1}
    return [
        ("POST", "/v1/runs", {"json": start}),
        ("GET", f"/v1/plans/{plan}/entries", {}),
        ("POST", f"/v1/runs/{run}/missing", {"content": bytes(32)}),
        ("PUT", f"/v1/runs/{run}/packs/{'0' * 64}", {"content": b"x" * 100}),
        ("POST", f"/v1/runs/{run}/entries?batch=0", {"content": b"x"}),
        ("POST", f"/v1/runs/{run}/commit", {"json": {"batches": 0}}),
        ("POST", f"/v1/runs/{run}/abort", {"json": {}}),
    ]


async def test_a_stranger_finds_nothing(agent: Agent, stranger: Agent, campaign: Campaign) -> None:
    plan = await agent.declare()
    run = await agent.start(plan)
    own_pack = agent.pack(b"ours")
    assert (await agent.upload(run, own_pack)).status_code == 201
    for ids in ((plan, run), (str(uuid.uuid4()), str(uuid.uuid4()))):
        for method, route, body in routes(*ids):
            answer = await stranger.client.request(method, route, **body)
            campaign.tried("requests of strangers")
            assert problem_of(answer)[0] == 404, route
    # A colleague of the same client is another machine: its runs are not ours either.
    colleague = await agent.tenant.enrol()
    for method, route, body in routes(plan, run):
        assert problem_of(await colleague.client.request(method, route, **body))[0] == 404, route
    await colleague.client.aclose()
    # A pack of ours is not known in the stranger's own run.
    theirs = await stranger.start(await stranger.declare())
    answer = await stranger.upload(theirs, own_pack)
    assert problem_of(answer) == (422, "chunk-hash-mismatch")
    # Nothing of it did any harm.
    assert (await agent.commit(run, batches=0)).status_code == 200


async def test_without_a_good_token_nothing_goes(agent: Agent) -> None:
    plan = await agent.declare()
    run = await agent.start(plan)
    everywhere = [*routes(plan, run), ("PUT", "/v1/plans/x", {"json": {}})]
    for header in ("", "Bearer", "Bearer wrong", f"Basic {agent.token}", "Bearer \xff"):
        for method, route, body in everywhere:
            answer = await agent.client.request(
                method, route, headers={"Authorization": header.encode("latin-1")}, **body
            )
            assert problem_of(answer) == (401, "unauthenticated"), (header, route)
            assert "Bearer" in answer.headers["www-authenticate"]


async def test_a_revoked_token_is_dead_at_once_and_its_run_failed(
    agent: Agent, tenant: Tenant, ingest: House
) -> None:
    plan = await agent.declare()
    run = await agent.start(plan)
    for _ in range(2):
        await tenant.house.deliver(
            AgentRevoked(
                tenant_id=tenant.tenant_id, agent_id=agent.agent_id, revoked_at=clock.now()
            )
        )
    assert problem_of(await agent.commit(run, 0)) == (401, "unauthenticated")
    finished = await ingest.events(tenant.tenant_id, "run.finished.v1")
    assert codes_of(finished) == ["agent-revoked"]


async def test_a_code_works_once_and_not_for_ever(tenant: Tenant, ingest: House) -> None:
    import httpx2

    async with httpx2.AsyncClient(
        base_url=ingest.url("ingest"), trust_env=False, timeout=60
    ) as client:

        async def enrol(code: str) -> httpx2.Response:
            return await client.post("/v1/enrolments", json={"code": code, "hostname": "h"})

        await tenant.open_enrolment("expired", valid_for=timedelta(seconds=-1))
        await tenant.open_enrolment("good", valid_for=timedelta(minutes=1))
        for code in ("never", "expired", "", "g" * 200):
            assert problem_of(await enrol(code)) == (401, "enrolment-code-invalid")
        import asyncio

        answers = await asyncio.gather(*(enrol("good") for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [201] + [401] * 4
        for body in ({}, {"code": 5}, {"code": "x", "hostname": ""}, {"code": "x" * 201}, []):
            answer = await client.post("/v1/enrolments", json=body)
            assert problem_of(answer) == (422, "invalid-request")
        events = await ingest.events(tenant.tenant_id, "agent.enrolled.v1")
        assert [event["hostname"] for event in events] == ["h"]
        await tenant.open_enrolment("late", valid_for=timedelta(minutes=1))
        await tenant.becomes("ended")
        assert problem_of(await enrol("late")) == (403, "subscription-ended")


@pytest.mark.parametrize("state", ["ended", "suspended"])
async def test_a_stopped_subscription_lets_nothing_in(
    agent: Agent, tenant: Tenant, ingest: House, state: str
) -> None:
    plan = await agent.declare()
    run = await agent.start(plan)
    await tenant.becomes(state, subscription_reason="unpaid since May")
    code = f"subscription-{state}"
    answer = await agent.upload(run, agent.pack(b"late"))
    assert problem_of(answer) == (403, code)
    assert answer.json()["reason"]["detail"] == "unpaid since May"
    assert problem_of(await agent.send(run)) == (403, code)
    assert problem_of(await agent.commit(run)) == (403, code)
    # Not even names are told to a machine of theirs.
    for path in (f"/v1/plans/{plan}/entries", "/v1/plans/docs", "/v1/plans/other"):
        assert problem_of(await agent.client.get(path)) == (403, code), path
    assert (await agent.abort(run, reason={"code": "stopped"})).status_code == 200
    answer = await agent.ask_start(plan)
    assert problem_of(answer) == (403, code)
    finished = await ingest.events(tenant.tenant_id, "run.finished.v1")
    assert [event["number"] for event in finished] == [1, 2]
    assert codes_of(finished) == ["stopped", code]
    assert finished[1]["outcome"] == "failed"
    assert finished[1]["reason"]["detail"] == "unpaid since May"
    assert not finished[1]["restore_point"]
    await tenant.becomes("active")
    assert (await agent.ask_start(plan)).status_code == 201


async def test_an_end_and_its_reversal_in_any_order(agent: Agent, tenant: Tenant) -> None:
    plan = await agent.declare()
    ended = SubscriptionEnded(
        tenant_id=tenant.tenant_id, version=5, ended_at=clock.now(), reason="moved away"
    )
    back = SubscriptionReinstated(
        tenant_id=tenant.tenant_id, version=6, reinstated_at=clock.now(), reason="came back"
    )
    await tenant.house.deliver(ended)
    assert problem_of(await agent.ask_start(plan)) == (403, "subscription-ended")
    await tenant.house.deliver(back)
    await tenant.house.deliver(ended)
    await tenant.house.deliver(ended)
    assert (await agent.ask_start(plan)).status_code == 201


async def test_blocked_growth(agent: Agent, tenant: Tenant, ingest: House) -> None:
    plan = await agent.declare()
    contents = [b"kept"]
    entry = agent.file(b"kept", b"kept")
    await agent.copy(plan, FolderDelta(b"", [entry], []), contents=contents)
    run = await agent.start(plan)
    await tenant.may_store(10**10, blocked=True)
    answer = await agent.upload(run, agent.pack(random.Random(7).randbytes(10_000)))
    assert problem_of(answer) == (507, "growth-blocked")
    assert (await agent.upload(run, agent.pack(b"kept"))).status_code == 200
    assert (await agent.send(run, FolderDelta(b"", [folder(b"new")], []))).status_code == 204
    assert (await agent.commit(run)).status_code == 200

    key = str(uuid.uuid4())
    refused = await agent.ask_start(plan, estimated_new_bytes=5, run_key=key)
    assert problem_of(refused) == (507, "growth-blocked")
    again = await agent.ask_start(plan, estimated_new_bytes=5, run_key=key)
    assert problem_of(again) == (507, "growth-blocked")
    finished = await ingest.events(tenant.tenant_id, "run.finished.v1")
    assert codes_of(finished) == [None, None, "growth-blocked"]
    assert finished[-1]["reason"] == refused.json()["reason"]
    assert finished[-1]["reason"]["amount"] == refused.json()["stored_bytes"]
    assert finished[-1]["reason"]["limit"] == refused.json()["ceiling_bytes"]
    assert finished[-1]["reason"]["detail"] == "the deadline has passed"

    unchanged = await agent.start(plan, estimated_new_bytes=0)
    assert (await agent.commit(unchanged, batches=0)).status_code == 200
    await tenant.may_store(10**10, blocked=False)
    run = await agent.start(plan, estimated_new_bytes=5)
    assert (await agent.upload(run, agent.pack(b"more"))).status_code == 201


async def test_a_run_that_would_grow_too_far_is_refused_before_it_sends(
    agent: Agent, tenant: Tenant, ingest: House
) -> None:
    plan = await agent.declare()
    kept = agent.pack(random.Random(11).randbytes(10_000))
    run = await agent.start(plan)
    assert (await agent.upload(run, kept)).status_code == 201
    assert (await agent.commit(run, batches=0)).status_code == 200
    assert (await agent.ask_start(plan)).json()["growth_left_bytes"] is None

    await tenant.may_store(10**10, blocked=True)
    key = str(uuid.uuid4())
    started = await agent.ask_start(plan, estimated_new_bytes=0, run_key=key)
    assert (started.status_code, started.json()["growth_left_bytes"]) == (201, 0)
    run = started.json()["run_id"]
    again = await agent.ask_start(plan, estimated_new_bytes=0, run_key=key)
    assert again.json() == started.json()
    for _ in range(2):
        refused = await agent.ask_start(plan, estimated_new_bytes=1, run_key=key)
        assert problem_of(refused) == (507, "growth-blocked")
    assert problem_of(await agent.commit(run, batches=0)) == (409, "run-closed")
    finished = await ingest.events(tenant.tenant_id, "run.finished.v1")
    blocked = [event for event in finished if codes_of([event]) == ["growth-blocked"]]
    assert [(event["run_id"], event["outcome"]) for event in blocked] == [(run, "failed")]

    # Enough was freed for some of it: what fits goes, what does not is told how much would.
    await ingest.fetch(
        "UPDATE catalogue.volumes SET stored_bytes = stored_bytes - 4000 WHERE tenant_id = $1",
        tenant.tenant_id,
    )
    key = str(uuid.uuid4())
    started = await agent.ask_start(plan, estimated_new_bytes=0, run_key=key)
    assert started.json()["growth_left_bytes"] == 4000
    fits = await agent.ask_start(plan, estimated_new_bytes=4000, run_key=key)
    assert fits.status_code == 201
    refused = await agent.ask_start(plan, estimated_new_bytes=4001, run_key=key)
    assert problem_of(refused) == (507, "growth-blocked")


async def test_a_run_is_refused_again_once_the_subscription_ended(
    agent: Agent, tenant: Tenant, ingest: House
) -> None:
    plan, key = await agent.declare(), str(uuid.uuid4())
    assert (await agent.ask_start(plan, run_key=key)).status_code == 201
    await tenant.becomes("suspended", subscription_reason="unpaid")
    for _ in range(2):
        answer = await agent.ask_start(plan, run_key=key)
        assert problem_of(answer) == (403, "subscription-suspended")
    (finished,) = await ingest.events(tenant.tenant_id, "run.finished.v1")
    assert finished["reason"]["code"] == "subscription-suspended"


async def test_parallel_uploads_do_not_pass_the_ceiling(
    agent: Agent, tenant: Tenant, ingest: House
) -> None:
    import asyncio

    plan = await agent.declare()
    run = await agent.start(plan)
    dice = random.Random(8)
    some = [agent.pack(dice.randbytes(50_000)) for _ in range(12)]
    answers = await asyncio.gather(
        *(agent.upload(run, pack) for pack in some[:6]),
        tenant.may_store(10**10, blocked=True),
        *(agent.upload(run, pack) for pack in some[6:]),
    )
    stored = sum(getattr(answer, "status_code", 0) == 201 for answer in answers)
    rows = await ingest.fetch(
        "SELECT v.stored_bytes, a.ceiling_bytes, (SELECT sum(object_bytes)::bigint"
        " FROM catalogue.packs p WHERE p.tenant_id = $1) AS packs FROM ingest.allowances a"
        " LEFT JOIN catalogue.volumes v USING (tenant_id) WHERE a.tenant_id = $1",
        tenant.tenant_id,
    )
    held = (rows[0]["stored_bytes"] or 0, rows[0]["packs"] or 0)
    assert held[0] == held[1]
    if stored:
        assert held[0] <= max(rows[0]["ceiling_bytes"], held[0] if stored else 0)
    refused = await agent.upload(run, agent.pack(dice.randbytes(50_000)))
    assert problem_of(refused) == (507, "growth-blocked")
