"""`python -m services.reporting mail`: proofs of sending, and what the mail server says."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from uuid import UUID

from libs.shared import database
from libs.shared.errors import NotFound
from libs.shared.settings import load
from libs.shared.words.foreign import plain
from services.reporting import rules, store
from services.reporting.actions.resources import Resources
from services.reporting.commands import probing, wiring
from services.reporting.rules.mails import Proof
from services.reporting.settings import OperatorSettings, Settings

STATES = ("queued", "sending", "sent", "undeliverable", "withheld")


def describe(parser: ArgumentParser) -> None:
    """What about mails."""
    what = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    listing = what.add_parser("list", help="list mails, newest first")
    listing.add_argument("--to", default="", metavar="ADDRESS", help="whom they are for")
    listing.add_argument("--tenant", type=UUID, metavar="ID", help="about whom")
    listing.add_argument("--state", choices=STATES)
    listing.add_argument("--most", type=int, default=50, metavar="N", help="how many (50)")
    listing.add_argument("--json", action="store_true", help="one object a line")
    show = what.add_parser("show", help="show one, with what the mail server said")
    show.add_argument("mail", metavar="ID", help="its id, or its Message-ID")
    show.add_argument("--text", action="store_true", help="the mail itself, as it went out")
    test = what.add_parser("test", help="send a mail, and tell each step of it")
    test.add_argument("address", metavar="ADDRESS")


async def run(arguments: Namespace) -> int:
    """Does what is asked for."""
    if arguments.what == "test":
        settings = load(Settings)
        return await _test(settings, arguments.address)
    dsn = load(OperatorSettings).database_url.get_secret_value()
    async with (
        await database.create_pool(dsn, "reporting", max_size=1) as pool,
        database.transaction(pool) as conn,
    ):
        if arguments.what == "list":
            found = await store.proofs.search(
                conn, arguments.to, arguments.tenant, arguments.state, arguments.most
            )
        else:
            found = await store.proofs.find(conn, *_read_name(arguments.mail))
    if arguments.what == "list":
        for proof in found:
            print(json.dumps(_facts(proof)) if arguments.json else _line(proof))
        if not found and not arguments.json:
            print("There is no such mail.")
        return 0
    if not found:
        raise NotFound("mail")
    if arguments.text:
        return _print_text(found[0])
    _show(found[0])
    return 0


async def _test(settings: Settings, address: str) -> int:
    recipient = rules.mails.parse_address(address)
    if recipient is None:
        print(f"{plain(address)} is no mail address.")
        return 2
    resources: Resources = wiring.make_resources(settings)
    return await probing.probe(wiring.make_server(settings), resources, recipient, print)


def _read_name(name: str) -> tuple[UUID | None, str]:
    """A mail's id, or its Message-ID, with or without its brackets."""
    try:
        return UUID(name), ""
    except ValueError:
        return None, f"<{name.strip('<>')}>"


def _print_text(proof: Proof) -> int:
    if not proof.body or proof.secret:
        print("Its text isn't kept: of a one-time password, older than 400 days, or never written.")
        return 1
    sys.stdout.write(proof.body.decode("ascii", "replace").replace("\r\n", "\n"))
    return 0


def _show(proof: Proof) -> None:
    facts = _facts(proof)
    width = max(map(len, facts))
    for name, value in facts.items():
        if value not in (None, ""):
            print(f"{name.ljust(width)}  {plain(str(value))}")


def _line(proof: Proof) -> str:
    when = proof.sent_at or proof.created_at
    return (
        f"{proof.mail_id}  {when:%Y-%m-%d %H:%M:%S}  {proof.state.ljust(13)}"
        f"  {plain(proof.recipient)}  {plain(proof.subject)}"
    )


def _facts(proof: Proof) -> dict[str, object]:
    return {
        "mail_id": str(proof.mail_id),
        "tenant_id": str(proof.tenant_id),
        "kind": proof.kind,
        "recipient": proof.recipient,
        "subject": proof.subject,
        "message_id": proof.message_id,
        "state": proof.state,
        "written_at": proof.created_at.isoformat(),
        "sent_at": proof.sent_at.isoformat() if proof.sent_at else None,
        "receipt": proof.receipt,
        "bounced_at": proof.bounced_at.isoformat() if proof.bounced_at else None,
        "last_answer": proof.last_answer,
        "tries": proof.tries,
        "possible_duplicates": proof.possible_duplicates,
        "next_try_at": proof.due_at.isoformat() if proof.state == "queued" else None,
    }
