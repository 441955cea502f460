"""What takes two operators: asked for by one, confirmed or declined by another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from libs.shared import errors
from services.portal.actions import approvals, operators
from services.portal.rules.approvals import ApprovalOver, OwnApproval
from services.portal.rules.log.chain import NOBODY, Actor
from services.portal.rules.operators import NotOfDuty, UnsettledOperator
from services.portal.rules.users import ClientOpens
from tests.portal import builder
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD
from tests.portal.test_duties import PASSWORD as PASSWORD_OF_DUTY
from tests.portal.test_duties import let_in, settle
from tests.portal.test_pages import browser, form_token, sign_in

OPERATOR = Actor(NOBODY, uuid4(), "Anne", "", duty="administrator")


async def test_a_client_s_people_are_moved_and_closed_by_two(portal: Any) -> None:
    client = await builder.open_client(portal)
    where = f"/api/v1/tenants/{client.tenant_id}/users"
    async with portal.operator() as api:
        body = {"name": "Paul", "email": "paul@dupre.example"}
        paul = (await api.post(where, json=body)).json()["user_id"]
        email = await let_in(portal, "administrator")
        await settle(portal)
        portal.app.state.resources = replace(portal.parts, four_eyes=frozenset({"reset"}))
        assert (await api.patch(f"{where}/{paul}", json={"name": "Paule"})).status_code == 200
        assert (await api.patch(f"{where}/{paul}", json={"role": "user"})).status_code == 200
        promote = {"role": "administrator", "name": "P", "reason": "the new manager"}
        mute = await api.patch(f"{where}/{paul}", json={"role": "administrator"})
        assert (mute.status_code, "say why" in mute.text) == (422, True)
        asked = [await api.patch(f"{where}/{paul}", json=promote)]
        camille = await portal.admin.fetchval(
            "SELECT user_id FROM portal.users WHERE email = $1", client.email
        )
        asked.append(await api.delete(f"{where}/{camille}?reason=left"))
        assert [one.status_code for one in asked] == [202, 202]
        people = "SELECT name, role FROM portal.users WHERE tenant_id = $1 ORDER BY name"

        async def roles() -> dict[str, str]:
            return {
                one["name"]: one["role"]
                for one in await portal.admin.fetch(people, client.tenant_id)
            }

        before = await roles()
        assert before == {"Camille Martin": "administrator", "P": "user"}, "the role alone waits"
        async with portal.client(await portal.sign_in(email, PASSWORD_OF_DUTY)) as other:
            for one in asked:
                path = f"/api/v1/approvals/{one.json()['approval_id']}/confirm"
                assert (await api.post(path)).status_code == 403
                assert (await other.post(path)).is_success
        assert await roles() == {"P": "administrator"}
        async with browser(portal) as desk:
            await sign_in(desk, OPERATOR_EMAIL, OPERATOR_PASSWORD)
            page = f"/clients/{client.tenant_id}"
            shown = (await desk.get(page)).text
            assert f'action="{page}/people"' not in shown
            form = {"form_token": form_token(shown), "email": "me@provider.example"}
            added = await desk.post(f"{page}/recipients", data=form)
            assert added.headers["location"].endswith("problem=client-adds"), "reports name files"
            form = {"form_token": form_token(shown), "reason": "left as well"}
            closed = await desk.post(f"{page}/people/{paul}/close", data=form)
            assert closed.headers["location"].endswith("said=asked")
            [left] = (await api.get("/api/v1/approvals")).json()["approvals"]
            async with portal.client(await portal.sign_in(email, PASSWORD_OF_DUTY)) as other:
                alone = await other.post(f"/api/v1/approvals/{left['approval_id']}/confirm")
            assert alone.json()["type"].endswith(":last-administrator")
    acts = await portal.admin.fetch(
        "SELECT act, actor FROM portal.access_log WHERE tenant_id = $1 ORDER BY number",
        client.tenant_id,
    )
    assert ("user-closed", OPERATOR_EMAIL) in {(row["act"], row["actor"]) for row in acts}


async def test_what_takes_two_is_asked_by_one_and_confirmed_by_another(portal: Any) -> None:
    client = await builder.open_client(portal)
    await let_in(portal, "administrator")
    people = await portal.admin.fetch(
        "SELECT user_id, name FROM portal.users WHERE role = 'operator' ORDER BY created_at"
    )
    one, two = (replace(OPERATOR, user_id=row["user_id"], name=row["name"]) for row in people)
    resources = replace(portal.parts, four_eyes=frozenset({"unblock", "reset", "end"}))
    asked = await approvals.unblock(resources, one, client.tenant_id, "paid")
    assert await portal.events("overage.decided.v1") == []
    with pytest.raises(OwnApproval):
        await approvals.confirm(resources, one, asked.approval_id)
    # Whoever let the second in knew their password: it could be the same pair of eyes.
    with pytest.raises(UnsettledOperator):
        await approvals.confirm(resources, two, asked.approval_id)
    await settle(portal)
    await approvals.confirm(resources, two, asked.approval_id)
    [decided] = await portal.events("overage.decided.v1")
    assert (decided["decision"], decided["by"]) == ("unblock", one.name)
    with pytest.raises(ApprovalOver):
        await approvals.confirm(resources, two, asked.approval_id)
    ending = await approvals.end(resources, one, client.tenant_id, "moves")
    await approvals.decline(resources, one, ending.approval_id)
    assert await portal.events("subscription.ended.v1") == []
    reset = await approvals.reset_password(resources, one, client.email, "lost it")
    sent = len(await portal.events("password.issued.v1"))
    await approvals.confirm(resources, two, reset.approval_id)
    assert len(await portal.events("password.issued.v1")) == sent + 1
    with pytest.raises(ClientOpens):
        await approvals.open_user(
            resources, one, client.tenant_id,
            name="One", email="one@provider.example", locale="fr", role="administrator",
        )  # fmt: skip
    moved = await approvals.reset_password(resources, one, client.email, "lost it")
    await portal.admin.execute(
        "UPDATE portal.approvals SET tenant_id = $1 WHERE approval_id = $2",
        (await builder.open_client(portal, "eve@stranger.example", "Stranger")).tenant_id,
        moved.approval_id,
    )
    with pytest.raises(errors.NotFound):
        await approvals.confirm(resources, two, moved.approval_id)
    again = await approvals.unblock(resources, one, client.tenant_id, "paid")
    await operators.reset(portal.parts.pool, portal.parts.passwords, one, two.user_id)
    with pytest.raises(UnsettledOperator):
        await approvals.confirm(resources, two, again.approval_id)
    await settle(portal)
    hotline = replace(two, duty="hotline")
    again = await approvals.unblock(resources, one, client.tenant_id, "paid")
    with pytest.raises(NotOfDuty):
        await approvals.confirm(resources, hotline, again.approval_id)
    acts = await portal.admin.fetch(
        "SELECT act FROM portal.access_log WHERE tenant_id = $1 AND act LIKE 'approval%'"
        " ORDER BY number",
        client.tenant_id,
    )
    assert [row["act"] for row in acts] == [
        "approval-asked", "approval-confirmed", "approval-asked", "approval-declined",
        "approval-asked", "approval-confirmed", "approval-asked", "approval-asked",
        "approval-asked",
    ]  # fmt: skip
