"""Moments as people read them."""

from __future__ import annotations

from datetime import datetime


def moment(when: datetime) -> str:
    """A moment in the time of this machine: 28 Nov 16:12, and the year where it is another."""
    here = when.astimezone()
    year = "" if here.year == datetime.now(here.tzinfo).year else f" {here.year}"
    return f"{here.day} {here:%b}{year} {here:%H:%M}"
