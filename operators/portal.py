"""HTTP to the portal: one request, one answer; nothing is repeated that may have been done."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from operators import __version__
from operators.failures import Failure, Unreachable, refusal

SECONDS = 60.0
_MOST_PROBLEM_BYTES = 64 * 1024


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows nobody: the token is for the address that was named."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


@dataclass(frozen=True)
class Portal:
    """The portal at `url`, asked with somebody's token; "" for none."""

    url: str
    token: str = ""

    def ask(
        self, method: str, path: str, body: object = None, *, key: str = "", root: str = "/api/v1"
    ) -> Any:
        """The answer's JSON, None where there is none; key: of a request that may come twice.

        Raises Failure."""
        said = self.fetch(method, path, body, key=key, root=root)
        try:
            return json.loads(said) if said else None
        except ValueError:
            raise Unreachable(f"{self.url} doesn't answer as a portal does.") from None

    def fetch(
        self, method: str, path: str, body: object = None, *, key: str = "", root: str = "/api/v1"
    ) -> bytes:
        """The answer's bytes, as they are; raises Failure."""
        request = urllib.request.Request(  # noqa: S310 - http and https alone, see `at`
            f"{self.url}{root}{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={
                "Accept": "application/json",
                "Content-Type": "application/json",
                "User-Agent": f"coffre/{__version__}",
                **({"Authorization": f"Bearer {self.token}"} if self.token else {}),
                **({"Idempotency-Key": key} if key else {}),
            },
        )
        try:
            opener = urllib.request.build_opener(_NoRedirect)
            with opener.open(request, timeout=SECONDS) as answer:
                said: bytes = answer.read()
                return said
        except urllib.error.HTTPError as error:
            raise self._refusal(error) from None
        except (OSError, http.client.HTTPException, ssl.SSLError) as error:
            raise Unreachable(f"{self.url} can't be reached: {_why(error)}.") from None

    def _refusal(self, error: urllib.error.HTTPError) -> Failure:
        with error:
            body = error.read(_MOST_PROBLEM_BYTES)
        try:
            problem = json.loads(body)
        except ValueError:
            problem = None
        if isinstance(problem, dict) and "type" in problem:
            return refusal(error.code, problem)
        return Unreachable(f"{self.url} answers {error.code}, and not as a portal does.")


def _why(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or reason or type(reason).__name__)
