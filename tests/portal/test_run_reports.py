"""What the page of a run tells, by the API: for its client, and for whom may see names."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from libs.shared import clock
from libs.shared.events import ReportSent
from libs.shared.reasons import Reason
from tests.portal import builder


async def test_a_run_tells_what_was_not_copied_and_who_was_written_to(portal: Any) -> None:
    client = await builder.open_client(portal)
    await client.add_run(1)
    run_id = uuid4()
    missed = {"path": "srv/bail.odt", "reason": Reason("permission-denied").as_dict()}
    await client.add_run(
        2, "succeeded_with_warnings", run_id=run_id, not_copied=[missed], files_not_copied=1
    )
    sent = ReportSent(
        tenant_id=client.tenant_id, run_id=run_id, plan_id=client.plan_id, sent_at=clock.now(),
        recipient="a@dupre.example", subject="AVERTISSEMENTS", text="srv/bail.odt: accès refusé",
    )  # fmt: skip
    await builder.hear(portal, sent)
    of_client = f"/api/v1/tenants/{client.tenant_id}"
    async with portal.client(client.token) as api, portal.operator() as operator:
        help_wanted = {"message": "C’est le bail."}
        assert (await api.post(f"/api/v1/runs/{run_id}/help", json=help_wanted)).is_success
        told = (await api.get("/api/v1/plans/documents/runs/2")).json()
        same = (await operator.get(f"{of_client}/plans/documents/runs/2")).json()
        assert (await api.get("/api/v1/plans/documents/runs/3")).status_code == 404
    assert told == same
    assert (told["run"]["number"], told["run"]["outcome"]) == (2, "succeeded_with_warnings")
    [one] = told["not_copied"]
    assert (one["path"], one["reason"]["code"]) == ("srv/bail.odt", "permission-denied")
    [mail] = told["reports"]
    assert (mail["recipient"], mail["subject"]) == ("a@dupre.example", "AVERTISSEMENTS")
    assert "accès refusé" in mail["body"]
    assert [one["message"] for one in told["help_asked"]] == ["C’est le bail."]
    assert (told["good"], told["older"], told["newer"]) == (1, 1, None)


async def test_one_word_says_whether_everything_is_all_right(portal: Any) -> None:
    client = await builder.open_client(portal)
    async with portal.client(client.token) as api:

        async def ask() -> tuple[str, list[str]]:
            plans = (await api.get("/api/v1/plans")).json()
            return plans["state"], [plan["state"] for plan in plans["plans"]]

        assert await ask() == ("waiting", ["waiting"])
        await client.add_run(1)
        assert await ask() == ("succeeded", ["succeeded"])
        await client.add_run(2, "failed", reason=Reason("disk-full").as_dict())
        assert await ask() == ("failed", ["failed"])
        tenant = f"/api/v1/tenants/{client.tenant_id}"
        async with portal.operator() as operator:
            assert (await operator.post(f"{tenant}/suspend", json={"reason": "x"})).is_success
        assert await ask() == ("stopped", ["stopped"])
        [plan] = (await api.get("/api/v1/plans")).json()["plans"]
        assert plan["next_due_at"] is None
