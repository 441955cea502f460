"""What administrators get when something was ordered, or could not take effect."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from libs.shared.events import OrderConfirmed, OrderLine
from libs.shared.words.orders import say_order
from libs.shared.words.tongue import N_, Tongue
from services.reporting import rules
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.links import link_orders
from services.reporting.mail.rendering import lay_out, speak, title
from services.reporting.rules.mails import Addressee

_TITLES = {
    "ordered": N_("Order confirmed"),
    "revised": N_("Your contract was raised"),
    "kept": N_("An order could not take effect"),
}
_RULES = {
    "storage-month": N_("Storage"),
    "seats-month": N_("Seats"),
    "seats-entry": N_("Entry fee of new seats"),
}


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What was ordered for whom."""

    event: OrderConfirmed
    tenant: rules.clients.Tenant
    portal_url: str

    @property
    def cause(self) -> str:
        """Who it comes from: the client, the provider, or nobody who wished it so."""
        if self.event.is_kept:
            return "kept"
        return "revised" if self.event.in_provider_name else "ordered"


def choose(facts: OrderFacts) -> Iterable[Addressee]:
    """The client's administrators."""
    return rules.mails.address_administrators(facts.tenant.administrators)


def write(facts: OrderFacts, addressee: Addressee, _shown: int) -> Letter:
    """What was ordered by whom, from when on, and what it costs."""
    event = facts.event
    tongue = speak(addressee.locale, facts.tenant.timezone)
    headline = tongue.say(_TITLES[facts.cause])
    content = lay_out(
        tongue,
        "order",
        headline=headline,
        cause=facts.cause,
        client=title(facts.tenant.name),
        event=event,
        change=_say_change(tongue, event),
        sentence=_say_price(tongue, event),
        lines=[_say_line(tongue, one) for one in event.lines],
        ordered_at=tongue.moment(event.ordered_at),
        effective_at=tongue.moment(event.effective_at),
        link=link_orders(facts.portal_url),
    )
    subject = tongue.say("{headline}, {client}", headline=headline, client=title(facts.tenant.name))
    return Letter(subject, content)


def _say_change(tongue: Tongue, event: OrderConfirmed) -> str:
    if event.what == "storage":
        after, before = tongue.size(event.after), tongue.size(event.before)
        if event.is_kept:
            return tongue.say("{after} of storage stay contracted.", after=after)
        return tongue.say("{after} of storage instead of {before}.", after=after, before=before)
    if event.is_kept:
        return tongue.count("{n} seat stays contracted.", "{n} seats stay contracted.", event.after)
    return tongue.count(
        "{n} seat instead of {before}.",
        "{n} seats instead of {before}.",
        event.after,
        before=tongue.number(event.before),
    )


def _say_price(tongue: Tongue, event: OrderConfirmed) -> str:
    month = f"{event.ordered_at.astimezone(tongue.zone):%Y-%m}"
    entry = [one.amount for one in event.lines if one.rule == "seats-entry"]
    return say_order(
        tongue,
        ordered_at=event.ordered_at,
        effective_at=event.effective_at,
        due=sum((one.amount for one in event.lines if one.month == month), Decimal(0)),
        entry=sum(entry, Decimal(0)),
        monthly=event.monthly,
        currency=event.currency,
    )


def _say_line(tongue: Tongue, line: OrderLine) -> tuple[str, str, str]:
    year, number = line.month.split("-")
    month = tongue.month(date(int(year), int(number), 1))
    return month, tongue.say(_RULES[line.rule]), tongue.money(line.amount, line.currency)


KIND: Kind[OrderFacts] = Kind(
    "order",
    choose,
    write,
    subject=lambda facts: facts.event.order_id,
    plan=lambda _facts: None,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
)
