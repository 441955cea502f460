"""Foreign words, such as names and what programs said, made safe to show."""

from __future__ import annotations

import re

_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def plain(text: str) -> str:
    """Makes a foreign text one line: what would break it or turn it round is spelled, `\\u202e`."""
    return _CONTROLS.sub(_spell, text)


def _spell(found: re.Match[str]) -> str:
    point = ord(found.group())
    named = {9: "\\t", 10: "\\n", 13: "\\r"}
    return named.get(point) or (f"\\x{point:02x}" if point < 256 else f"\\u{point:04x}")
