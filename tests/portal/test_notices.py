"""Notices: drafted, read in both languages, told ahead, followed to each client, carried out."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.shared import clock
from libs.shared.events import NoticeDelivered, Texts
from services.portal.actions import notices as actions
from services.portal.rules import notices
from services.portal.rules.notices import Addressed, Mailed, Notice
from tests.portal import builder
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD
from tests.portal.test_pages import PASSWORD, browser, sign_in

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TEXT = {"fr": "Les serveurs sont remplacés.\n\nRien à faire.", "en": "Servers are replaced."}
TITLE = {"fr": "Serveurs", "en": "Servers"}


def body(kind: str, /, **changes: Any) -> dict[str, Any]:
    times = {"begins_at": (NOW + 14 * DAY).isoformat(), "ahead_days": 7}
    if kind == "maintenance":
        times["ends_at"] = (NOW + 14 * DAY + timedelta(hours=6)).isoformat()
    return {"kind": kind, "title": TITLE, "text": TEXT, **times, **changes}


# --- rules ---------------------------------------------------------------------------------------


def draft(**changes: Any) -> Notice:
    fields: dict[str, Any] = {
        "notice_id": uuid4(),
        "kind": "location",
        "title": Texts(**TITLE),
        "text": Texts(**TEXT),
        "begins_at": NOW,
        "ends_at": None,
        "ahead": 7 * DAY,
        "everybody": True,
        "drafted_at": NOW - 30 * DAY,
        "drafted_by": "Ada",
        "published_at": NOW - 20 * DAY,
    }
    return Notice(**(fields | changes))


def client(*outcomes: tuple[str, int], name: str = "Dupré") -> Addressed:
    """A client whose mails ended so, that many days before."""
    mails = tuple(
        Mailed(f"p{number}@dupre.example", outcome, "", NOW - days * DAY)  # type: ignore[arg-type]
        for number, (outcome, days) in enumerate(outcomes)
    )
    return Addressed(uuid4(), name, NOW - 10 * DAY, mails)


GOOD = client(("accepted", 7))


@pytest.mark.parametrize(
    ("notice", "addressed", "why"),
    [
        (draft(), [GOOD], None),
        (draft(), [GOOD, client(("refused", 9), ("accepted", 8))], None),
        (draft(), [], "No client was told"),
        (draft(), [GOOD, client(name="Martin")], "accepted yet by Martin"),
        (draft(), [GOOD, client(("refused", 9), name="Martin")], "accepted yet by Martin"),
        (draft(), [GOOD, client(("accepted", 6), name="Late")], "over on 2026-11-30 12:00 UTC"),
        (draft(begins_at=NOW + DAY), [GOOD], "announced for 2026-11-30"),
        (draft(kind="text"), [GOOD], "Only a change of location"),
        (draft(published_at=None), [GOOD], "is draft"),
        (draft(withdrawn_at=NOW), [GOOD], "is withdrawn"),
        (draft(done_at=NOW), [GOOD], "is done"),
        (draft(), [client(name=f"C{n}") for n in range(9)], "C0, C1, C2, C3, C4 and 4 more"),
    ],
)
def test_when_a_change_of_location_may_be_made(
    notice: Notice, addressed: list[Addressed], why: str | None
) -> None:
    if why is None:
        notices.check_can_be_done(notice, addressed, NOW)
        return
    with pytest.raises((notices.NoticeNotRun, notices.NoticeNotPublished)) as refused:
        notices.check_can_be_done(notice, addressed, NOW)
    assert why in refused.value.detail


def test_maintenance_is_over_once_its_window_has_passed() -> None:
    window = {"kind": "maintenance", "begins_at": NOW - DAY, "ends_at": NOW}
    assert draft(**window).is_over(NOW)
    assert not draft(**window).is_over(NOW - timedelta(seconds=1))
    assert not draft(**window, withdrawn_at=NOW).is_over(NOW)
    assert not draft(begins_at=NOW - DAY).is_over(NOW), "a change of location is to be made still"


def test_what_can_be_drafted_and_published() -> None:
    check = notices.check_draft
    check("maintenance", NOW, NOW + 6 * timedelta(hours=1), 7 * DAY)
    check("location", NOW, None, 30 * DAY)
    check("text", None, None, timedelta(0))
    bad: list[tuple[Any, Any, Any, timedelta]] = [
        ("maintenance", NOW, None, DAY),
        ("maintenance", NOW, NOW, DAY),
        ("maintenance", NOW, NOW + 8 * DAY, DAY),
        ("location", None, None, DAY),
        ("location", NOW, NOW + DAY, DAY),
        ("text", None, None, DAY),
        ("text", NOW, None, 366 * DAY),
    ]
    for kind, begins_at, ends_at, ahead in bad:
        with pytest.raises(notices.NoticeIncomplete):
            check(kind, begins_at, ends_at, ahead)
    new = {"published_at": None}
    notices.check_can_publish(draft(**new, begins_at=NOW + 7 * DAY), NOW)
    soon = {"kind": "maintenance", "begins_at": NOW + DAY, "ends_at": NOW + 2 * DAY}
    notices.check_can_publish(draft(**new, **soon), NOW)
    for late in (
        draft(**new, begins_at=NOW + 6 * DAY),
        draft(**new, **soon | {"begins_at": NOW - DAY, "ends_at": NOW}),
    ):
        with pytest.raises(notices.NoticeTooLate):
            notices.check_can_publish(late, NOW)


# --- stories -------------------------------------------------------------------------------------


@pytest.fixture
def calendar(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A time that a test moves."""

    class Calendar:
        now = NOW

    monkeypatch.setattr(clock, "now", lambda: Calendar.now)
    return Calendar


