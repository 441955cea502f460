"""How fast mails go to one domain: so many at once and a second, fewer where it asks for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

BURST_SECONDS = 10.0
"""What a domain had no mail for is saved up for it, as long as this."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process hands over: on so many connections, at once and a second to one domain.

    first_pause, longest_pause: seconds for which a domain that asks for fewer mails gets none.
    """

    connections: int = 10
    domain_connections: int = 5
    domain_per_second: float = 20.0
    first_pause: float = 30.0
    longest_pause: float = 900.0

    @property
    def burst(self) -> float:
        """How many mails may follow each other as fast as they can."""
        return max(1.0, self.domain_per_second * BURST_SECONDS)


@dataclass(frozen=True, slots=True)
class DomainPace:
    """What one domain is getting; times are seconds of a clock that only goes forward.

    credit: how many mails it might have got by `counted_at`; slowed: how often in a row it asked
    for fewer; until then it gets none, and then one at a time until it takes one.
    """

    credit: float
    counted_at: float
    busy: int = 0
    slowed: int = 0
    rests_until: float = -math.inf


def start(limits: Limits, now: float) -> DomainPace:
    """The pace of a domain that got nothing lately."""
    return DomainPace(limits.burst, now)


def count_slots(pace: DomainPace, limits: Limits, now: float) -> int:
    """Returns how many mails may be begun now."""
    if now < pace.rests_until:
        return 0
    most = 1 if pace.slowed else limits.domain_connections
    return max(0, min(most - pace.busy, int(_credit(pace, limits, now))))


def begin(pace: DomainPace, limits: Limits, now: float) -> DomainPace:
    """A mail is on its way."""
    credit = _credit(pace, limits, now) - 1
    return replace(pace, credit=credit, counted_at=now, busy=pace.busy + 1)


def end(pace: DomainPace, limits: Limits, now: float, *, accepted: bool, slows: bool) -> DomainPace:
    """What became of it: what is accepted ends the slowness, what slows begins or doubles it.

    Several that fail together slow it down once.
    """
    ended = replace(pace, busy=pace.busy - 1)
    if slows and now >= pace.rests_until:
        pause = min(limits.first_pause * 2 ** min(pace.slowed, 20), limits.longest_pause)
        return replace(ended, slowed=pace.slowed + 1, rests_until=now + pause)
    return replace(ended, slowed=0) if accepted and now >= pace.rests_until else ended


def is_idle(pace: DomainPace, limits: Limits, now: float) -> bool:
    """Whether nothing has to be remembered of it."""
    return not pace.busy and not pace.slowed and _credit(pace, limits, now) >= limits.burst


def _credit(pace: DomainPace, limits: Limits, now: float) -> float:
    grown = pace.credit + (now - pace.counted_at) * limits.domain_per_second
    return min(limits.burst, grown)
