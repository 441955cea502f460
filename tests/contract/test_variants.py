"""Ways that a contract's life may take instead: answered, ordered, revised, taken back, paid."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.contract.months import CONTRACTED, Months, today
from tests.destruction.firm import Firm, moment
from tests.portal import builder
from tests.quota.conftest import Calendar, calendar

__all__ = ["calendar"]

GB = 10**9
OPENED = "Volume au contrat dépassé"
REMINDER = "Rappel - volume au contrat dépassé"
BLOCKED = "Les sauvegardes ne peuvent plus grossir"
CORRECTED = "Volume au contrat de nouveau respecté"


@pytest.fixture
def months(firm: Firm, calendar: Calendar) -> Months:
    return Months(firm, calendar)


@pytest.fixture
async def over(months: Months) -> builder.Client:
    """A client that passed its contract today."""
    client = await months.open_client(CONTRACTED + 20_000)
    assert (await months.quota(client))["case"]["answer"] is None
    assert await months.mailed(client) == [OPENED]
    return client


async def test_an_answer_gives_thirty_days_more(months: Months, over: builder.Client) -> None:
    await months.day(8)
    answer = {"answer": "reduce"}
    assert (await months.as_administrator(over, "POST", "quota/answer", answer)).status_code == 204
    await months.day(31)
    told = await months.quota(over)
    assert (told["blocked"], told["case"]["answer"]) == (False, "reduce")
    assert await months.refusal(over) == ""
    await months.grow(over, 2, 10_000)
    await months.day(59.9)
    assert await months.refusal(over) == ""
    await months.day(60.1)
    assert await months.refusal(over) == "growth-blocked"
    told = await months.quota(over)
    assert told["blocked"] is True
    assert told["ceiling_bytes"] == told["stored_bytes"], "what is held at that moment"
    mailed = await months.mailed(over)
    assert (mailed[0], mailed[1], mailed[-1]) == (OPENED, REMINDER, BLOCKED)


async def test_what_is_ordered_in_time_closes_the_case(
    months: Months, over: builder.Client
) -> None:
    await months.day(12)
    wish, key = {"storage_bytes": 100 * GB}, {"Idempotency-Key": "one"}
    seen = (await months.as_administrator(over, "POST", "orders/preview", wish)).json()
    ordered = await months.as_administrator(over, "POST", "orders", wish, headers=key)
    assert ordered.status_code == 201, ordered.text
    assert ordered.json()["lines"] == seen["lines"]
    told = await months.quota(over)
    assert (told["contracted_bytes"], told["case"]) == (100 * GB, None)
    assert CORRECTED in await months.mailed(over)
    bill = (await months.firm.get(f"billing/{today()}?format=json")).json()
    assert str(seen["lines"][0]["amount"]) in str(bill)
    await months.day(31)
    assert await months.refusal(over) == ""
    mailed = await months.mailed(over)
    assert mailed.count(REMINDER) == 1
    assert BLOCKED not in mailed


async def test_the_provider_revises_what_stays_above(months: Months, over: builder.Client) -> None:
    await months.day(31)
    assert await months.refusal(over) == "growth-blocked"
    reason = {"reason": "au-dessus depuis un mois", "clause": "article 7.3"}
    revised = await months.as_operator(f"{over.tenant_id}/quota/revise", **reason)
    assert revised.status_code == 201, revised.text
    told = await months.quota(over)
    assert (told["blocked"], told["case"]) == (False, None)
    assert told["contracted_bytes"] > told["stored_bytes"]
    assert await months.refusal(over) == ""
    [body] = await months.firm.fetch(
        "SELECT payload::jsonb->>'clause' FROM reporting.inbox WHERE type = 'order.confirmed.v1'"
    )
    assert body == ("article 7.3",)
    mailed = await months.mailed(over)
    assert BLOCKED in mailed
    assert CORRECTED in mailed[mailed.index(BLOCKED) :]


async def test_who_comes_back_on_day_29_has_lost_nothing(months: Months) -> None:
    client = await months.open_client(20_000)
    await months.day(0.1)
    ended = await months.as_operator(f"{client.tenant_id}/end", reason="résilié")
    assert ended.status_code == 200
    due_at = moment((await months.firm.shown(client.tenant_id))["due_at"])
    assert await months.refusal(client) == "subscription-ended"
    before = await months.firm.left(client.tenant_id)
    assert await months.day(29.1) < due_at
    back = await months.as_operator(f"{client.tenant_id}/reinstate", reason="revient")
    assert back.status_code == 200
    assert await months.day(31) > due_at + timedelta(hours=12)
    assert (await months.firm.shown(client.tenant_id))["state"] == "cancelled"
    assert set(before) <= set(await months.firm.left(client.tenant_id))
    await months.grow(client, 2, 10_000)
    file = f"plans/{client.plan_id}/file?path=srv/1"
    assert len((await months.as_administrator(client, "GET", file)).content) == 20_000
    steps = ["Votre abonnement a pris fin", "Votre abonnement est rétabli"]
    assert await months.mailed(client) == steps


async def test_who_pays_late_finds_all_as_it_was(months: Months) -> None:
    client = await months.open_client(20_000)
    suspended = await months.as_operator(f"{client.tenant_id}/suspend", reason="facture impayée")
    assert suspended.status_code == 200
    assert await months.refusal(client) == "subscription-suspended"
    file = f"plans/{client.plan_id}/file?path=srv/1"
    assert (await months.as_administrator(client, "GET", file)).status_code == 403
    before = await months.firm.left(client.tenant_id)
    await months.day(45)
    assert (await months.firm.get("destructions")).json()["destructions"] == []
    assert await months.firm.left(client.tenant_id) == before
    resumed = await months.as_operator(f"{client.tenant_id}/resume", reason="payée")
    assert resumed.status_code == 200
    assert len((await months.as_administrator(client, "GET", file)).content) == 20_000
    await months.grow(client, 2, 10_000)
    steps = ["Votre abonnement est suspendu", "Votre abonnement continue"]
    assert await months.mailed(client) == steps
