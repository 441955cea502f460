"""The chain of the access log: each line holds the hash of the one before it.

One chain a client, and one for what concerns none. A line's hash is the SHA-256 of the hash
before it (32 zero bytes for the first), its number in the chain as 8 bytes, big-endian, and
its content: a JSON array in ASCII, without spaces, members of objects sorted by name, of client,
moment (UTC, microseconds), act, and in hexadecimal the SHA-256 of the line's salt and its personal
part: such an array of user or null, name, address and fields. Salt and personal part are blanked
once the client is destroyed; the digest stays. Lines from before there was a salt have the array of
client, moment, user, name, act, address and fields for their content.
docs/operations.md says what that proves.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from services.portal.rules.log.acts import Fields

Duty = Literal["administrator", "sales", "hotline"]
"""What one of the provider's operators is there for."""

NOBODY = UUID(int=0)
"""Stands where there is no client: the provider's own staff, and strangers."""

START = bytes(32)


@dataclass(frozen=True)
class Actor:
    """Who acts, and from where; `tenant_id` is the client that they belong to, or NOBODY.

    `credential` tells one sign-in from another: the hash of what was shown, or empty. `duty`: of
    the provider's operators alone.
    """

    tenant_id: UUID
    user_id: UUID | None
    name: str
    address: str
    credential: bytes = field(default=b"", repr=False)
    duty: Duty | None = None

    def within(self, tenant_id: UUID) -> Actor:
        """An operator at work for a client, as one of its own people would be."""
        return replace(self, tenant_id=tenant_id)


COFFRE = Actor(NOBODY, None, "Coffre", "")
"""Acts by the clock."""


@dataclass(frozen=True)
class Line:
    """What somebody did, when, to which client, from where; the name stays if the person goes.

    salt, personal_sha256: bind the personal part, None in lines from before. blanked: the personal
    part is gone, with its salt.
    """

    tenant_id: UUID
    at: datetime
    user_id: UUID | None
    actor: str
    act: str
    address: str
    fields: Fields
    salt: bytes | None = field(default=None, repr=False)
    personal_sha256: bytes | None = None
    blanked: bool = False


@dataclass(frozen=True)
class Link:
    """A place in a chain: how many lines there are up to it, and the hash of the last."""

    number: int
    hash: bytes


@dataclass(frozen=True)
class ChainFault:
    """The first line of a chain that doesn't fit, and why."""

    number: int
    why: Literal["missing", "altered", "cut-off", "beyond-head", "head-altered", "not-as-kept"]


@dataclass(frozen=True)
class Verdict:
    """What became of a chain: its last good place, and its first fault, if any."""

    tenant_id: UUID
    last: Link
    fault: ChainFault | None


def encode(line: Line) -> bytes:
    """The canonical form of a line's content."""
    moment = line.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if line.personal_sha256 is not None:
        return _dump([str(line.tenant_id), moment, line.act, line.personal_sha256.hex()])
    content = [
        str(line.tenant_id),
        moment,
        str(line.user_id) if line.user_id else None,
        line.actor,
        line.act,
        line.address,
        line.fields,
    ]
    return _dump(content)


def bind(line: Line, salt: bytes) -> Line:
    """The line with its personal part bound to it by a digest."""
    return replace(line, salt=salt, personal_sha256=_digest(line, salt))


def _digest(line: Line, salt: bytes) -> bytes:
    user = str(line.user_id) if line.user_id else None
    personal = _dump([user, line.actor, line.address, line.fields])
    return hashlib.sha256(salt + personal).digest()


def _dump(content: list[Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def link(previous: bytes, number: int, content: bytes) -> bytes:
    """The hash of a line, given its canonical content and the hash before it."""
    return hashlib.sha256(previous + number.to_bytes(8, "big") + content).digest()


class Chain:
    """Follows a chain from its first line, until something does not fit.

    may_be_blank: the client is destroyed, so its lines may have lost their personal part.
    """

    def __init__(
        self, tenant_id: UUID, kept: Link | None = None, *, may_be_blank: bool = False
    ) -> None:
        self.tenant_id = tenant_id
        self._may_be_blank = may_be_blank
        self.last = Link(0, START)
        self.fault: ChainFault | None = None
        self._kept = kept

    def follow(self, row: Link, line: Line) -> None:
        """Takes the next line, as it is kept."""
        if self.fault is not None:
            return
        number = self.last.number + 1
        if row.number != number:
            self.fault = ChainFault(number, "missing")
        elif not self._fits(row, number, line):
            self.fault = ChainFault(number, "altered")
        elif self._kept is not None and number == self._kept.number and row.hash != self._kept.hash:
            self.fault = ChainFault(number, "not-as-kept")
        else:
            self.last = row

    def _fits(self, row: Link, number: int, line: Line) -> bool:
        if line.blanked and not self._may_be_blank:
            return False
        if line.blanked and line.personal_sha256 is None:
            return True  # what it said is gone; the next line proves that its hash is its own
        is_bound = line.personal_sha256 is not None and not line.blanked
        if is_bound and _digest(line, line.salt or b"") != line.personal_sha256:
            return False
        return row.hash == link(self.last.hash, number, encode(line))

    def end(self, head: Link | None) -> Verdict:
        """Judges the chain after its last line: `head` is where it should end."""
        head = head or Link(0, START)
        last = self.last
        if self.fault is None:
            if head.number > last.number:
                self.fault = ChainFault(last.number + 1, "cut-off")
            elif head.number < last.number:
                self.fault = ChainFault(head.number + 1, "beyond-head")
            elif head.hash != last.hash:
                self.fault = ChainFault(last.number, "head-altered")
            elif self._kept is not None and self._kept.number > last.number:
                self.fault = ChainFault(last.number + 1, "cut-off")
        return Verdict(self.tenant_id, last, self.fault)