async def deliver(portal: Any, said: dict[str, Any], email: str, outcome: str, at: Any) -> None:
    await builder.hear(
        portal,
        NoticeDelivered.model_validate(
            {
                "tenant_id": said["tenant_id"],
                "mailing_id": said["mailing_id"],
                "recipient": email,
                "outcome": outcome,
                "answer": "" if outcome == "accepted" else "550 no such user",
                "at": at if outcome == "accepted" else None,
            }
        ),
    )


async def test_a_change_of_location_waits_for_every_client(portal: Any, calendar: Any) -> None:
    dupre = await portal.open_tenant("Dupré", "camille@dupre.example")
    martin = await portal.open_tenant("Martin", "jeanne@martin.example")
    async with portal.operator() as api:
        drafted = await api.post("/api/v1/notices", json=body("location"))
        assert drafted.status_code == 201, drafted.text
        path = f"/api/v1/notices/{drafted.json()['notice_id']}"
        shown = (await api.get(path)).json()
        assert (shown["state"], shown["clients"]) == ("draft", [])
        assert shown["preview"]["fr"]["subject"] == (
            "Le lieu de stockage de vos sauvegardes change\N{NO-BREAK SPACE}: Serveurs"
        )
        assert shown["preview"]["fr"]["paragraphs"] == [
            "Les serveurs sont remplacés.", "Rien à faire.",
        ]  # fmt: skip
        assert shown["preview"]["en"]["paragraphs"] == ["Servers are replaced."]
        assert (await api.post(f"{path}/carry-out")).status_code == 409
        assert (await api.post(f"{path}/publish")).status_code == 204
        assert (await api.post(f"{path}/publish")).status_code == 409
        assert await actions.send_due(portal.parts.pool) == 0, "a week ahead, and not sooner"
        calendar.now = NOW + 7 * DAY
        assert await actions.send_due(portal.parts.pool) == 2
        assert await actions.send_due(portal.parts.pool) == 0
        said = {one["tenant_id"]: one for one in await portal.events("notice.published.v1")}
        assert set(said) == {dupre, martin}
        await deliver(portal, said[dupre], "camille@dupre.example", "accepted", calendar.now)
        await deliver(portal, said[martin], "jeanne@martin.example", "accepted", calendar.now)
        await deliver(portal, said[martin], "jeanne@martin.example", "refused", calendar.now)
        await deliver(portal, said[martin], "jeanne@martin.example", "accepted", calendar.now)
        await deliver(
            portal, said[dupre] | {"tenant_id": martin}, "eve@x.example", "refused", calendar.now
        )
        shown = (await api.get(path)).json()
        assert [(one["name"], one["standing"]) for one in shown["clients"]] == [
            ("Dupré", "accepted"), ("Martin", "refused"),
        ]  # fmt: skip
        [called] = shown["to_call"]
        assert called["mails"][0]["answer"] == "550 no such user"
        calendar.now = NOW + 15 * DAY
        refused = await api.post(f"{path}/carry-out")
        assert refused.status_code == 409
        assert refused.json()["detail"] == "No mail was accepted yet by Martin."
        again = await api.post(f"{path}/clients/{martin}/send")
        assert again.status_code == 204
        [*_, newer] = await portal.events("notice.published.v1")
        assert (newer["tenant_id"], newer["version"]) == (martin, 2)
        assert newer["mailing_id"] != said[martin]["mailing_id"]
        await deliver(portal, said[martin], "jeanne@martin.example", "refused", calendar.now)
        await deliver(portal, newer, "new@martin.example", "accepted", calendar.now)
        early = await api.post(f"{path}/carry-out")
        assert early.status_code == 409
        assert "for Martin" in early.json()["detail"]
        calendar.now = NOW + 22 * DAY
        assert (await api.post(f"{path}/carry-out")).status_code == 204
        [listed] = (await api.get("/api/v1/notices")).json()["notices"]
        assert listed["state"] == "done"
        assert await actions.send_due(portal.parts.pool) == 0


