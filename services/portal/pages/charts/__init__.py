"""Drawings that the server writes: SVG with a name, readable without colour, a table beside each.

Marks are drawn in a frame that is stretched to the page's width; words stand beside it in the
page's own size, placed by percents.
"""

from __future__ import annotations

from services.portal.pages.charts.moved import draw_moved, find_moved
from services.portal.pages.charts.shares import draw_volume
from services.portal.pages.charts.strips import STATES, draw_strip
from services.portal.pages.charts.years import draw_year, list_months

__all__ = [
    "STATES",
    "draw_moved",
    "draw_strip",
    "draw_volume",
    "draw_year",
    "find_moved",
    "list_months",
]
