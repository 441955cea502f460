"""The last days of a plan, a link to the report of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from libs.shared.words.tongue import N_, OUTCOMES, Tongue
from services.portal.rules.runs import RunDay, State

STATES: Mapping[State, str] = {
    "succeeded": OUTCOMES["succeeded"],
    "succeeded_with_warnings": OUTCOMES["succeeded_with_warnings"],
    "failed": OUTCOMES["failed"],
    "missed": N_("Never came"),
    "running": OUTCOMES[None],
    "none": N_("Nothing due"),
}
"""How each state of a day is called."""


def draw_strip(strip: Sequence[RunDay], base: str, tongue: Tongue) -> Markup:
    """The days of a strip as items of a list; base: what the number of a run is added to.

    All runs are in a list of their own too, so keys needn't stop at each."""
    named = {state: tongue.say(name) for state, name in STATES.items()}
    link = escape(base)
    items = []
    # By hand: a page has hundreds of days, and a template takes ten times as long for each.
    for day in strip:
        said = f"{tongue.calendar_day(day.day)}{tongue.colon} {named[day.state]}"
        said = escape(f"{said} ({day.runs})" if day.runs > 1 else said)
        looks = f'class="day s-{day.state}" title="{said}"'
        shape = f'<svg class="shape" aria-hidden="true"><use href="#s-{day.state}"/></svg>'
        within = f'{shape}<span class="hidden">{said}</span>'
        if day.number is None:
            items.append(f"<li><span {looks}>{within}</span></li>")
        else:
            opening = f'<a {looks} href="{link}{day.number}" tabindex="-1">'
            items.append(f"<li>{opening}{within}</a></li>")
    return Markup("\n".join(items))  # noqa: S704 - all that is foreign was escaped
