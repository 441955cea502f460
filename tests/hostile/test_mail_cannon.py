"""A machine taken over at a client's: it makes us write to nobody whom we don't know."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.shared import clock, database
from libs.shared.events import DumpResult, NotCopied, Reader, RecipientsChanged
from libs.shared.reasons import Reason
from services.portal.rules import recipients
from services.reporting import actions, rules, store
from tests.hostile.counting import Campaign
from tests.reporting.conftest import Client, Desk, client, desk, is_finished
from tests.reporting.faulty_smtp import FaultySMTP

__all__ = ["client", "desk"]  # fixtures

LURE = "Votre facture http://evil.example/pay?x=1 www.evil.example evil.com a@evil.example"


def declare(client: Client, plan_id: UUID, strangers: Sequence[str], version: int = 1) -> Any:
    """What the portal says of a declaration: its own rule, on a client that decided nothing."""
    [jeanne] = client.tenant().administrators
    audience = recipients.judge(plan_id, strangers, [jeanne], [], "fr", {})
    unknown = [one.email for one in audience.entries if one.state == "unknown"]
    return RecipientsChanged(
        tenant_id=client.tenant_id,
        plan_id=plan_id,
        version=version,
        plan_name=LURE,
        hostname=LURE,
        recipients=audience.recipients,
        pending=len(audience.pending),
        news=tuple(unknown[:20]),
    )


def make_strangers(count: int, of: str) -> list[str]:
    return [f"victim{n}-{of}@elsewhere.example" for n in range(count)]


async def fire(
    desk: Desk, client: Client, campaign: Campaign, plans: int, strangers: int, runs: int
) -> None:
    """Declares strangers as readers of many plans, and lets runs of all of them end."""
    await desk.handle(client.tenant())
    for number in range(plans):
        plan_id = uuid4()
        named = make_strangers(strangers, str(number))
        plan = client.plan(plan_id=plan_id, name=LURE, hostname=LURE, recipients=tuple(named))
        await desk.handle(plan, declare(client, plan_id, named))
        campaign.tried("strangers declared as readers of reports", strangers)
        for run in range(runs):
            told = {"plan_id": plan_id, "plan_name": LURE, "hostname": LURE, "log_tail": LURE}
            await desk.handle(client.failed_run(run + 1, **told))
            campaign.tried("runs reported to strangers")


async def check_nobody_else_was_written_to(desk: Desk, client: Client) -> None:
    mails = await desk.mails(tenant_id=client.tenant_id)
    assert {mail["recipient"] for mail in mails} <= {client.email, *desk.office.hotline}
    assert mails, "the administrators hear of it"
    composed = [mail for mail in mails if mail["state"] != "withheld"]
    assert len(composed) <= rules.allowances.CLIENT_A_DAY + len(desk.office.hotline) + 1


async def test_five_hundred_mails_to_strangers_are_none(
    desk: Desk, client: Client, campaign: Campaign
) -> None:
    await fire(desk, client, campaign, plans=5, strangers=100, runs=1)
    await check_nobody_else_was_written_to(desk, client)
    async with FaultySMTP() as smtp, desk.sending(smtp.port):
        await desk.wait(is_finished)
    assert {taken.recipient for taken in smtp.taken} == {client.email, *desk.office.hotline}
    for taken in smtp.taken:
        subject = str(taken.message["Subject"])
        for part in ("plain", "html"):
            said = taken.message.get_body((part,)).get_content()
            for link in ("http://evil", "www.evil", "evil.com", "@evil"):
                assert link not in said + subject, said
    told = await desk.mails(kind="recipients")
    assert len(told) == 5, "one a plan"


@pytest.mark.long
async def test_ten_thousand_declared_strangers_get_no_mail(
    desk: Desk, client: Client, campaign: Campaign
) -> None:
    await fire(desk, client, campaign, plans=100, strangers=100, runs=2)
    await check_nobody_else_was_written_to(desk, client)


async def test_the_administrators_are_told_once_a_plan_and_day(
    desk: Desk, client: Client, campaign: Campaign
) -> None:
    """However often a machine changes its mind."""
    await desk.handle(client.tenant(), client.plan())
    for version in range(1, 31):
        named = make_strangers(3, str(version))
        await desk.handle(declare(client, client.plan_id, named, version))
        campaign.tried("declarations of other strangers")
    [told] = await desk.mails(kind="recipients")
    message: Any = email.message_from_bytes(told["body"], policy=email.policy.default)
    text = message.get_body(("plain",)).get_content()
    assert told["recipient"] == client.email
    assert "victim0-1[@]elsewhere[.]example" in text
    assert f"https://portal.example/plans/{client.plan_id}/recipients" in text


async def test_beyond_the_allowance_one_digest_tells_of_all(
    desk: Desk, client: Client, campaign: Campaign, database: Any
) -> None:
    await desk.handle(client.tenant(), client.plan())
    most = rules.allowances.PLAN_A_DAY
    runs = most + 30
    for number in range(1, runs + 1):
        await desk.handle(client.run(number))
        campaign.tried("runs of one plan in a day")
    assert len(await desk.mails(state="queued")) == most
    assert len(await desk.mails(state="withheld")) == 30
    await actions.digests.write_digests(desk.pool, desk.office)
    assert not await desk.mails(kind="digest"), "more may follow: not at once"
    async with desk.pool.acquire() as conn:
        await conn.execute("UPDATE mails SET created_at = created_at - interval '61 minutes'")
    for _ in range(2):
        await actions.digests.write_digests(desk.pool, desk.office)
    [digest] = await desk.mails(kind="digest")
    assert digest["recipient"] == client.email
    assert "30 messages en un seul" in digest["subject"].replace("\u00a0", " ")
    assert {mail["told_in"] for mail in await desk.mails(state="withheld")} != {None}
    other = Client()
    await desk.handle(other.tenant(), other.plan(), other.run())
    [theirs] = await desk.mails(tenant_id=other.tenant_id)
    assert theirs["state"] == "queued", "another client's allowance is its own"


async def test_all_plans_of_a_client_share_an_allowance(
    desk: Desk, client: Client, campaign: Campaign
) -> None:
    most = rules.allowances.CLIENT_A_DAY
    await desk.handle(client.tenant())
    async with database.transaction(desk.pool) as conn:
        await conn.execute(
            """INSERT INTO mails (mail_id, tenant_id, kind, subject_id, recipient, message_id,
                   subject, state, created_at, due_at, give_up_at, by_client)
               SELECT gen_random_uuid(), $1, 'report', gen_random_uuid(), 'x@y.example', n::text,
                   '', 'sent', $2, $2, $2, true FROM generate_series(1, $3) n""",
            client.tenant_id, clock.now(), most - 1,
        )  # fmt: skip
    for _ in range(3):
        plan_id = uuid4()
        await desk.handle(client.plan(plan_id=plan_id), client.run(plan_id=plan_id))
    states = sorted(mail["state"] for mail in await desk.mails(recipient=client.email))
    assert states == ["queued", "withheld", "withheld"]
    other = Client()
    await desk.handle(other.tenant(), other.plan(), other.run())
    [theirs] = await desk.mails(tenant_id=other.tenant_id)
    assert theirs["state"] == "queued", "another client's allowance is its own"


async def test_a_client_that_ended_causes_no_more_mails(
    desk: Desk, client: Client, campaign: Campaign
) -> None:
    await desk.handle(client.tenant(), client.plan())
    await desk.handle(client.tenant(version=2, subscription="ended"))
    for number in range(1, 21):
        await desk.handle(client.failed_run(number))
        campaign.tried("runs after the end")
    await desk.handle(declare(client, client.plan_id, make_strangers(5, "x")))
    await desk.handle(client.invitation("paul@elsewhere.example"))
    assert not await desk.mails()
    await desk.handle(client.tenant(version=3, subscription="active"), client.run(21))
    assert [mail["kind"] for mail in await desk.mails()] == ["report"]


async def test_a_full_queue_is_shared_between_clients_and_passwords_come_first(
    desk: Desk, client: Client, campaign: Campaign
) -> None:
    await desk.handle(client.tenant(), client.plan())
    for number in range(1, 81):
        await desk.handle(client.run(number))
        campaign.tried("mails of one client in the queue before another's")
    others = [Client() for _ in range(3)]
    for other in others:
        await desk.handle(other.tenant(), other.plan(), other.run())
    await desk.handle(others[0].password())
    async with FaultySMTP() as smtp, desk.sending(smtp.port):
        await desk.wait(is_finished)
    order = [taken.recipient for taken in smtp.taken]
    passwords = [i for i, t in enumerate(smtp.taken) if "password." in t.message_id]
    assert passwords[0] < 4, "four connections take a mail each at once"
    for other in others:
        assert order.index(other.email) < 12, order[:15]


async def test_the_longest_report_to_many_has_a_hundred_kilobytes_and_is_composed_once(
    desk: Desk, client: Client, campaign: Campaign
) -> None:
    long = "/srv/" + "\N{PILE OF POO}é" * 1000
    paths = [f"{long}{n}" for n in range(1000)]
    reason = Reason("unreadable", detail="\N{PILE OF POO}" * 3000)
    run = client.failed_run(
        files_not_copied=123_456,
        not_copied=tuple(NotCopied(path=path, reason=reason) for path in paths),
        warnings=(reason,) * 100,
        dumps=tuple(
            DumpResult(name=path, succeeded=False, guaranteed=False, size_bytes=1, reason=reason)
            for path in paths[:100]
        ),
        hostname=paths[0],
        reason=Reason("folder-missing", paths[0], detail=paths[1]),
        log_tail="\n".join(paths),
    )
    people = tuple(
        Reader(name="", email=f"p{n}-{client.email}", locale="fr" if n % 2 else "en")
        for n in range(10)
    )
    plan = client.plan(name=paths[0][:255])
    await desk.handle(client.tenant(), plan, client.recipients(recipients=people), run)
    campaign.tried("reports of a thousand long paths to ten people")
    mails = await desk.mails()
    assert len(mails) == 11
    assert all(len(mail["body"]) <= rules.mails.MOST_BYTES for mail in mails)
    bodies = [mail["body"].partition(b"\r\n\r\n")[2] for mail in mails if mail["kind"] == "report"]
    # But for each reader's own link; what stands between its parts is made up each time.
    assert len({body.partition(b"\r\n")[0] for body in bodies}) == 2, "one a language"
    assert len(set(bodies)) == len(people)
    message: Any = email.message_from_bytes(mails[-1]["body"], policy=email.policy.default)
    assert "le portail les énumère" in message.get_body(("plain",)).get_content()


async def test_a_report_of_a_thousand_paths_lists_as_many_as_fit(
    desk: Desk, client: Client
) -> None:
    long = "/srv/documents/" + "dossier accentué/" * 12
    reason = Reason("permission-denied")
    run = client.run(
        outcome="succeeded_with_warnings",
        files_not_copied=1000,
        not_copied=tuple(NotCopied(path=f"{long}{n}.pdf", reason=reason) for n in range(1000)),
    )
    await desk.handle(client.tenant(), client.plan(), run)
    [mail] = await desk.mails()
    assert len(mail["body"]) <= rules.mails.MOST_BYTES
    message: Any = email.message_from_bytes(mail["body"], policy=email.policy.default)
    text = message.get_body(("plain",)).get_content()
    listed = text.count("\n- /srv/documents/")
    assert listed == 50
    assert "950 de plus" in text


async def test_a_one_time_password_lies_sealed_in_the_queue(desk: Desk, client: Client) -> None:
    await desk.handle(client.password("Qz7-secret-9"))
    [queued] = await desk.mails()
    stored = str(await desk.mails())
    assert queued["state"] == "queued"
    assert "Qz7-secret-9" not in stored
    assert b"Content-Type" not in queued["body"]
    async with FaultySMTP() as smtp, desk.sending(smtp.port):
        [taken] = await smtp.wait_taken(1)
        await desk.wait(is_finished)
    assert "Qz7-secret-9" in taken.message.get_body(("plain",)).get_content()
    assert [mail["body"] for mail in await desk.mails()] == [None]


async def test_who_writes_to_the_database_diverts_no_password(
    desk: Desk, client: Client, campaign: Campaign
) -> None:
    await desk.handle(client.password("Qz7-secret-8"))
    async with desk.pool.acquire() as conn:
        await conn.execute("UPDATE mails SET recipient = 'thief@evil.example'")
    campaign.tried("queued passwords diverted in the database")
    async with FaultySMTP() as smtp, desk.sending(smtp.port):
        await desk.wait(lambda mails: len(mails) == 2 and is_finished(mails))
    assert {taken.recipient for taken in smtp.taken} == set(desk.office.hotline)
    assert "Qz7-secret-8" not in str([str(taken.message) for taken in smtp.taken])


async def test_digests_and_allowances_look_back_a_day_only(desk: Desk, client: Client) -> None:
    await desk.handle(client.tenant(), client.plan())
    for number in range(1, rules.allowances.PLAN_A_DAY + 1):
        await desk.handle(client.run(number))
    async with database.transaction(desk.pool) as conn:
        caused = await store.mails.count_caused(
            conn, client.tenant_id, client.plan_id, client.email, clock.now() - timedelta(hours=24)
        )
        assert caused.is_enough
        await conn.execute("UPDATE mails SET created_at = created_at - interval '25 hours'")
    await desk.handle(client.run(1000))
    assert not await desk.mails(state="withheld")
