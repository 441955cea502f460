"""Counting guesses at passwords before they are looked at, and knowing owners again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from libs.shared import clock
from libs.shared.database import Connection
from services.portal import store
from services.portal.rules import guesses
from services.portal.rules.guesses import Lane, Lanes, Visitor

_NONE = timedelta()


@dataclass(frozen=True)
class Try:
    """What becomes of one try at a password, whether its account exists or not.

    wait: what whoever is wrong is told to wait. is_compared: the password is compared at all.
    may_pass: whoever is right is let in. counted: what forgets this try if it was right.
    is_known: it comes from a browser that the account was signed in with.
    turned_away: how many were by now, this one included, if it is to be noted; else 0.
    """

    wait: timedelta = _NONE
    is_compared: bool = True
    may_pass: bool = True
    counted: tuple[Lane, ...] = ()
    is_known: bool = False
    turned_away: int = 0


async def find_lanes(conn: Connection, email: str, visitor: Visitor) -> Lanes:
    """The ways that lead a visitor to an account, by what it knows of them."""
    sources = [visitor.place_sha256, visitor.device_sha256]
    known = await store.guesses.find_known(conn, email, sources)
    return guesses.find_lanes(email, visitor, known)


async def count(conn: Connection, lanes: Lanes, visitor: Visitor) -> Try:
    """Counts a try before its password is looked at: many at once are as many one by one.

    A browser that the account knows has a way of its own. All others share one, so that the
    number of all guesses is bounded; where that is shut, an address that the account knows is
    compared all the same, and everybody else too, for nothing: so a wrong password gets the same
    answer, as slowly, wherever it comes from and whatever exists. What is counted is locked in
    this order: browser, address, account, account at this address."""
    if lanes.device is not None and not (await _count(conn, lanes.device)).wait:
        return Try(counted=(lanes.device,), is_known=True)
    address = Lane(guesses.ADDRESS, guesses.ADDRESS.subject(visitor.network))
    crowd = await _count(conn, address)
    if crowd.wait:
        return replace(crowd, is_compared=False, may_pass=False)
    return await _count_at_account(conn, lanes, address)


async def count_one(conn: Connection, lane: Lane) -> timedelta:
    """Counts a try on one way; zero where it need not wait."""
    return (await _count(conn, lane)).wait


async def is_admitted(conn: Connection, *lanes: Lane) -> bool:
    """Counts one more where each way is open; False, and nothing is counted further, where not."""
    for lane in lanes:
        if (await _count(conn, lane)).wait:
            return False
    return True


async def take_back(conn: Connection, tried: Try) -> None:
    """A try was right: it is as if it had not been counted."""
    for lane in tried.counted:
        await store.guesses.take_back(conn, lane.subject)


async def remember_place(conn: Connection, user_id: UUID, visitor: Visitor) -> None:
    """From now on a person is known at the address that they come from."""
    await store.guesses.remember(conn, user_id, visitor.place_sha256, clock.now())


async def remember_device(conn: Connection, user_id: UUID, email: str, visitor: Visitor) -> str:
    """From now on a person is known by this browser; returns what it has to keep for that.

    It keeps what it has only if that is ours: nobody else may name it."""
    if not await store.guesses.find_known(conn, email, [visitor.device_sha256]):
        visitor = replace(visitor, device=guesses.new_device())
    await store.guesses.remember(conn, user_id, visitor.device_sha256, clock.now())
    return visitor.device


async def _count_at_account(conn: Connection, lanes: Lanes, address: Lane) -> Try:
    strangers = await _count(conn, lanes.account)
    if not strangers.wait:
        return Try(counted=(address, lanes.account))
    if lanes.place is not None and not (await _count(conn, lanes.place)).wait:
        return Try(strangers.wait, counted=(address, lanes.place))
    return replace(strangers, may_pass=False, counted=(address,))


async def _count(conn: Connection, lane: Lane) -> Try:
    """Counts a try where it need not wait, else that it was turned away."""
    now = clock.now()
    before = await store.guesses.lock(conn, lane.subject, now)
    wait = lane.throttle.find_wait(before, now)
    if not wait:
        await store.guesses.put(conn, lane.subject, lane.throttle.count(before, now))
        return Try()
    turned_away = min(before.turned_away + 1, 2**30)
    await store.guesses.put(conn, lane.subject, replace(before, turned_away=turned_away))
    return Try(wait, turned_away=turned_away if guesses.is_worth_noting(turned_away) else 0)
