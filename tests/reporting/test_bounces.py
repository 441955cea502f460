"""What comes back: bounces of ours, bounces that somebody made up, and all that isn't one."""

from __future__ import annotations

import imaplib
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from libs.shared import clock
from libs.shared.errors import Unavailable
from services.reporting import actions, rules
from services.reporting.mail.mailboxes import Imap, Mailbox, Maildir
from tests.reporting import dovecot
from tests.reporting.conftest import MAIL_KEY, Client, Desk, is_finished
from tests.reporting.faulty_smtp import FaultySMTP

USER_UNKNOWN = ("failed", "5.1.1", "smtp; 550 5.1.1 <jeanne@martin.example>: no such user")


def make_notice(
    to: str,
    message_id: str = "",
    said: tuple[str, str, str] = USER_UNKNOWN,
    *,
    report: str = "delivery-status",
) -> bytes:
    """A notice as Postfix writes them."""
    action, status, diagnostic = said
    returned = f"Message-ID: {message_id}\n" if message_id else ""
    return (
        "Return-Path: <>\n"
        f"Delivered-To: {to}\n"
        "From: MAILER-DAEMON@mx.martin.example (Mail Delivery System)\n"
        f"To: {to}\n"
        "Subject: Undelivered Mail Returned to Sender\n"
        "Auto-Submitted: auto-replied\n"
        "MIME-Version: 1.0\n"
        f'Content-Type: multipart/report; report-type={report}; boundary="cut"\n\n'
        "--cut\nContent-Type: text/plain\n\nI'm sorry to have to inform you…\n\n"
        f"--cut\nContent-Type: message/{report}\n\n"
        "Reporting-MTA: dns; mx.martin.example\n\n"
        "Final-Recipient: rfc822; jeanne@martin.example\n"
        f"Action: {action}\nStatus: {status}\nDiagnostic-Code: {diagnostic}\n\n"
        f"--cut\nContent-Type: text/rfc822-headers\n\n{returned}Subject: REUSSIE\n\n--cut--\n"
    ).encode()


def make_answer(to: str, subject: str = "Absent du bureau") -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "jeanne@martin.example", to, subject
    message["Auto-Submitted"] = "auto-replied"
    message.set_content("Je suis absente. 550 5.1.1 failed\nAction: failed\nStatus: 5.1.1\n")
    return message.as_bytes()


