"""What charts of values over time share: scales, lines of a grid, the frame that is stretched."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from libs.shared.words.tongue import Tongue

WIDTH = 1000
HEIGHT = 200
"""Of the stretched frame, in its own units; the height is that on the page too."""


@dataclass(frozen=True)
class Scale:
    """Sizes as heights: `top` bytes are HEIGHT."""

    top: float
    step: float

    def y(self, size_bytes: float) -> float:
        """Where a size lies, from above."""
        return round(HEIGHT - min(size_bytes, self.top) / self.top * HEIGHT, 1)

    def lines(self) -> list[float]:
        """The sizes that have a line of their own."""
        return [self.step * n for n in range(1, round(self.top / self.step) + 1)]


def scale_to(largest_bytes: float) -> Scale:
    """A scale with three to five lines at round sizes, up to the first above the largest."""
    rough = max(largest_bytes, 1) / 4
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * n for n in (1, 2, 2.5, 5, 10) if unit * n >= rough)
    return Scale(step * max(math.ceil(largest_bytes * 1.02 / step), 1), step)


def path(kind: str, points: Iterable[tuple[float, float]], *, closed: bool = False) -> Markup:
    """A line through points, or the area within."""
    drawn = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    if not drawn:
        return Markup()
    line = f"M{drawn}Z" if closed else f"M{drawn}"
    form = f'<path class="{kind}" d="{line}" vector-effect="non-scaling-stroke"/>'
    return Markup(form)  # noqa: S704 - numbers, and a word of ours


def frame(
    label: str, scale: Scale, tongue: Tongue, marks: Sequence[Markup], words: Sequence[Markup]
) -> Markup:
    """A chart: marks in the stretched frame over its grid, words at their places."""
    grid = Markup("").join(
        Markup('<line class="grid" x1="0" x2="{w}" y1="{y}" y2="{y}"/>').format(
            w=WIDTH, y=scale.y(size)
        )
        for size in scale.lines()
    )
    sizes = Markup("").join(
        Markup('<text class="size" x="2" y="{y}">{size}</text>').format(
            y=scale.y(size) + 22, size=tongue.size(size)
        )
        for size in scale.lines()
    )
    return Markup(
        '<svg class="chart" width="100%" height="{high}" role="img" aria-label="{label}">'
        '<svg x="0" y="10" width="100%" height="{h}" viewBox="0 0 {w} {h}"'
        ' preserveAspectRatio="none">{grid}{marks}'
        '<line class="ground" x1="0" x2="{w}" y1="{h}" y2="{h}"/></svg>{sizes}{words}</svg>'
    ).format(
        high=HEIGHT + 34,
        h=HEIGHT,
        w=WIDTH,
        label=label,
        grid=grid,
        marks=Markup("").join(marks),
        sizes=sizes,
        words=Markup("").join(words),
    )


def word(x: float, text: str, kind: str = "", *, y: int = HEIGHT + 28) -> Markup:
    """Words under the frame, or at another height; near its right end they end where they stand."""
    share = x / WIDTH * 100
    anchor = "end" if share > 85 else "start" if share < 8 else "middle"
    return Markup('<text class="{}" x="{:.2f}%" y="{}" text-anchor="{}">{}</text>').format(
        kind, share, y, anchor, text
    )
