"""What requests of the API look like, for its OpenAPI document: taken from those that tests make.

Delete services/portal/api/examples.json and run tests/portal/test_access_log.py to write it anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from uuid import NAMESPACE_URL, UUID, uuid5

import httpx2

import services.portal.api
from tests.routes import Route

FILE = Path(services.portal.api.__file__).with_name("examples.json")
MOMENT = "2026-11-22T02:14:00+00:00"
_MOST, _LONGEST = 2, 300
_SECRET = {
    "token": "3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "password": "quatre mots connus de vous",
    "new_password": "quatre autres mots à vous",
    "secret": "JBSWY3DPEHPK3PXP",
}
_APP = "otpauth://totp/Coffre:lea%40martin.example?secret=JBSWY3DPEHPK3PXP&issuer=Coffre"
_CAUSE = re.compile(r"[a-z]+(-[a-z]+)*")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_INSTANT = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$")


class Examples:
    """Examples by operation, in which nothing is secret, and nothing changes from run to run."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, Any]] = {}
        self._ids: dict[str, str] = {}

    def take(self, route: Route, answer: httpx2.Response) -> None:
        """Keeps the last request of an answer, and the answer."""
        method, path = route
        request = answer.request
        one: dict[str, Any] = {"status": str(answer.status_code)}
        given = self._parameters(path, request)
        if given:
            one["parameters"] = given
        if "json" in request.headers.get("content-type", ""):
            one["request"] = self._tame(json.loads(request.content))
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if answer.content and kind == "application/json":
            one["response"] = self._tame(answer.json())
        elif answer.content:
            one["media_type"] = kind
        self.found[f"{method} {path}"] = one

    def _parameters(self, path: str, request: httpx2.Request) -> dict[str, Any]:
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
        found = re.fullmatch(pattern, request.url.path)
        assert found, (path, request.url.path)
        given = {**found.groupdict(), **dict(parse_qsl(request.url.query.decode()))}
        if key := request.headers.get("idempotency-key"):
            given["Idempotency-Key"] = key
        return {name: self._text(name, value) for name, value in given.items()}

    def _tame(self, value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            if value and all(_DAY.fullmatch(key) for key in value):
                return {MOMENT[:10]: next(iter(value.values()))}
            return {self._text("", key): self._tame(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._tame(inner, name) for inner in value[:_MOST]]
        return self._text(name, value) if isinstance(value, str) else value

    def _text(self, name: str, text: str) -> str:
        if name in _SECRET and text:
            return _SECRET[name]
        if name == "recovery_codes":
            return "ABCD-EFGH"
        if name == "code" and not _CAUSE.fullmatch(text):
            return "123456" if text.isdecimal() else "A2B3C-D4E5F-G6H7J-K8L9M"
        if name == "address":
            return _APP if text.startswith("otpauth:") else "192.0.2.7"
        if _INSTANT.match(text):
            return MOMENT
        text = re.sub(r"http://127\.0\.0\.1:\d+", "https://coffre.example", text)
        return _UUID.sub(self._id, text)[:_LONGEST]

    def _id(self, found: re.Match[str]) -> str:
        if UUID(found[0]).int == 0:
            return found[0]
        number = len(self._ids)
        return self._ids.setdefault(found[0], str(uuid5(NAMESPACE_URL, f"example {number}")))


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Where one has a name that the other lacks; empty lists and nulls fit everything."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() ^ other.keys():
            yield f"{path}.{key}"
        for key in one.keys() & other.keys():
            yield from differences(one[key], other[key], f"{path}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and one and other:
        yield from differences(one[0], other[0], f"{path}[]")
