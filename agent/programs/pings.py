"""Pings of a monitoring service, in the way of healthchecks: /start, the address, /fail.

A service that does not answer is warned of, and never makes a run fail or wait for long.
"""

from __future__ import annotations

import http.client
import threading
from urllib.parse import quote, urlsplit, urlunsplit

from agent import __version__
from agent.config.addresses import address_of
from agent.config.proxies import proxy_for
from agent.telling.failures import AgentError
from agent.telling.teller import Teller
from libs.shared.reasons import Reason
from libs.shared.words.explanations import say

ANSWER_SECONDS = 10.0
TRIES = 2
MAX_BODY_BYTES = 10_000


class Pings:
    """The pings of one run; without an address nothing is sent.

    proxy: its address, `none`, or None for the environment's.
    """

    def __init__(
        self,
        url: str | None,
        teller: Teller,
        proxy: str | None = None,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._url = url
        self._proxy = proxy
        self._answer_seconds = answer_seconds
        self._longest_wait_seconds = answer_seconds * TRIES + 1
        self._teller = teller
        self._started: threading.Thread | None = None
        self._tries = TRIES
        self._warning: Reason | None = None

    def started(self) -> None:
        """Say that the run began; the run does not wait for the answer."""
        if self._url is not None:
            self._started = self._send("/start", b"")

    def warning(self) -> Reason | None:
        """What went wrong with the start's ping, which is told already; waits for its answer.

        The wait is not one more: the end's ping would wait for it as well.
        """
        if self._started is not None:
            self._started.join(self._longest_wait_seconds)
        return self._warning

    def ended(self, outcome: str, log: str) -> None:
        """Say how the run ended, with the end of its log."""
        if self._url is None:
            return
        if self._started is not None:
            # The service must not hear of the start after the end.
            self._started.join(self._longest_wait_seconds)
        body = log.encode("utf-8", "replace")[-MAX_BODY_BYTES:]
        self._send("/fail" if outcome == "failed" else "", body).join(self._longest_wait_seconds)

    def _send(self, suffix: str, body: bytes) -> threading.Thread:
        thread = threading.Thread(target=self._try, args=(suffix, body), daemon=True)
        thread.start()
        return thread

    def _try(self, suffix: str, body: bytes) -> None:
        assert self._url is not None
        parts = urlsplit(self._url)
        url = urlunsplit(parts._replace(path=parts.path.rstrip("/") + suffix))
        fault = ""
        for _ in range(self._tries):
            fault = _post(url, body, self._proxy, self._answer_seconds)
            if not fault:
                return
        self._tries = 1
        # The address is a secret of its own: only its host is told.
        self._warning = Reason("ping-failed", parts.hostname or "", detail=fault)
        self._teller.say(say(self._warning), "warning")


def _post(url: str, body: bytes, proxy: str | None, answer_seconds: float) -> str:
    """Send one ping; why it failed, empty if it did not."""
    import urllib.error  # noqa: PLC0415 - costs start-up time, and few plans have an address
    import urllib.request  # noqa: PLC0415 - the same

    agent = f"coffre-agent/{__version__}"
    headers = {"User-Agent": agent, "Content-Type": "text/plain; charset=utf-8"}
    request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - the configuration takes http and https alone
    try:
        way = urllib.request.ProxyHandler(_proxies(url, proxy))
        urllib.request.build_opener(way).open(request, timeout=answer_seconds).close()
    except urllib.error.HTTPError as refused:
        refused.close()
        return str(refused)
    except (OSError, http.client.HTTPException, ValueError, AgentError) as error:
        return str(getattr(error, "reason", None) or error) or type(error).__name__
    return ""


def _proxies(url: str, wanted: str | None) -> dict[str, str]:
    """What urllib takes for the proxy on the way to an address."""
    # It may have parameters, as no server of ours has.
    address = address_of(url.partition("?")[0])
    proxy = proxy_for(address, wanted)
    if proxy is None:
        return {}
    sign_in = (
        ""
        if proxy.sign_in is None
        else ":".join(quote(part, safe="") for part in proxy.sign_in) + "@"
    )
    return {address.scheme: f"{proxy.scheme}://{sign_in}{proxy.authority}"}
