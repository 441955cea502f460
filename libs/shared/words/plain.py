"""Sizes and durations in plain English, for terminals and logs; needs no translation."""

from __future__ import annotations


def count_text(number: int, one: str, many: str = "") -> str:
    """A number of things: 1 file, 3 files; many: where an s does not make it of one."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def size_text(size_bytes: float) -> str:
    """A size in decimal units, as contracts count: 1.2 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.2f} TB"


def span_text(seconds: float) -> str:
    """A long span, roughly: 7 minutes, 5 hours, 12 days, 3 years."""
    for unit, length in (("year", 31_556_952), ("day", 86_400), ("hour", 3_600)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}s"
    return count_text(round(seconds / 60), "minute")


def duration_text(seconds: float) -> str:
    """A duration such as 0.8 s, 41 s, 3 min 05 s, 2 h 07 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
