"""How fast mails go to each domain, as this process sees it."""

from __future__ import annotations

import time

from prometheus_client import Gauge

from libs.shared import logs
from services.reporting.mail.smtp import Verdict
from services.reporting.rules import mails, pacing
from services.reporting.rules.mails import Mail
from services.reporting.rules.pacing import DomainPace, Limits

SLOWED = Gauge("coffre_mail_slowed_domains", "Domains that asked for fewer mails, and get fewer")


class Paces:
    """The pace of every domain that gets mails or got some lately.

    Each process learns for itself: one mail more that is put off, and nothing to keep.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._paces: dict[str, DomainPace] = {}

    def count_slots(self) -> dict[str, int]:
        """How many mails may be begun for each domain; for any other, `limits` say it."""
        now = time.monotonic()
        for domain in [d for d, p in self._paces.items() if pacing.is_idle(p, self.limits, now)]:
            del self._paces[domain]
        return {d: pacing.count_slots(p, self.limits, now) for d, p in self._paces.items()}

    def begin(self, mail: Mail) -> None:
        """A mail goes out."""
        now, domain = time.monotonic(), mails.domain_of(mail.recipient)
        pace = self._paces.get(domain) or pacing.start(self.limits, now)
        self._paces[domain] = pacing.begin(pace, self.limits, now)

    def end(self, mail: Mail, verdict: Verdict | None) -> None:
        """It went, or didn't; None: it came to no verdict."""
        domain = mails.domain_of(mail.recipient)
        before = self._paces[domain]
        after = pacing.end(
            before,
            self.limits,
            time.monotonic(),
            accepted=verdict is not None and verdict.outcome == "accepted",
            slows=verdict is not None and verdict.slows,
        )
        self._paces[domain] = after
        if after.slowed != before.slowed:
            SLOWED.set(sum(1 for pace in self._paces.values() if pace.slowed))
            logs.get().info("mail.domain_slowed", domain=domain, times=after.slowed)
