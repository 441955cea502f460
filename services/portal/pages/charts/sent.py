"""What runs of a plan brought: what was new, what was sent, and what is usual."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from libs.shared.events import JudgedFigure
from libs.shared.words.tongue import Tongue
from services.portal.pages.charts.frames import HEIGHT, WIDTH, frame, path, scale_to, word
from services.portal.store.runs.shown import Run

_MOST = 30


def find_new(run: Run) -> JudgedFigure | None:
    """The new bytes of a run beside the usual ones, where it was compared."""
    return next((one for one in run.figures if one.name == "new_bytes"), None)


def draw_sent(runs: Sequence[Run], tongue: Tongue) -> Markup:
    """The last runs, newest first, each as two bars; the band is usual; empty without two."""
    shown = [run for run in runs if run.restore_point][:_MOST][::-1]
    if len(shown) < 2:
        return Markup()
    figures = [find_new(run) for run in shown]
    bands = [
        (max(one.usual - (one.spread or 0), 0), one.usual + (one.spread or 0))
        if one and one.usual is not None
        else None
        for one in figures
    ]
    largest = max(
        *(run.bytes_sent for run in shown),
        *(one.now for one in figures if one),
        *(band[1] for band in bands if band),
        1,
    )
    scale, wide = scale_to(largest), WIDTH / len(shown)
    marks: list[Markup] = []
    for place, band in enumerate(bands):
        if band is not None:
            low, high, x = scale.y(band[0]), scale.y(band[1]), place * wide
            sides = [(x, low), (x, high), (x + wide, high), (x + wide, low)]
            marks.append(path("band", sides, closed=True))
    for place, (run, one) in enumerate(zip(shown, figures, strict=True)):
        title = tongue.dated(run.started_at)
        if one is not None:
            kind = "new unusual" if one.is_unusual else "new"
            marks.append(
                _bar(kind, place * wide + wide * 0.15, wide * 0.33, scale.y(one.now), title)
            )
        marks.append(
            _bar("sent", place * wide + wide * 0.52, wide * 0.33, scale.y(run.bytes_sent), title)
        )
    words = [
        word(wide / 2, tongue.day(shown[0].started_at)),
        word(WIDTH - wide / 2, tongue.day(shown[-1].started_at)),
    ]
    label = tongue.say("New and sent volume of the last {runs} backups", runs=len(shown))
    return frame(label, scale, tongue, marks, words)


def _bar(kind: str, x: float, wide: float, y: float, title: str) -> Markup:
    return Markup(
        '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">'
        "<title>{}</title></rect>"
    ).format(kind, x, y, wide, HEIGHT - y, title)
