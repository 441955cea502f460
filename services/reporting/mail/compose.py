"""The form of a mail: headers and two parts, ready for the wire."""

from __future__ import annotations

import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from services.reporting import rules
from services.reporting.mail.words import Rendered


def compose(
    sender: str,
    recipient: str,
    name: str,
    subject: str,
    content: Rendered,
    *,
    message_id: str,
    written_at: datetime,
) -> bytes:
    """Returns the whole message, CRLF line ends, 7-bit.

    `sender` may be `Name <address>`; `recipient` is an address as `rules.parse_address` gives it;
    names and subject may hold anything: they are made plain, so that no header can be smuggled in.
    """
    message = EmailMessage(policy=SMTP)
    sender_name, sender_address = parseaddr(sender)
    message["From"] = Address(_tidy(sender_name), addr_spec=sender_address)
    message["To"] = Address(_tidy(name), addr_spec=recipient)
    # "=?" would begin an encoded word, and be decoded by the reader to whatever it holds.
    message["Subject"] = rules.plain(subject).replace("=?", "= ?")[:250]
    message["Date"] = format_datetime(written_at)
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(content.text, cte="quoted-printable")
    message.add_alternative(content.html, subtype="html", cte="quoted-printable")
    return message.as_bytes()


_SPECIALS = re.compile(r"""[<>()\[\]\\,;:@"=?]""")


def _tidy(name: str) -> str:
    """Leaves of a person's name what no reader of headers can misunderstand.

    email's own folding writes long names of special signs such that they parse as addresses.
    """
    return " ".join(_SPECIALS.sub(" ", rules.plain(name)).split())[:80]


def sender_domain(sender: str) -> str:
    """Returns the domain that Message-IDs are made in."""
    return parseaddr(sender)[1].rpartition("@")[2]