async def test_chosen_clients_and_those_who_come_later(portal: Any, calendar: Any) -> None:
    dupre = await portal.open_tenant("Dupré", "camille@dupre.example")
    await portal.open_tenant("Martin", "jeanne@martin.example")
    unknown = body("text", clients=[str(uuid4())], begins_at=None, ahead_days=0)
    async with portal.operator() as api:
        assert (await api.post("/api/v1/notices", json=unknown)).status_code == 404
        assert (await api.post("/api/v1/notices", json=body("text", kind="x"))).status_code == 422
        chosen = (await api.post("/api/v1/notices", json=unknown | {"clients": [dupre]})).json()
        everybody = (await api.post("/api/v1/notices", json=body("maintenance"))).json()
        for one in (chosen, everybody):
            await api.post(f"/api/v1/notices/{one['notice_id']}/publish")
        assert await actions.send_due(portal.parts.pool) == 1
        [said] = await portal.events("notice.published.v1")
        assert (said["tenant_id"], said["kind"]) == (dupre, "text")
        calendar.now = NOW + 8 * DAY
        assert await actions.send_due(portal.parts.pool) == 2
        late = await portal.open_tenant("Late", "l@late.example")
        assert await actions.send_due(portal.parts.pool) == 1, "also who comes before it is over"
        assert (await portal.events("notice.published.v1"))[-1]["tenant_id"] == late
        reason = {"reason": {"fr": "Reporté", "en": "Put off"}}
        path = f"/api/v1/notices/{everybody['notice_id']}"
        assert (await api.post(f"{path}/withdraw", json=reason)).status_code == 204
        assert (await api.post(f"{path}/withdraw", json=reason)).status_code == 409
        assert (await api.post(f"{path}/clients/{dupre}/send")).status_code == 409
    withdrawn = await portal.events("notice.withdrawn.v1")
    assert {one["version"] for one in withdrawn} == {2}
    assert len(withdrawn) == 3


async def test_maintenance_stands_on_the_pages_of_whom_it_was_told(
    portal: Any, calendar: Any
) -> None:
    client = await builder.open_client(portal)
    await builder.open_client(portal, "eve@stranger.example", "Stranger", plan="other")
    wish = body("maintenance", clients=[str(client.tenant_id)], ahead_days=14)
    async with portal.operator() as api, browser(portal) as page, browser(portal) as other:
        notice = (await api.post("/api/v1/notices", json=wish)).json()
        await sign_in(page, client.email, PASSWORD)
        await sign_in(other, "eve@stranger.example", PASSWORD)
        path = f"/api/v1/notices/{notice['notice_id']}"
        await api.post(f"{path}/publish")
        assert "Serveurs" not in (await page.get("/")).text
        await actions.send_due(portal.parts.pool)
        for address in ("/", f"/plans/{client.plan_id}", "/account", "/reports"):
            shown = (await page.get(address)).text
            assert "Maintenance du 13/12/2026 13:00 au 13/12/2026 19:00" in shown, address
        assert "Serveurs" not in (await other.get("/")).text
        current = "/api/v1/notices/current"
        [one] = (await page.get(current)).json()["notices"]
        assert one["title"] == TITLE
        assert (await other.get(current)).json() == {"notices": []}
        assert (await api.get(current)).status_code == 403, "it is of clients"
        reason = {"reason": {"fr": "Reporté", "en": "Put off"}}
        await api.post(f"{path}/withdraw", json=reason)
        assert "Serveurs" not in (await page.get("/")).text


async def test_a_list_of_mails_has_a_column_for_refusals_only_where_there_are_some(
    portal: Any, calendar: Any
) -> None:
    email = "camille@dupre.example"
    dupre = await portal.open_tenant("Dupré", email)
    async with portal.operator() as api, browser(portal) as page:
        notice = (await api.post("/api/v1/notices", json=body("location"))).json()
        await api.post(f"/api/v1/notices/{notice['notice_id']}/publish")
        calendar.now = NOW + 7 * DAY
        await actions.send_due(portal.parts.pool)
        [said] = await portal.events("notice.published.v1")
        await sign_in(page, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        for outcome, columns in (("accepted", 4), ("refused", 5)):
            await deliver(portal, said, email, outcome, calendar.now)
            shown = (await page.get(f"/notices/{notice['notice_id']}")).text
            [head] = re.findall("<thead>(.*?)</thead>", shown, re.DOTALL)
            assert head.count("<th>") == columns, outcome
            assert ("550 no such user" in shown) == (outcome == "refused")
        assert f"/clients/{dupre}/send" in shown


async def test_only_operators_announce(portal: Any) -> None:
    client = await builder.open_client(portal)
    at = f"/api/v1/notices/{UUID(int=1)}"
    reason = {"reason": {"fr": "x", "en": "x"}}
    calls: list[tuple[str, str, Any]] = [
        ("GET", "/api/v1/notices", None), ("POST", "/api/v1/notices", body("location")),
        ("GET", at, None), ("POST", f"{at}/publish", None), ("POST", f"{at}/withdraw", reason),
        ("POST", f"{at}/clients/{client.tenant_id}/send", None), ("POST", f"{at}/carry-out", None),
    ]  # fmt: skip
    for token, status in (("", 401), (client.token, 403)):
        async with portal.client(token) as api:
            for method, path, wish in calls:
                answer = await api.request(method, path, json=wish)
                assert answer.status_code == status, (method, path)
    async with portal.operator() as api:
        for method, path, wish in calls[2:]:
            answer = await api.request(method, path, json=wish)
            assert answer.status_code == 404, (method, path)
