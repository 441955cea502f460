"""Answers that are none of our server's: a proxy's, a firewall's, a sign-in page's.

Our services answer in JSON or in bytes, and refuse with a JSON object that says why.
"""

from __future__ import annotations

import html
import re
from http.client import HTTPMessage

from libs.shared.reasons import Reason

_TITLE = re.compile(rb"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})\b *(.*)", re.DOTALL)
_LONGEST_WORDS = 100
_LOOKED_AT_BYTES = 64 * 1024


class AnotherAnswered(Exception):
    """Something between us and the server answers for it; reason: who, and what to do."""

    def __init__(self, address: str, status: int, words: str = "", location: str = "") -> None:
        self.status = status
        shown = words[:_LONGEST_WORDS]
        if 300 <= status < 400:
            self.reason = Reason("server-moved", address, detail=location[:_LONGEST_WORDS])
        elif status == 407:
            self.reason = Reason("proxy-sign-in", address, detail=shown)
        else:
            self.reason = Reason("answered-by-another", address, status, detail=shown)
        told = " ".join(word for word in (str(status), shown or location) if word)
        super().__init__(f"something else answers, {told}")


def check_success(address: str, status: int, headers: HTTPMessage) -> None:
    """Raises AnotherAnswered where a success is a page to be looked at."""
    told = headers.get_content_type() if "Content-Type" in headers else "application/json"
    if not told.startswith("application/") or told == "application/xhtml+xml":
        raise AnotherAnswered(address, status, f"a page of type {told}")


def refusal(address: str, status: int, headers: HTTPMessage, content: bytes) -> AnotherAnswered:
    """What a refusal means that has no document of ours."""
    title = _TITLE.search(content[:_LOOKED_AT_BYTES])
    words = html.unescape(title[1].decode("utf-8", "replace")) if title is not None else ""
    plain = "".join(character for character in words if character.isprintable()).strip()
    return AnotherAnswered(address, status, plain, headers.get("Location", ""))


def of_tunnel(proxy: str, error: OSError) -> AnotherAnswered | None:
    """What it means that a proxy doesn't let us through; None for any other error."""
    told = _TUNNEL.match(str(error))
    return None if told is None else AnotherAnswered(proxy, int(told[1]), told[2].strip())
