"""A row of bars: how the last runs of a plan ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from markupsafe import Markup

from libs.shared.words.tongue import Tongue
from services.portal.store.runs.shown import Run

_HEIGHTS = {"succeeded": 20, "succeeded_with_warnings": 26, "failed": 32, None: 10}
STRIP_LENGTH = 30


def draw_strip(runs: Sequence[Run], tongue: Tongue) -> Markup:
    """The last runs, the newest on the right; a worse outcome stands higher."""
    counted = Counter(tongue.outcome(run.outcome) for run in runs[:STRIP_LENGTH])
    summary = ", ".join(f"{number} {outcome}" for outcome, number in counted.items())
    bars = []
    for place, run in enumerate(reversed(runs[:STRIP_LENGTH])):
        x = (STRIP_LENGTH - min(len(runs), STRIP_LENGTH) + place) * 10
        height = _HEIGHTS[run.outcome]
        bars.append(
            Markup(
                '<rect class="bar {kind}" x="{x}" y="{y}" width="7" height="{height}" rx="2">'
                "<title>{title}</title></rect>"
            ).format(
                kind=run.outcome or "running",
                x=x,
                y=34 - height,
                height=height,
                title=f"{tongue.moment(run.started_at)} · {tongue.outcome(run.outcome)}",
            )
        )
    return Markup(
        '<svg class="strip" viewBox="0 0 {width} 36" role="img" aria-label="{label}">'
        '<line class="ground" x1="0" y1="35" x2="{width}" y2="35"/>{bars}</svg>'
    ).format(
        width=STRIP_LENGTH * 10,
        label=tongue.say("Last runs: {summary}", summary=summary),
        bars=Markup("").join(bars),
    )
