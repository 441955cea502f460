"""What runs of a plan read, what was new of it and what they sent, each beside what is usual."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

from markupsafe import Markup, escape

from libs.shared.words.tongue import N_, Tongue
from services.portal.pages.charts.frames import HEIGHT, WIDTH, frame, path, scale_to, word
from services.portal.store.runs.shown import Run

_MOST = 30

Kind = Literal["read", "new", "sent"]
LABELS: MappingProxyType[Kind, str] = MappingProxyType(
    {
        "read": N_("Volume read by the last {runs} backups"),
        "new": N_("New volume of the last {runs} backups"),
        "sent": N_("Volume sent by the last {runs} backups"),
    }
)


class Moved(NamedTuple):
    """Bytes of a run; usual and spread are None where nothing is usual yet."""

    now: int
    usual: int | None = None
    spread: int | None = None
    is_unusual: bool = False


def find_moved(run: Run, kind: Kind) -> Moved | None:
    """What a run read, what of it was new, or what it sent; None where that isn't known."""
    if kind == "new":
        for figure in run.figures:
            if figure.name == "new_bytes":
                return Moved(figure.now, figure.usual, figure.spread, figure.is_unusual)
        return None
    for one in run.moved:
        if one.name == kind:
            return Moved(one.now, one.usual, one.spread)
    now = run.bytes_read if kind == "read" else run.bytes_sent
    return None if now is None else Moved(now)


def draw_moved(runs: Sequence[Run], kind: Kind, tongue: Tongue) -> Markup:
    """The last runs, newest first, a bar each; the band is usual; empty without two bars."""
    shown = [run for run in runs if run.restore_point][:_MOST][::-1]
    found = [find_moved(run, kind) for run in shown]
    if sum(one is not None for one in found) < 2:
        return Markup()
    tops = [one.now for one in found if one]
    tops += [one.usual + (one.spread or 0) for one in found if one and one.usual is not None]
    scale, wide = scale_to(max(*tops, 1)), WIDTH / len(shown)
    bands, bars = Markup(), Markup()
    for place, (run, one) in enumerate(zip(shown, found, strict=True)):
        if one is None:
            continue
        x = place * wide
        if one.usual is not None:
            spread = one.spread or 0
            low, high = scale.y(max(one.usual - spread, 0)), scale.y(one.usual + spread)
            # A plan whose runs are all alike has a line for a band.
            low = max(low, high + 2)
            sides = [(x, low), (x, high), (x + wide, high), (x + wide, low)]
            bands += path("band", sides, closed=True)
        bars += _bar(
            f"{kind} unusual" if one.is_unusual else kind,
            x + wide * 0.2,
            wide * 0.6,
            scale.y(one.now),
            f"{tongue.dated(run.started_at)}{tongue.colon} {tongue.size(one.now)}",
        )
    words = [
        word(wide / 2, tongue.day(shown[0].started_at)),
        word(WIDTH - wide / 2, tongue.day(shown[-1].started_at)),
    ]
    label = tongue.say(LABELS[kind], runs=len(shown))
    return frame(label, scale, tongue, [bands, bars], words)


def _bar(kind: str, x: float, wide: float, y: float, title: str) -> Markup:
    sides = f'x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{HEIGHT - y:.1f}"'
    said = f"<title>{escape(title)}</title>"
    # By hand, as a page has a hundred of them, and Markup takes its time to fill in a form.
    return Markup(f'<rect class="{kind}" {sides}>{said}</rect>')  # noqa: S704 - title is escaped
