"""Pictures of dashboards for the documents, drawn by us from what a Prometheus measured.

They are none of Grafana's: simple, and true to the data.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, TypeAlias

from monitoring.panels import Board, Panel

Asked: TypeAlias = Callable[[str], Sequence[Mapping[str, Any]]]
"""Gives the series of an expression as Prometheus' `query_range` does: `metric` and `values`."""

_WIDTH, _COLUMNS, _HIGH, _LOW = 1200, 3, 170, 84
_COLOURS = ("#3274d9", "#e0752d", "#56a64b", "#a352cc", "#e02f44", "#8ab8ff", "#ffb357", "#96d98d")
_MOST = 8
_PLACE = re.compile(r"\{\{\w+\}\}")
_Series: TypeAlias = tuple[str, list[tuple[float, float]]]


def draw(board: Board, ask: Asked) -> str:
    """A dashboard as SVG."""
    parts: list[str] = []
    top = 62
    for row in board.rows:
        parts.append(_text(16, top + 12, row.title, 13, "#555", bold=True))
        top += 20
        left = high = 0
        for panel in row.panels:
            columns = 4 if panel.kind == "number" else _COLUMNS
            wide, tall = (_WIDTH - 16) // columns, _LOW if panel.kind == "number" else _HIGH
            if left + wide > _WIDTH:
                left, top, high = 0, top + high, 0
            parts.append(f'<g transform="translate({left + 8},{top})">')
            parts += _draw_panel(panel, _find_series(panel, ask), wide - 8, tall - 8)
            parts.append("</g>")
            left, high = left + wide, max(high, tall)
        top += high
    size = f'viewBox="0 0 {_WIDTH} {top + 8}" width="{_WIDTH}"'
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">',
        f'<rect width="{_WIDTH}" height="{top + 8}" fill="#f4f5f5"/>',
        _text(16, 28, board.title, 18, "#222", bold=True),
        _text(16, 48, "Drawn by us from measured data; Grafana looks better.", 12, "#777"),
    ]
    return "\n".join([*head, *parts, "</svg>"]) + "\n"


def _find_series(panel: Panel, ask: Asked) -> list[_Series]:
    found: list[_Series] = []
    for query in panel.queries:
        for series in ask(query.expression):
            name = query.legend
            for label, value in series["metric"].items():
                name = name.replace(f"{{{{{label}}}}}", value)
            name = _PLACE.sub("none", name)  # as of a sum over nothing
            points = [(float(at), float(value)) for at, value in series["values"]]
            found.append((name, [(at, value) for at, value in points if math.isfinite(value)]))
    found = [(name, points) for name, points in found if points]
    return sorted(found, key=lambda one: -max(value for _, value in one[1]))


def _draw_panel(panel: Panel, series: list[_Series], wide: int, tall: int) -> list[str]:
    parts = [
        f'<rect width="{wide}" height="{tall}" fill="#fff" stroke="#ddd"/>',
        _text(8, 16, panel.title, 11 if len(panel.title) < wide / 6 else 9, "#333", bold=True),
    ]
    if not series:
        return [*parts, _text(8, tall / 2 + 8, "no data", 14, "#999")]
    if panel.kind == "number":
        value = series[0][1][-1][1]
        is_bad = panel.warn_at is not None and (value >= panel.warn_at) != panel.low_is_bad
        colour = "#e02f44" if is_bad else "#56a64b"
        return [*parts, _text(8, tall - 20, _say(value, panel), 26, colour)]
    return [*parts, *_draw_lines(panel, series, wide, tall)]


def _draw_lines(panel: Panel, series: list[_Series], wide: int, tall: int) -> list[str]:
    box_top, box_bottom, box_left = 26, tall - 44, 58
    begin = min(points[0][0] for _, points in series)
    end = max(begin + 1, *(points[-1][0] for _, points in series))
    most = max(value for _, points in series for _, value in points) or 1
    if panel.kind == "areas":
        series, most = _stack(series)
    parts = []
    for share in (0, 0.5, 1):
        y = box_bottom - share * (box_bottom - box_top)
        parts.append(f'<path d="M{box_left},{y:.0f}H{wide - 8}" stroke="#eee"/>')
        parts.append(_text(box_left - 4, y + 4, _say(share * most, panel), 9, "#888", end=True))
    for place, (_, points) in enumerate(series[:_MOST]):
        way = " ".join(
            f"{box_left + (at - begin) / (end - begin) * (wide - 8 - box_left):.1f},"
            f"{box_bottom - max(value, 0) / most * (box_bottom - box_top):.1f}"
            for at, value in points
        )
        parts.append(
            f'<polyline points="{way}" fill="none" stroke="{_COLOURS[place]}" stroke-width="1.5"/>'
        )
    left, line = 8, 0
    for place, (name, _) in enumerate(series[:_MOST]):
        width = 18 + 5.4 * len(name)
        if left + width > wide and line == 0:
            left, line = 8, 1
        if left + width > wide:
            parts.append(_text(left, tall - 10, "…", 9, "#555"))
            break
        y = tall - 24 + 14 * line
        parts.append(
            f'<rect x="{left}" y="{y - 7}" width="8" height="8" fill="{_COLOURS[place]}"/>'
        )
        parts.append(_text(left + 11, y, name, 9, "#555"))
        left += round(width)
    return parts


def _stack(series: list[_Series]) -> tuple[list[_Series], float]:
    """Each series upon those before it; the whole first."""
    sums: dict[float, float] = {}
    stacked = []
    for name, points in reversed(series):
        for at, value in points:
            sums[at] = sums.get(at, 0) + value
        stacked.append((name, [(at, sums[at]) for at, _ in points]))
    return stacked[::-1], max(sums.values()) or 1


def _say(value: float, panel: Panel) -> str:
    """A value with its unit, short."""
    if panel.unit == "percentunit":
        return f"{100 * value:.3g} %"
    if panel.unit in {"bytes", "Bps"}:
        ending = "/s" if panel.unit == "Bps" else ""
        for name in ("B", "kB", "MB", "GB", "TB"):
            if abs(value) < 1000 or name == "TB":
                return f"{value:.3g} {name}{ending}"
            value /= 1000
    if panel.unit == "s" and 0 < value < 1:
        return f"{1000 * value:.3g} ms"
    ending = {"s": " s", "reqps": "/s", "d": " d"}.get(panel.unit, "")
    return f"{value:.3g}{ending}"


def _text(
    x: float, y: float, text: str, size: int, fill: str, *, bold: bool = False, end: bool = False
) -> str:
    more = (' font-weight="bold"' if bold else "") + (' text-anchor="end"' if end else "")
    return (
        f'<text x="{x:g}" y="{y:.0f}" font-size="{size}" fill="{fill}"{more}>{escape(text)}</text>'
    )
