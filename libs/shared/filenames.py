"""Names as Windows can hold them, for restores there and for archives that are opened there."""

from __future__ import annotations

import re

_FORBIDDEN = re.compile(rb'[\x00-\x1f<>:"|?*\\]')
_DEVICE = re.compile(
    rb"(?i)(con|conin\$|conout\$|prn|aux|nul|(com|lpt)([0-9]|\xc2[\xb9\xb2\xb3])) *(\.|$)"
)


def on_windows(name: bytes) -> bytes:
    """What a name of one component is called there.

    Windows has no `a?b`, no `con.txt`, no name that ends with a dot, and none that isn't Unicode.
    """
    try:
        name.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        # Of the names that aren't Unicode, most are of the time before it.
        name = name.decode("latin-1").encode()
    kept = _FORBIDDEN.sub(b"_", name)
    if kept.endswith((b".", b" ")):
        kept = kept[:-1] + b"_"
    return b"_" + kept if _DEVICE.match(kept) else kept
