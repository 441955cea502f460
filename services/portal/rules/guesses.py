"""How often somebody may guess at a password, and who is known well enough to pass all the same."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

KNOWN_LIFE = timedelta(days=90)
"""How long an address or a browser is known after the last sign-in from it."""

_IPV6_PREFIX = 64
"""One customer's share of addresses: whoever has one of them has them all."""


@dataclass(frozen=True)
class GuessTally:
    """The guesses of one subject: how many weighed when the last was counted, and when that was.

    turned_away: how many came since then that were not let in.
    """

    level: float
    counted_at: datetime
    turned_away: int = 0


@dataclass(frozen=True)
class Throttle:
    """How a subject's guesses are slowed down: some are free, then each waits twice as long.

    forgotten_every: after how long one guess weighs no more.
    """

    kind: str
    free: int
    forgotten_every: timedelta
    first_wait: timedelta
    longest_wait: timedelta

    def subject(self, *names: str) -> bytes:
        """The key under which guesses are counted; 32 bytes."""
        return hashlib.sha256("\0".join((self.kind, *names)).encode()).digest()

    def weigh(self, tally: GuessTally, now: datetime) -> float:
        """How many guesses still weigh."""
        elapsed = max(now - tally.counted_at, timedelta())
        return max(0.0, tally.level - elapsed / self.forgotten_every)

    @property
    def most(self) -> int:
        """How many guesses are kept in mind: from there on the wait grows no longer."""
        return self.free + math.ceil(math.log2(self.longest_wait / self.first_wait))

    def count(self, tally: GuessTally, now: datetime) -> GuessTally:
        """One guess more."""
        return GuessTally(min(self.weigh(tally, now) + 1, self.most), now)

    def find_wait(self, tally: GuessTally, now: datetime) -> timedelta:
        """How long the next guess has to wait; zero where it is let in.

        A clock that was ahead when the last one was counted prolongs no wait."""
        beyond = round(tally.level) - self.free
        if beyond < 0:
            return timedelta()
        wait = min(self.first_wait * (1 << beyond), self.longest_wait)
        return max(timedelta(), min(wait, tally.counted_at + wait - now))


ACCOUNT = Throttle("account", 5, timedelta(hours=2), timedelta(seconds=30), timedelta(hours=1))
"""Guesses at one account by whoever is not known there."""
PLACE = replace(ACCOUNT, kind="place")
"""Guesses at one account from an address that it signed in from before."""
DEVICE = replace(ACCOUNT, kind="device")
"""Guesses at one account from a browser that it signed in with before."""
ADDRESS = Throttle(
    "address", 100, timedelta(seconds=36), timedelta(seconds=30), timedelta(minutes=10)
)
"""Guesses from one address at whatever accounts."""

SECOND = replace(ACCOUNT, kind="second-factor")
"""Guesses at one account's second factor, by whoever has its password."""
FORGOTTEN = Throttle("forgotten", 2, timedelta(hours=12), timedelta(hours=24), timedelta(hours=24))
"""Mails that say of one account that its password was forgotten: two, and none for a day."""
FORGETFUL = replace(ADDRESS, kind="forgetful", free=20)
"""Those that one address causes, whatever account it names."""

MEMORY = max(
    one.most * one.forgotten_every for one in (ACCOUNT, ADDRESS, SECOND, FORGOTTEN, FORGETFUL)
)
"""After which a tally that nobody adds to weighs nothing."""


@dataclass(frozen=True)
class Visitor:
    """Where a try comes from: an address, and what a browser holds that was known before."""

    address: str
    device: str = ""

    @property
    def network(self) -> str:
        """What counts as one place: an IPv4 address, or the /64 of an IPv6 one."""
        try:
            address = ipaddress.ip_address(self.address)
        except ValueError:
            return self.address
        if address.version == 4:
            return str(address)
        return str(ipaddress.ip_network((int(address), _IPV6_PREFIX), strict=False))

    @property
    def place_sha256(self) -> bytes:
        """What is kept of the place."""
        return PLACE.subject(self.network)

    @property
    def device_sha256(self) -> bytes:
        """What is kept of the browser."""
        return DEVICE.subject(self.device)


def new_device() -> str:
    """What a browser keeps to be known again: 256 bits."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Lane:
    """A way to an account: a throttle, with the subject that it counts for."""

    throttle: Throttle
    subject: bytes


@dataclass(frozen=True)
class Lanes:
    """The ways that a visitor may try to get to an account, some only for whom it knows."""

    account: Lane
    device: Lane | None
    place: Lane | None


def find_lanes(email: str, visitor: Visitor, known: set[bytes]) -> Lanes:
    """The ways that lead a visitor to an account; `known`: from where it was signed in before."""
    email = email.lower()
    device = place = None
    if visitor.device and visitor.device_sha256 in known:
        device = Lane(DEVICE, DEVICE.subject(email, visitor.device))
    if visitor.place_sha256 in known:
        place = Lane(PLACE, PLACE.subject(email, visitor.network))
    return Lanes(Lane(ACCOUNT, ACCOUNT.subject(email)), device, place)


def is_worth_noting(turned_away: int) -> bool:
    """Whether a try that was not let in is noted: the 1st, 2nd, 4th, 8th, … of a wait."""
    return turned_away & (turned_away - 1) == 0
