"""Durations, sizes, rates, times and days as people write them; ValueError says what to write."""

from __future__ import annotations

import re

_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
_BYTES = {
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_BITS = {"kbit": 10**3, "mbit": 10**6, "gbit": 10**9}
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")
_TIME = re.compile(r"(\d{1,2}):(\d\d)")


def duration_of(text: str) -> float:
    """Seconds of a text such as `90 s`, `15 min` or `1 h 30 min`."""
    seconds, place = 0.0, 0
    while place < len(text):
        part = _PART.match(text, place)
        if part is None or part[2].lower() not in _SECONDS:
            break
        seconds += float(part[1]) * _SECONDS[part[2].lower()]
        place = part.end()
    if place < len(text) or not text.strip():
        raise ValueError("must be a duration such as '90 s', '15 min' or '2 h'")
    return seconds


def size_of(text: str) -> int:
    """Bytes of a text such as `500 kB` or `1.5 GB`, in decimal units unless KiB, MiB …"""
    part = _PART.fullmatch(text)
    if part is None or part[2].lower() not in _BYTES:
        raise ValueError("must be a size such as '500 kB', '50 MB' or '1.5 GB'")
    return int(float(part[1]) * _BYTES[part[2].lower()])


def rate_of(text: str) -> int | None:
    """Bytes per second of a text such as `2 MB/s` or `10 Mbit/s`; None for `unlimited`."""
    if text.strip().lower() == "unlimited":
        return None
    amount, _, per = text.strip().rpartition("/")
    part = _PART.fullmatch(amount)
    if per.strip() == "s" and part is not None:
        unit, number = part[2].lower(), float(part[1])
        factor = _BYTES[unit] if unit in _BYTES else _BITS.get(unit, 0) / 8
        if number * factor >= 1:
            return int(number * factor)
    raise ValueError("must be a rate such as '500 kB/s', '2 MB/s', '10 Mbit/s' or 'unlimited'")


def minute_of(text: str) -> int:
    """Minutes since midnight of a time such as `08:30`; `24:00` is the end of the day."""
    time = _TIME.fullmatch(text.strip())
    if time is not None:
        minute = int(time[1]) * 60 + int(time[2])
        if int(time[2]) < 60 and minute <= 24 * 60:
            return minute
    raise ValueError("must be a time of the day such as '08:30'")


def days_of(text: str) -> frozenset[int]:
    """Days of the week, Monday being 0, of a text such as `mon-fri` or `sat,sun`."""
    days: set[int] = set()
    for part in text.lower().split(","):
        first, _, last = (piece.strip() for piece in part.partition("-"))
        if first not in _DAYS or (last or first) not in _DAYS:
            raise ValueError("must be days such as 'mon-fri' or 'sat,sun'")
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        days.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return frozenset(days)
