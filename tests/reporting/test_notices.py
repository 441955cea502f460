"""What operators announce is mailed and followed; in a maintenance's window nothing is missed."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from libs.shared.events import NoticePublished, NoticeWithdrawn, Texts
from libs.shared.words.tongue import NBSP
from services.reporting import rules
from services.reporting.rules.missed import Window
from tests.reporting.conftest import Client, Desk, is_finished
from tests.reporting.faulty_smtp import FaultySMTP
from tests.reporting.test_incidents import text_of, told
from tests.reporting.test_missed import (  # noqa: F401
    HOUR,
    MINUTE,
    NIGHTLY,
    Calendar,
    calendar,
    known,
    paris,
    run_at,
)

ZONE = "Europe/Paris"


def notice(client: Client, **changes: Any) -> NoticePublished:
    fields: dict[str, Any] = {
        "tenant_id": client.tenant_id,
        "notice_id": uuid4(),
        "mailing_id": uuid4(),
        "version": 1,
        "kind": "maintenance",
        "title": Texts(fr="Serveurs", en="Servers"),
        "text": Texts(fr="Ils sont\nremplacés.\n\nRien à faire.", en="They are replaced."),
        "begins_at": paris("2026-11-24 01:00"),
        "ends_at": paris("2026-11-24 05:00"),
    }
    return NoticePublished(**(fields | changes))


def withdrawal(said: NoticePublished) -> NoticeWithdrawn:
    return NoticeWithdrawn(
        tenant_id=said.tenant_id,
        notice_id=said.notice_id,
        mailing_id=uuid4(),
        version=said.version + 1,
        title=said.title,
        reason=Texts(fr="Reporté.", en="Put off."),
    )


# --- rules ---------------------------------------------------------------------------------------


NIGHT = Window(paris("2026-11-24 01:00"), paris("2026-11-24 05:00"))


@pytest.mark.parametrize(
    ("schedule", "at", "windows", "expected"),
    [
        (NIGHTLY, "2026-11-24 02:15", [], "2026-11-24 02:15"),
        (NIGHTLY, "2026-11-24 02:15", [NIGHT], "2026-11-25 02:15"),
        (NIGHTLY, "2026-11-25 02:15", [NIGHT], "2026-11-25 02:15"),
        ("0 * * * *", "2026-11-24 01:00", [NIGHT], "2026-11-24 05:00"),
        ("0 * * * *", "2026-11-24 00:00", [NIGHT], "2026-11-24 00:00"),
        (
            "0 * * * *",
            "2026-11-24 02:00",
            [NIGHT, Window(NIGHT.ends_at, NIGHT.ends_at + HOUR)],
            "2026-11-24 06:00",
        ),
        (
            NIGHTLY,
            "2026-10-25 02:15",
            [Window(paris("2026-10-25 02:00"), paris("2026-10-25 02:00", fold=1))],
            "2026-10-26 02:15",
        ),
    ],
)
def test_what_is_due_in_a_window_is_expected_after_it(
    schedule: str, at: str, windows: list[Window], expected: str
) -> None:
    found = rules.missed.find_excused(schedule, ZONE, paris(at), windows)
    assert found == paris(expected)


def test_a_run_that_maintenance_cut_off_has_its_grace_again() -> None:
    before = paris("2026-11-24 00:30")
    find = rules.missed.find_due
    assert find(before, HOUR, []) == paris("2026-11-24 01:30")
    assert find(before, HOUR, [NIGHT]) == paris("2026-11-24 06:00")
    assert find(before, 10 * MINUTE, [NIGHT]) == paris("2026-11-24 00:40")
    assert find(NIGHT.ends_at, HOUR, [NIGHT]) == paris("2026-11-24 06:00")


def test_of_many_times_those_in_a_window_are_not_counted() -> None:
    at = paris("2026-11-24 00:00")
    found = rules.missed.find_missed(
        "0 * * * *", ZONE, at, HOUR, paris("2026-11-24 08:30"), [NIGHT]
    )
    assert found is not None
    assert (found.times, found.at) == (4, paris("2026-11-24 07:00"))  # 0, 5, 6 and 7 o'clock
    assert found.next_at == paris("2026-11-24 08:00")


# --- stories -------------------------------------------------------------------------------------


async def test_nothing_is_missed_in_a_window_and_all_of_it_after(
    desk: Desk,
    known: Client,  # noqa: F811
    calendar: Calendar,  # noqa: F811
) -> None:
    calendar.now = paris("2026-11-23 02:31")
    await desk.handle(run_at(known, 1, paris("2026-11-23 02:15")), notice(known))
    assert await calendar.reach(paris("2026-11-24 03:20")) == 1, "it looks once"
    assert await calendar.reach(paris("2026-11-24 12:00")) == 0
    assert await told(desk, "missed", "silent") == []
    await calendar.reach(paris("2026-11-25 03:20"))
    [missed] = await told(desk, "missed")
    assert "attendue le 25/11/2026 02:15" in text_of(missed)


async def test_what_was_withdrawn_excuses_nothing(
    desk: Desk,
    known: Client,  # noqa: F811
    calendar: Calendar,  # noqa: F811
) -> None:
    calendar.now = paris("2026-11-23 02:31")
    said = notice(known)
    await desk.handle(run_at(known, 1, paris("2026-11-23 02:15")))
    await desk.handle(withdrawal(said), said)  # in whatever order
    await calendar.reach(paris("2026-11-24 03:20"))
    assert len(await told(desk, "missed")) == 1


async def test_each_administrator_is_told_in_their_language_and_what_became_of_it_is_known(
    desk: Desk, client: Client
) -> None:
    [jeanne] = client.tenant().administrators
    sam = jeanne.model_copy(update={"email": "sam@martin.example", "locale": "en"})
    lost = jeanne.model_copy(update={"email": "no address"})
    await desk.handle(client.tenant(administrators=(jeanne, sam, lost), reports_declined=True))
    said = notice(client)
    again = said.model_copy(update={"version": 2, "mailing_id": uuid4()})
    await desk.handle(said, said, again, withdrawal(again))
    mails = await desk.mails(kind="notice", subject_id=said.mailing_id)
    bodies = {mail["recipient"]: text_of(mail) for mail in mails if mail["body"]}
    assert set(bodies) == {jeanne.email, sam.email}
    french = bodies[jeanne.email].replace(NBSP, " ")
    assert "Maintenance le 24/11/2026 01:00 : Serveurs" in french
    assert "Ils sont remplacés." in french
    assert "Rien à faire." in french
    assert "They are replaced." in bodies[sam.email]
    assert len(await desk.mails(kind="notice", subject_id=again.mailing_id)) == 3
    assert [mail for mail in await desk.mails() if mail["subject"].startswith("N’aura pas lieu")]
    async with FaultySMTP() as smtp, desk.sending(smtp.port):
        await desk.wait(is_finished)
    delivered = [
        event
        for event in map(load, await desk.published("notice.delivered.v1"))
        if event["mailing_id"] == str(said.mailing_id)
    ]
    outcomes = {event["recipient"]: event["outcome"] for event in delivered}
    assert outcomes == {
        jeanne.email: "accepted", sam.email: "accepted", "no address": "refused",
    }  # fmt: skip
    for event in delivered:
        assert (event["at"] is None) is (event["outcome"] == "refused")


def load(row: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(row["payload"]))
