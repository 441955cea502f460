"""Who gets reports: what a machine declares is a wish, until somebody who may says yes."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.shared import events, signed_links
from libs.shared.events import Recipient
from services.portal.rules import recipients
from services.portal.rules.recipients import Decision
from tests.portal import builder
from tests.portal.test_pages import PASSWORD, browser, form_token, sign_in

CAMILLE = "camille@dupre.example"
PAUL = "paul@cabinet.example"
PLAN, OTHER = uuid4(), uuid4()
OWNER = Recipient(name="Camille", email="Camille@dupre.example", locale="fr")


async def declare(client: Any, *emails: str, version: int = 2) -> None:
    """The machine declares its plan once more, with other recipients."""
    rows = await client.portal.admin.fetch(
        "SELECT payload FROM ingest.outbox WHERE tenant_id = $1 AND type = 'plan.declared.v1'"
        " ORDER BY position DESC LIMIT 1",
        client.tenant_id,
    )
    said = {**json.loads(rows[0]["payload"]), "recipients": emails, "version": version}
    await builder.hear(client.portal, events.PlanDeclared.model_validate(said))


async def told(client: Any) -> dict[str, Any]:
    """What reporting was told last."""
    [*_, last] = await client.portal.events("recipients.changed.v1")
    return dict(last)


def counted(said: dict[str, Any]) -> list[str]:
    return [person["email"] for person in said["recipients"]]


def link(portal: Any, asked: dict[str, Any]) -> str:
    token = signed_links.make_token(
        portal.parts.mail_key,
        "invitation",
        UUID(asked["tenant_id"]),
        UUID(asked["invitation_id"]),
        asked["email"],
    )
    return f"/invitations/{token}"


async def test_what_a_machine_declares_waits_and_an_administrator_adds_it(portal: Any) -> None:
    client = await builder.open_client(portal)
    await declare(client, PAUL, CAMILLE.upper())
    said = await told(client)
    assert counted(said) == [CAMILLE], "an account of the client needs no acceptance"
    assert (said["pending"], said["news"]) == (1, [PAUL])
    path = f"/api/v1/plans/{client.plan_id}/recipients"
    async with portal.client(client.token) as api:
        listed = {one["email"]: one for one in (await api.get(path)).json()["recipients"]}
        assert listed[PAUL] == {
            "email": PAUL, "state": "unknown", "declared": True, "gets_reports": False,
        }  # fmt: skip
        assert listed[CAMILLE]["state"] == "account"
        assert (await api.post(path, json={"email": PAUL.title()})).status_code == 204
        said = await told(client)
        assert counted(said) == [CAMILLE, PAUL]
        assert (said["pending"], said["news"]) == (0, [])
        assert not await portal.events("recipient.invited.v1")
        assert (await api.delete(f"{path}/{PAUL}")).status_code == 204
        assert counted(await told(client)) == [CAMILLE]
        await declare(client, PAUL, version=3)
        said = await told(client)
        assert (counted(said), said["pending"]) == ([], 0), "what was removed stays so"
        assert (await api.delete(f"{path}/nobody@x.example")).status_code == 404


async def test_who_is_asked_counts_once_they_accepted_by_their_link(portal: Any) -> None:
    client = await builder.open_client(portal)
    path = f"/plans/{client.plan_id}/recipients"
    async with browser(portal) as page, browser(portal) as stranger:
        await sign_in(page, CAMILLE, PASSWORD)
        form = {"form_token": form_token((await page.get(path)).text), "email": PAUL}
        assert (await page.post(path, data={**form, "change": "ask"})).status_code == 303
        said = await told(client)
        assert (counted(said), said["pending"], said["news"]) == ([], 1, [])
        [asked] = await portal.events("recipient.invited.v1")
        assert (asked["email"], asked["invited_by"]) == (PAUL, "Camille Martin")
        address = link(portal, asked)
        for _ in range(3):  # a program that looks at mails follows links
            shown = await stranger.get(address)
            assert "Boulangerie Dupré" in shown.text
            assert "Accepter les rapports" in shown.text
        assert counted(await told(client)) == []
        foreign = {"Origin": "https://evil.example"}
        refused = await stranger.post(address, data={"answer": "yes"}, headers=foreign)
        assert refused.status_code == 403
        accepted = await stranger.post(address, data={"answer": "yes"}, follow_redirects=True)
        assert "Accepté" in accepted.text
        assert counted(await told(client)) == [PAUL]
        assert "a accepté par courriel" in (await page.get(path)).text
        declined = await stranger.post(address, data={"answer": "no"}, follow_redirects=True)
        assert "Refusé" in declined.text
        assert counted(await told(client)) == []
        again = await page.post(path, data={**form, "change": "add"}, follow_redirects=True)
        assert "ne souhaite pas ces rapports" in again.text
        assert counted(await told(client)) == [], "a no is a no"


async def test_whom_an_administrator_added_stops_the_reports_by_one_click(portal: Any) -> None:
    """As the button of a mail program does it (RFC 8058), however long ago they were added."""
    client = await builder.open_client(portal)
    path = f"/api/v1/plans/{client.plan_id}/recipients"
    async with portal.client(client.token) as api, portal.client() as program:
        assert (await api.post(path, json={"email": PAUL})).status_code == 204
        said = await told(client)
        [reader] = said["recipients"]
        address = link(portal, {**said, **reader})
        shown = await program.get(address, headers={"Accept-Language": "en"})
        assert f"{PAUL} gets these reports." in shown.text
        stopped = await program.post(address, data={"List-Unsubscribe": "One-Click"})
        assert stopped.status_code == 303
        assert counted(await told(client)) == []
        listed = (await api.get(path)).json()["recipients"]
        assert [one["state"] for one in listed] == ["declined"]
        assert (await api.post(path, json={"email": PAUL})).status_code == 409


async def test_links_that_are_none_open_nothing(portal: Any) -> None:
    client = await builder.open_client(portal)
    async with portal.client(client.token) as api, browser(portal) as stranger:
        path = f"/api/v1/plans/{client.plan_id}/recipients"
        await api.post(path, json={"email": PAUL, "ask": True})
        [asked] = await portal.events("recipient.invited.v1")
        good = link(portal, asked)
        for changed in (
            good[:-1],
            good[:-4] + "AAAA",
            link(portal, {**asked, "email": "eve@stranger.example"}),
            link(portal, {**asked, "tenant_id": str(uuid4())}),
            link(portal, {**asked, "invitation_id": str(uuid4())}),
            "/invitations/x",
            "/invitations/%00",
            "/invitations/" + "A" * 43,
        ):
            assert (await stranger.get(changed)).status_code == 404, changed
            answered = await stranger.post(changed, data={"answer": "yes"})
            assert answered.status_code == 404, changed
        assert (await stranger.get(good)).status_code == 200
        again = await api.post(path, json={"email": PAUL, "ask": True})
        assert again.status_code == 409, "nobody is asked again and again"
        await portal.admin.execute(
            "UPDATE portal.recipients SET asked_at = asked_at - interval '31 days'"
        )
        await api.post(path, json={"email": PAUL, "ask": True})
        assert (await stranger.get(good)).status_code == 404, "a newer one ended it"
        newer = link(portal, (await portal.events("recipient.invited.v1"))[-1])
        await portal.admin.execute(
            "UPDATE portal.recipients SET asked_at = asked_at - $1::interval",
            recipients.INVITATION_LIFE,
        )
        over = await stranger.post(newer, data={"answer": "yes"})
        assert over.status_code == 410
        assert "trop ancienne" in over.text
        await api.delete(f"{path}/{PAUL}")
        assert (await stranger.get(newer)).status_code == 410
        assert counted(await told(client)) == []


async def test_only_the_clients_administrators_decide(portal: Any) -> None:
    client = await builder.open_client(portal)
    stranger = await builder.open_client(portal, "eve@stranger.example", "Stranger", plan="other")
    await portal.admin.execute(
        """INSERT INTO portal.users SELECT gen_random_uuid(), tenant_id, 'user', 'Ugo',
           'ugo@dupre.example', locale, password_hash, one_time, password_expires_at, created_at
           FROM portal.users WHERE email = $1""",
        CAMILLE,
    )
    user = await portal.sign_in("ugo@dupre.example")
    path = f"/api/v1/plans/{client.plan_id}/recipients"
    calls: list[tuple[str, str, Any]] = [
        ("GET", path, None), ("POST", path, {"email": PAUL}), ("DELETE", f"{path}/{PAUL}", None),
    ]  # fmt: skip
    for token, status in (
        ("", 401),
        (user, 403),
        (stranger.token, 404),
        (portal.operator_token, 403),
    ):
        async with portal.client(token) as api:
            for method, url, body in calls:
                answer = await api.request(method, url, json=body)
                assert answer.status_code == status, (method, url, answer.text)
    async with browser(portal) as page:
        await sign_in(page, "ugo@dupre.example", PASSWORD)
        form = {"form_token": form_token((await page.get("/account")).text), "email": PAUL}
        page_path = f"/plans/{client.plan_id}/recipients"
        assert (await page.get(page_path)).status_code == 403
        assert (await page.post(page_path, data={**form, "change": "add"})).status_code == 403
        await sign_in(page, stranger.email, PASSWORD)
        assert (await page.get(page_path)).status_code == 404
    assert not await portal.admin.fetch("SELECT FROM portal.recipients")


async def test_an_administrator_is_no_spam_cannon_either(portal: Any) -> None:
    client = await builder.open_client(portal)
    path = f"/api/v1/plans/{client.plan_id}/recipients"
    async with portal.client(client.token) as api:
        for bad in ("no address", "a@b", "a@b.fr\r\nBcc: c@d.fr", "<a@b.fr>", "a@b.fr,c@d.fr"):
            assert (await api.post(path, json={"email": bad})).status_code == 422, bad
        for number in range(recipients.MOST_RECIPIENTS):
            body = {"email": f"p{number}@x.example", "ask": True}
            assert (await api.post(path, json=body)).status_code == 204
        full = await api.post(path, json={"email": "more@x.example"})
        assert full.status_code == 409
        assert full.json()["type"].endswith(":recipients-full")
        await api.delete(f"{path}/p0@x.example")
        spent = await api.post(path, json={"email": "more@x.example", "ask": True})
        assert spent.status_code == 429
        assert "tomorrow" in spent.json()["detail"]
    assert len(await portal.events("recipient.invited.v1")) == recipients.INVITATIONS_A_DAY


async def test_the_same_declaration_again_tells_nobody(portal: Any) -> None:
    client = await builder.open_client(portal)
    for version in range(2, 6):
        await declare(client, PAUL, version=version)
    said = await portal.events("recipients.changed.v1")
    assert [one["version"] for one in said] == [1, 2]
    await declare(client, PAUL, "eva@cabinet.example", version=7)
    assert (await told(client))["news"] == ["eva@cabinet.example"]


@pytest.mark.parametrize(
    ("declared", "decisions", "counts", "pending"),
    [
        ((), [], [], []),
        ((PAUL,), [], [], [PAUL]),
        ((CAMILLE,), [], [OWNER.email], []),
        ((PAUL,), [Decision(PLAN, PAUL, "set")], [PAUL], []),
        ((), [Decision(PLAN, PAUL, "set")], [PAUL], []),
        ((), [Decision(PLAN, PAUL, "accepted")], [PAUL], []),
        ((PAUL,), [Decision(OTHER, PAUL, "accepted")], [PAUL], []),
        ((), [Decision(OTHER, PAUL, "accepted")], [], []),
        ((PAUL,), [Decision(PLAN, PAUL, "asked")], [], [PAUL]),
        ((PAUL,), [Decision(PLAN, PAUL, "removed")], [], []),
        ((PAUL,), [Decision(OTHER, PAUL, "set"), Decision(PLAN, PAUL, "removed")], [], []),
        ((PAUL,), [Decision(OTHER, PAUL, "declined"), Decision(PLAN, PAUL, "set")], [], []),
        ((CAMILLE,), [Decision(PLAN, CAMILLE, "removed")], [], []),
    ],
)
def test_what_counts(
    declared: tuple[str, ...], decisions: list[Decision], counts: list[str], pending: list[str]
) -> None:
    audience = recipients.judge(PLAN, declared, [OWNER], decisions, "fr", {})
    assert [person.email for person in audience.recipients] == counts
    assert audience.pending == pending


@given(st.lists(st.emails(), max_size=30))
def test_a_declaration_alone_makes_nobody_a_reader(declared: list[str]) -> None:
    audience = recipients.judge(PLAN, declared, [OWNER], [], "fr", {})
    assert {person.email for person in audience.recipients} <= {OWNER.email}


@given(st.text(max_size=80))
def test_whatever_is_taken_for_an_address_can_be_one(text: str) -> None:
    try:
        email = recipients.read_address(text)
    except recipients.NotAnAddress:
        return
    assert email.isascii()
    assert email.isprintable()
    assert " " not in email
