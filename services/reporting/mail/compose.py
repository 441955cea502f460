"""The form of a mail: headers and two parts, ready for the wire."""

from __future__ import annotations

import email
import re
from collections.abc import Iterable
from datetime import datetime
from email.header import Header
from email.headerregistry import Address, AddressHeader, SingleAddressHeader
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from typing import cast

from libs.shared import logs
from libs.shared.words.foreign import plain
from services.reporting.mail.rendering import Rendered

TRACE_HEADER = "X-Coffre-Trace"
"""Which trace a mail belongs to, while it waits; there where traces are exported alone."""
LOG_NAME = "run.log.txt"
_LINE = 76  # RFC 2047, 2: a line with an encoded word


class _Policy(EmailPolicy):
    """SMTP's, with names folded such that no blank beside an encoded word is lost."""

    def fold_binary(self, name: str, value: str) -> bytes:
        if name.lower() == "subject":
            folded = self._fold_words(name, str(value))
        elif isinstance(value, SingleAddressHeader | AddressHeader):
            folded = self._fold_address(name, *value.addresses)
        else:
            return super().fold_binary(name, value)
        return f"{name}: {folded}{self.linesep}".encode("ascii")

    def _fold_words(self, name: str, text: str) -> str:
        if _fits(name, text):
            return text
        return Header(text, "utf-8", _LINE, header_name=name).encode(linesep=self.linesep)

    def _fold_address(self, name: str, address: Address) -> str:
        if not address.display_name or _fits(name, str(address)):
            return str(address)
        words = Header(address.display_name, "utf-8", _LINE, header_name=name).encode(
            linesep=self.linesep
        )
        ending = f" <{address.addr_spec}>"
        last = f"{name}: {words}".rpartition(self.linesep)[2] + ending
        return words + (ending if len(last) <= _LINE else self.linesep + ending)


def _fits(name: str, text: str) -> bool:
    return text.isascii() and len(f"{name}: {text}") <= _LINE


_POLICY = _Policy(linesep="\r\n")


def compose(
    sender: str,
    recipient: str,
    name: str,
    subject: str,
    content: bytes,
    *,
    message_id: str,
    written_at: datetime,
    stop_link: str = "",
    choice_link: str = "",
    answers: str = "",
    replies_to: str = "",
    headers: Iterable[tuple[str, str]] = (),
) -> bytes:
    """Returns the whole message, CRLF line ends, 7-bit: a head of one person's, a body of many.

    `content` is what `encode` made; `sender` may be `Name <address>`; `recipient` is an address as
    `rules.parse_address` gives it;
    names and subject may hold anything: they are made plain, so that no header can be smuggled in.
    answers: the Message-ID of the mail that it goes on from.
    stop_link: where its reader wants no more of it, also by one click of their mail program.
    replies_to: who reads what is answered, if not its sender. headers: names and values beside.
    choice_link: where its reader says which such mails they get; that takes more than a click.
    """
    message = EmailMessage(policy=_POLICY)
    sender_name, sender_address = parseaddr(sender)
    message["From"] = Address(_tidy(sender_name), addr_spec=sender_address)
    message["To"] = Address(_tidy(name), addr_spec=recipient)
    # "=?" would begin an encoded word, and be decoded by the reader to whatever it holds.
    message["Subject"] = plain(subject).replace("=?", "= ?")[:250]
    message["Date"] = format_datetime(written_at)
    message["Message-ID"] = message_id
    if answers:
        message["In-Reply-To"] = answers
        message["References"] = answers
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    if stop_link:
        message["List-Unsubscribe"] = f"<{stop_link}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    elif choice_link:
        message["List-Unsubscribe"] = f"<{choice_link}>"  # RFC 2369: a page with a button
    if replies_to:
        message["Reply-To"] = Address(addr_spec=replies_to)
    for header, value in headers:
        message[header] = plain(value)
    return message.as_bytes().removesuffix(b"\r\n") + content


def encode(content: Rendered, log: str = "") -> bytes:
    """Each form of a text as the body of a message, with the headers that describe it.

    log: attached as a text, if it isn't empty.
    """
    message = EmailMessage(policy=_POLICY)
    message.set_content(content.text, cte="quoted-printable")
    if content.html:
        message.add_alternative(content.html, subtype="html", cte="quoted-printable")
    if log:
        message.add_attachment(
            log,
            subtype="plain",
            cte="quoted-printable",
            filename=LOG_NAME,
            disposition="attachment",
        )
    return message.as_bytes()


def find_trace(body: bytes) -> str:
    """The trace context that a message was composed in, or nothing."""
    headers = dict(split_headers(body.partition(b"\r\n\r\n")[0]))
    told = headers.get(TRACE_HEADER.lower(), b"").decode("ascii", "replace")
    return logs.readable_traceparent(told.strip())


def split_headers(head: bytes) -> list[tuple[str, bytes]]:
    """The headers above a body: names in small letters, values as they are folded."""
    pairs = [each.partition(b":") for each in re.split(rb"\r\n(?![ \t])", head)]
    return [(name.decode("ascii").lower(), value) for name, _, value in pairs]


def fill_in(content: bytes, place: str, text: str) -> bytes:
    """What `encode` made, with other letters, digits, `-` and `_`, as many, in a place; or none.

    Lines stay as they are: a soft break may stand anywhere in it (RFC 2045, 6.7).
    """
    if not text:
        return content
    pattern = b"((?:=\r\n)?)".join(re.escape(one).encode() for one in place)

    def fill(found: re.Match[bytes]) -> bytes:
        breaks = (*found.groups(), b"")
        return b"".join(one.encode() + after for one, after in zip(text, breaks, strict=True))

    return re.sub(pattern, fill, content)


def read_text(body: bytes) -> str:
    """The text of a message, with bare line ends."""
    message = cast("EmailMessage", email.message_from_bytes(body, policy=_POLICY))
    part = message.get_body(("plain",))
    return "\n".join(part.get_content().splitlines()) if part is not None else ""


def shorten(body: bytes, note: str, longest: int) -> bytes:
    """A message with the beginning of its text alone, `longest` characters, and a note below."""
    text = read_text(body)
    cut = text[:longest].rpartition("\n")[0] if len(text) > longest else text
    # As they are: what email makes of names on several lines has blanks too many.
    headers = re.split(rb"\r\n(?![ \t])", body.partition(b"\r\n\r\n")[0])
    ours = [each for each in headers if not each.lower().startswith((b"content-", b"mime-"))]
    short = EmailMessage(policy=_POLICY)
    short.set_content(f"{cut}\n\n{note}\n", cte="quoted-printable")
    return b"\r\n".join([*ours, short.as_bytes()])


_SPECIALS = re.compile(r"""[<>\[\]\\;:@"=?]""")


def _tidy(name: str) -> str:
    """Leaves of a person's name what no reader can take for an address, also if badly decoded."""
    return re.sub(" +", " ", _SPECIALS.sub(" ", plain(name))).strip()[:80]


def sender_domain(sender: str) -> str:
    """Returns the domain that Message-IDs are made in."""
    return parseaddr(sender)[1].rpartition("@")[2]
