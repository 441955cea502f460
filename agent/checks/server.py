"""Whether the server can be reached, trusts us, and goes by the same time."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from http.client import HTTPMessage

from agent.checks.findings import Finding
from agent.config import Config
from agent.server.connection import Connection
from agent.server.identity import Identity
from agent.telling.failures import ENROL_FIRST, AgentError, Problem
from libs.shared.words.explanations import say
from libs.shared.words.plain import duration_text

PATIENCE_SECONDS = 5.0
SMALL_SECONDS, LARGE_SECONDS = 60, 3600
_AWAY = frozenset({"server-unreachable", "server-busy", "storage-refused"})


def check_server(config: Config, known: Identity | None) -> Iterator[Finding]:
    """Ask the server for its health, then whether it knows our token; nothing changes there."""
    url = config.server or (known.server if known is not None else None)
    if url is None:
        yield Finding("wrong", "server", "No server is set. Enrol, or write server = in the file.")
        return
    try:
        connection = Connection(
            url,
            known.token if known is not None else None,
            ca_file=config.ca_file,
            proxy=config.proxy,
            patience_seconds=min(config.patience_seconds, PATIENCE_SECONDS),
        )
        answer = connection.call("GET", "/health/ready")
    except AgentError as error:
        yield Finding("wrong", "server", _without_comfort(error))
        return
    lock = ", its certificate is trusted" if url.startswith("https:") else ""
    yield Finding("fine", "server", f"{url} answers{lock}.")
    yield _clock(answer.headers)
    if known is not None:
        yield _authorised(connection)


def _without_comfort(error: AgentError) -> str:
    """Why, without telling of the next run where there was none."""
    return say(error.reason) if error.reason.code in _AWAY else str(error)


def _authorised(connection: Connection) -> Finding:
    try:
        # Nobody has this plan: a 404 says that the token is known.
        with connection.stream("GET", f"/v1/plans/{uuid.uuid4()}/entries"):
            pass
    except Problem as problem:
        if problem.status == 401:
            return Finding("wrong", "access", f"{problem.detail} {ENROL_FIRST}")
        if problem.status != 404:
            return Finding("wrong", "access", problem.detail)
    except AgentError as error:
        return Finding("wrong", "access", _without_comfort(error))
    return Finding("fine", "access", "The server knows this machine.")


def _clock(headers: HTTPMessage) -> Finding:
    try:
        theirs = parsedate_to_datetime(headers["Date"]).timestamp()
    except (TypeError, ValueError):
        return Finding("warning", "clock", "The server doesn't tell its time.")
    return clock_finding(time.time() - theirs)


def clock_finding(ahead_seconds: float) -> Finding:
    """What a difference between our clock and the server's means."""
    away = abs(ahead_seconds)
    if away <= SMALL_SECONDS:
        return Finding("fine", "clock", "It agrees with the server's.")
    side = "ahead of" if ahead_seconds > 0 else "behind"
    words = duration_text(away) if away < 2 * 86400 else f"{away / 86400:.0f} days"
    sentence = f"This machine's clock is {words} {side} the server's"
    if away > LARGE_SECONDS:
        sentence += ": plans start at the wrong time, and TLS may fail"
    return Finding("warning", "clock", f"{sentence}. Set it, and let NTP keep it right.")
