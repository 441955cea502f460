"""What operators see at a glance: clients' days, and overage cases on one axis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache

from markupsafe import Markup

from libs.shared.words.tongue import N_, Tongue

_DAY_WORDS = {
    "failed": N_("Failed"),
    "missed": N_("Missed"),
    "succeeded_with_warnings": N_("Succeeded with warnings"),
    "succeeded": N_("Succeeded"),
    "running": N_("Under way"),
}


def draw_days(days: Sequence[date], kinds: Mapping[date, str], tongue: Tongue) -> Markup:
    """The last days of a client, today on the right, a shape for each as pages have them."""
    counted = Counter(kinds[day] for day in days if day in kinds)
    summary = ", ".join(
        f"{tongue.say(word)}{tongue.colon} {counted[kind]}"
        for kind, word in _DAY_WORDS.items()
        if counted[kind]
    )
    marks = [_mark(kinds.get(day, "none"), place) for place, day in enumerate(days)]
    return Markup(
        '<svg class="lately" viewBox="0 0 {width} 10" role="img" aria-label="{label}">{marks}</svg>'
    ).format(
        width=len(days) * 10,
        label=summary or tongue.say("No backup yet"),
        marks=Markup("").join(marks),
    )


@lru_cache(maxsize=1_000)  # a page of clients has 1,500 of them
def _mark(kind: str, place: int) -> Markup:
    return Markup(
        '<use class="s-{kind}" href="#s-{kind}" x="{x}" y="1" width="8" height="8"/>'
    ).format(kind=kind, x=place * 10 + 1)


def draw_deadlines(
    cases: Sequence[tuple[str, datetime, datetime, bool]], now: datetime, tongue: Tongue
) -> Markup:
    """Overage cases, (client, opened, due, whether blocked) of each, on one axis around today."""
    left, width, row = 180, 600, 26
    first, days = now - timedelta(days=_AXIS_DAYS), 2 * _AXIS_DAYS

    def place(at: datetime) -> float:
        share = (at - first) / timedelta(days=days)
        return left + width * min(max(share, 0.0), 1.0)

    def point(at: datetime, y: int) -> str:
        """A tip at the end of the axis, for a bar that goes on beyond it."""
        if first <= at <= first + timedelta(days=days):
            return ""
        return f"M{place(at):.1f} {y}v14l{-7 if at < first else 7} -7z"

    height = len(cases) * row + 30
    lines = [
        Markup('<line class="ground" x1="{x}" y1="20" x2="{x}" y2="{y}"/>').format(
            x=left + width * step / 6, y=height
        )
        + Markup('<text class="axis" x="{x}" y="13" text-anchor="middle">{day}</text>').format(
            x=left + width * step / 6,
            day=tongue.short_day(first + timedelta(days=days * step / 6)),
        )
        for step in range(7)
    ]
    for number, (client, opened_at, due_at, is_blocked) in enumerate(cases):
        y = 26 + number * row
        lines.append(
            Markup(
                '<g><title>{title}</title><text class="label" x="0" y="{text}">{client}</text>'
                '<rect class="case {kind}" x="{x}" y="{y}" width="{w}" height="14" rx="3"/>'
                '<path class="case {kind}" d="{tips}"/></g>'
            ).format(
                title=f"{client}{tongue.colon} {tongue.day(opened_at)} → {tongue.day(due_at)}",
                text=y + 12,
                client=client if len(client) <= 24 else client[:23] + "…",
                kind="blocked" if is_blocked else "near" if due_at < now + _NEAR else "open",
                x=f"{place(opened_at):.1f}",
                y=y,
                w=f"{max(place(due_at) - place(opened_at), 2.0):.1f}",
                tips=point(opened_at, y) + point(due_at, y),
            )
        )
    today = Markup('<line class="today" x1="{x}" y1="18" x2="{x}" y2="{y}"/>').format(
        x=left + width / 2, y=height
    )
    return Markup(
        '<svg class="axis-of-days" viewBox="0 0 {total} {height}" role="img"'
        ' aria-label="{label}">{lines}{today}</svg>'
    ).format(
        total=left + width + 20,
        height=height,
        label=tongue.say("Overage cases from their opening to their deadline; the table says it"),
        lines=Markup("").join(lines),
        today=today,
    )


_AXIS_DAYS = 30
_NEAR = timedelta(days=7)
