"""What comes back: notices of delivery (RFC 3464), and which mail each is about."""

from __future__ import annotations

import base64
import email
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.policy import compat32
from typing import Literal
from uuid import UUID

from libs.shared.words.foreign import plain

Action = Literal["failed", "delayed", "other"]

MOST_BYTES = 1_000_000
"""How much of a message is read: a notice stands before the mail that it returns."""
_MAC_BYTES = 10
_TOKEN = re.compile(r"\+([a-z2-7]{42})@", re.IGNORECASE)
_MESSAGE_ID = re.compile(r"<[^<>\s@]+@[^<>\s@]+>")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_DELIVERED_TO = ("Delivered-To", "X-Original-To", "Envelope-To", "To")


@dataclass(frozen=True, slots=True)
class Notice:
    """What a mail server says of a mail that it took.

    status: as RFC 3463 has it, empty where there is none. said: the other server's words.
    tokens: of envelope senders that it was sent to. message_id: of the mail that it returns.
    """

    action: Action
    status: str
    said: str
    tokens: frozenset[str]
    message_id: str

    @property
    def answer(self) -> str:
        """Both in one line, as replies of servers are kept."""
        return plain(f"{self.status or '5.0.0'} {self.said}".strip())[:500]


def make_envelope_sender(address: str, mail_key: bytes, tenant_id: UUID, mail_id: UUID) -> str:
    """Returns where bounces of one mail go: `bounces+TOKEN@provider.example`."""
    local, _, domain = address.rpartition("@")
    return f"{local}+{make_token(mail_key, tenant_id, mail_id)}@{domain}"


def make_token(mail_key: bytes, tenant_id: UUID, mail_id: UUID) -> str:
    """Returns 42 letters and digits, in which case doesn't matter; nobody else can make them."""
    signed = mail_id.bytes + _sign(mail_key, tenant_id, mail_id)
    return base64.b32encode(signed).decode().rstrip("=").lower()


def read_token(token: str) -> UUID:
    """Returns which mail a token is about; nothing is proven by that."""
    return UUID(bytes=base64.b32decode(token.upper() + "=" * (-len(token) % 8))[:16])


def is_genuine(token: str, mail_key: bytes, tenant_id: UUID, mail_id: UUID) -> bool:
    """Whether we made this token, for this client's mail."""
    return hmac.compare_digest(token, make_token(mail_key, tenant_id, mail_id))


def read_notice(raw: bytes) -> Notice | None:
    """Returns what a message says of a mail of ours; None: it is no notice, but anything else.

    Automatic answers are none, nor is spam: what counts is a report of delivery alone.
    Of several people the one counts whom it says the worst of.
    """
    message = email.message_from_bytes(raw[:MOST_BYTES], policy=compat32)
    if message.get_content_type() != "multipart/report":
        return None
    people: list[Message] = []
    message_id = ""
    for part in _parts(message):
        kind = part.get_content_type()
        if kind in {"message/delivery-status", "message/global-delivery-status"}:
            people += [one for one in _parts_of(part) if one.get("Action")]
        elif kind in {"message/rfc822", "text/rfc822-headers", "message/global-headers"}:
            message_id = message_id or _find_message_id(part)
    if not people:
        return None
    worst = min(people, key=lambda one: _RANKS.index(_find_action(one)))
    status = _STATUS.search(str(worst.get("Status", "")))
    return Notice(
        _find_action(worst),
        status.group() if status else "",
        _find_words(worst),
        frozenset(_find_tokens(message)),
        message_id,
    )


_RANKS: tuple[Action, ...] = ("failed", "delayed", "other")


def _parts(message: Message) -> list[Message]:
    """The parts of the notice itself, and not those of the mail that it returns."""
    payload = message.get_payload()
    return [part for part in payload if isinstance(part, Message)] if message.is_multipart() else []


def _parts_of(part: Message) -> list[Message]:
    """The groups of fields of a status, one of them for each person."""
    payload = part.get_payload()
    if isinstance(payload, list):
        return [group for group in payload if isinstance(group, Message)]
    return [email.message_from_string(group) for group in str(payload).split("\n\n")]


def _find_action(person: Message) -> Action:
    said = str(person.get("Action", "")).strip().lower()
    return "failed" if said == "failed" else "delayed" if said == "delayed" else "other"


def _find_words(person: Message) -> str:
    """What the other server said: `smtp; 550 5.1.1 no such user`, without the kind before it."""
    said = str(person.get("Diagnostic-Code", "")).strip()
    return re.sub(r"(?s)\A[\w-]+\s*;\s*", "", said)


def _find_tokens(message: Message) -> Iterator[str]:
    for name in _DELIVERED_TO:
        for value in message.get_all(name, []):
            yield from (found.lower() for found in _TOKEN.findall(str(value)))


def _find_message_id(part: Message) -> str:
    payload = part.get_payload()
    if isinstance(payload, list):
        returned = payload[0] if payload and isinstance(payload[0], Message) else None
        value = str(returned.get("Message-ID", "")) if returned is not None else ""
    else:
        decoded = part.get_payload(decode=True)
        text = decoded.decode("ascii", "replace") if isinstance(decoded, bytes) else ""
        value = str(email.message_from_string(text).get("Message-ID", ""))
    found = _MESSAGE_ID.search(value)
    return found.group() if found else ""


def _sign(mail_key: bytes, tenant_id: UUID, mail_id: UUID) -> bytes:
    named = b"bounce/" + tenant_id.bytes + mail_id.bytes
    return hmac.digest(mail_key, named, "sha256")[:_MAC_BYTES]