class Post:
    """A Maildir as an MTA fills it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in ("new", "cur", "tmp"):
            (folder / part).mkdir(parents=True)
        self.mailbox: Mailbox = Maildir(folder)
        self._count = 0

    def deliver(self, raw: bytes) -> None:
        self._count += 1
        (self.folder / "new" / f"{self._count:06}.host").write_bytes(raw)

    def left(self) -> int:
        return len([*(self.folder / "new").iterdir(), *(self.folder / "cur").iterdir()])

    def done(self) -> int:
        return len([*(self.folder / ".Done/cur").iterdir()])


@pytest.fixture
def post(tmp_path: Path) -> Post:
    return Post(tmp_path / "bounces")


@pytest.fixture
def bouncing(desk: Desk) -> Desk:
    desk.office = replace(desk.office, bounces_address="bounces@provider.example")
    return desk


async def send(desk: Desk, client: Client, *emails: str) -> dict[str, str]:
    """Reports a run; the envelope sender of each mail that was sent."""
    await desk.handle(client.tenant(), client.plan(), client.recipients(client.email, *emails))
    await desk.handle(client.run())
    async with FaultySMTP() as smtp, desk.sending(smtp.port):
        await desk.wait(is_finished)
    return {taken.recipient: taken.sender for taken in smtp.taken}


async def take(desk: Desk, mailbox: Mailbox) -> int:
    return await actions.bounces.take_bounces(desk.pool, desk.office, mailbox)


async def test_a_bounce_makes_a_report_undeliverable_once(
    bouncing: Desk, client: Client, post: Post
) -> None:
    desk = bouncing
    senders = await send(desk, client, "paul@martin.example")
    to = senders[client.email]
    assert len(to.partition("@")[0]) <= 64, "RFC 5321, 4.5.3.1.1"
    assert to != senders["paul@martin.example"]
    assert to.startswith("bounces+")
    post.deliver(make_notice(to.upper()))
    post.deliver(make_notice(to))
    assert await take(desk, post.mailbox) == 2
    assert (post.left(), post.done()) == (0, 2)

    by_person = {mail["recipient"]: mail for mail in await desk.mails(kind="report")}
    bounced = by_person[client.email]
    assert bounced["state"] == "undeliverable"
    assert bounced["bounced_at"] is not None
    assert bounced["sent_at"] is not None
    assert bounced["receipt"] == "250 2.0.0 taken", "it was sent all the same"
    assert bounced["last_answer"].startswith("5.1.1 550 5.1.1 <jeanne@martin.example>")
    assert by_person["paul@martin.example"]["state"] == "sent"
    [event] = await desk.published("report.undeliverable.v1")
    assert client.email in event["payload"]
    [told] = await desk.mails(kind="incident")
    assert told["recipient"] == desk.office.hotline[0]
    assert await take(desk, post.mailbox) == 0


async def test_without_a_token_the_message_id_of_what_came_back_tells(
    desk: Desk, client: Client, post: Post
) -> None:
    senders = await send(desk, client)
    assert set(senders.values()) == {"coffre@provider.example"}
    [mail] = await desk.mails()
    post.deliver(make_notice("coffre@provider.example", mail["message_id"]))
    await take(desk, post.mailbox)
    assert (await desk.mails(kind="report"))[0]["state"] == "undeliverable"


async def test_what_is_no_bounce_changes_nothing(
    bouncing: Desk, client: Client, post: Post
) -> None:
    desk = bouncing
    senders = await send(desk, client)
    [mail] = await desk.mails()
    to, message_id = senders[client.email], mail["message_id"]
    late = ("delayed", "4.4.1", "smtp; connect to mx.martin.example: timed out")
    for raw in (
        make_notice(to, message_id, late),
        make_notice(to, message_id, ("delivered", "2.0.0", "smtp; 250 ok")),
        make_notice(to, message_id, report="disposition-notification"),
        make_notice(to, message_id).replace(b"Action: failed\n", b""),
        make_answer(to),
        make_answer(to, "Undelivered Mail Returned to Sender"),
        b"",
        b"\xff\x00" * 5000,
        b"Content-Type: multipart/report; boundary=\n\n--\n--\n",
        (
            b'Content-Type: multipart/report; boundary="x"\n\n--x\nContent-Type: '
            b"message/delivery-status\n\n\n\n--x--\n"
        ),
        make_notice("bounces+" + "a" * 42 + "@provider.example", "<x@y>"),
        make_notice(to, message_id)[:300],
    ):
        post.deliver(raw)
    taken = await take(desk, post.mailbox)
    assert (taken, post.left(), post.done()) == (12, 0, 12)
    assert [mail["state"] for mail in await desk.mails()] == ["sent"]
    assert not await desk.published("report.undeliverable.v1")


async def test_a_bounce_of_anothers_mail_cant_be_made_up(bouncing: Desk, post: Post) -> None:
    """By somebody who got a mail of ours, and so knows a token and a Message-ID of their own."""
    desk, thief, victim = bouncing, Client(), Client()
    own = (await send(desk, thief))[thief.email]
    await send(desk, victim)
    mails = {mail["recipient"]: mail for mail in await desk.mails(kind="report")}
    theirs = mails[victim.email]
    token = own.partition("+")[2].partition("@")[0]
    made_up = rules.bounces.make_token(bytes(32), victim.tenant_id, theirs["mail_id"])
    halves = (
        rules.bounces.make_token(MAIL_KEY, victim.tenant_id, theirs["mail_id"])[:26] + token[26:]
    )
    other_client = rules.bounces.make_token(MAIL_KEY, thief.tenant_id, theirs["mail_id"])
    guessed = rules.mails.make_message_id(
        b"", victim.tenant_id, "report", theirs["subject_id"], victim.email, "provider.example"
    )
    for address, message_id in (
        (f"bounces+{made_up}@provider.example", ""),
        (f"bounces+{halves}@provider.example", ""),
        (f"bounces+{other_client}@provider.example", theirs["message_id"]),
        (own, theirs["message_id"]),
        ("bounces@provider.example", guessed),
    ):
        post.deliver(make_notice(address, message_id))
    await take(desk, post.mailbox)
    assert {mail["state"] for mail in await desk.mails(kind="report")} == {"sent"}
    post.deliver(make_notice(own))
    await take(desk, post.mailbox)
    states = {mail["recipient"]: mail["state"] for mail in await desk.mails(kind="report")}
    assert states == {thief.email: "undeliverable", victim.email: "sent"}


async def test_a_crash_takes_a_bounce_once(bouncing: Desk, client: Client, post: Post) -> None:
    """It ends between the commit and the move: the message is read again."""

    class Dying(Maildir):
        def open(self) -> Any:
            session = super().open()

            def die(name: str) -> None:
                raise Unavailable("killed")

            session.put_aside = die  # type: ignore[method-assign]
            return session

    desk = bouncing
    senders = await send(desk, client)
    post.deliver(make_notice(senders[client.email]))
    for _ in range(2):
        with pytest.raises(Unavailable):
            await take(desk, Dying(post.folder))
    assert post.left() == 1
    assert await take(desk, post.mailbox) == 1
    assert len(await desk.published("report.undeliverable.v1")) == 1
    assert len(await desk.mails(kind="incident")) == 1


async def test_a_mailbox_that_is_away_is_waited_for(desk: Desk) -> None:
    for mailbox in (
        Maildir(Path("/proc/nowhere")),
        Imap("127.0.0.1", 9, "bounces", "x"),
    ):
        with pytest.raises(Unavailable):
            await take(desk, mailbox)


async def test_bounces_are_read_from_a_real_imap_server(bouncing: Desk, client: Client) -> None:
    """They stay there in a folder of their own; a wrong password is told of and waited for."""
    desk = bouncing
    senders = await send(desk, client)
    with dovecot.running() as port:
        mailbox = Imap("127.0.0.1", port, "bounces", dovecot.PASSWORD)
        with pytest.raises(Unavailable, match="AUTHENTICATIONFAILED"):
            await take(desk, replace(mailbox, password="wrong"))
        admin = imaplib.IMAP4("127.0.0.1", port)
        admin.login("bounces", dovecot.PASSWORD)
        for raw in (make_answer("x@y.example"), make_notice(senders[client.email])):
            admin.append("INBOX", "", "", raw.replace(b"\n", b"\r\n"))
        assert [await take(desk, mailbox) for _ in range(2)] == [2, 0]
        assert admin.select("INBOX")[1] == [b"0"]
        assert admin.select("Done")[1] == [b"2"]
        admin.logout()
    assert (await desk.mails(kind="report"))[0]["state"] == "undeliverable"


async def test_an_address_is_trusted_again_once_a_mail_stayed_away(
    bouncing: Desk, client: Client, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its server takes each mail and sends it back: that is one incident and not one a night."""
    desk, began = bouncing, clock.now()
    now = began
    monkeypatch.setattr(clock, "now", lambda: now)

    async def say(*kinds: str) -> list[str]:
        await actions.sending.verdicts.trust_again(desk.pool, desk.office)
        return [mail["kind"] for mail in await desk.mails() if mail["kind"] in kinds]

    async with FaultySMTP() as smtp, desk.sending(smtp.port):
        await desk.handle(client.tenant(), client.plan(), client.recipients(client.email))
        for night in range(3):
            now = began + timedelta(days=night)
            await desk.handle(client.run(night + 1))
            await desk.wait(is_finished)
            if night < 2:
                newest = [one for one in smtp.taken if one.recipient == client.email][-1]
                now += timedelta(hours=1)
                post.deliver(make_notice(newest.sender))
                await take(desk, post.mailbox)
                await desk.wait(is_finished)
            assert await say("incident", "closed") == ["incident"]
        now = began + timedelta(days=2, hours=23)
        assert await say("incident", "closed") == ["incident"]
        now = began + timedelta(days=3)
        assert await say("incident", "closed") == ["incident", "closed"]
