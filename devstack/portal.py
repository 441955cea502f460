"""What scripts ask of a running portal: to open a client, to enrol its machines, to sign in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx2


class Refused(Exception):  # noqa: N818 - named after what happened
    """The portal answered with an error; the text says to what, and what it said."""


@dataclass(frozen=True)
class Portal:
    """The portal's JSON API, asked by its operator or with somebody's own token."""

    url: str
    operator_token: str

    def ask(self, method: str, path: str, body: object = None, *, token: str | None = None) -> Any:
        """Gives what one call of the API answers; Refused when that is an error."""
        bearer = self.operator_token if token is None else token
        answer = httpx2.request(
            method,
            f"{self.url}/api/v1{path}",
            json=body,
            headers={"Authorization": f"Bearer {bearer}"} if bearer else {},
            timeout=60,
            trust_env=False,
            verify=False,  # reading all authorities of the world takes 50 ms; this is no TLS
        )
        if answer.is_error:
            said = answer.text[:500]
            raise Refused(f"{method} {answer.url} was answered {answer.status_code}: {said}")
        return answer.json() if answer.content else None

    def open_client(self, name: str, administrator: str, email: str, **terms: Any) -> str:
        """Opens a client's subscription; gives the tenant's id. The first password is mailed."""
        opened = self.ask(
            "POST",
            "/tenants",
            {
                "name": name,
                "locale": "fr",
                "contracted_bytes": 10**12,
                "seats": 3,
                "administrator": {"name": administrator, "email": email},
                **terms,
            },
        )
        return str(opened["tenant_id"])

    def open_enrolment(self, tenant_id: str, label: str = "") -> str:
        """Gives a one-time code for a machine; it travels to ingest as an event."""
        opened = self.ask("POST", f"/tenants/{tenant_id}/enrolments", {"label": label})
        return str(opened["code"])

    def change_password(self, email: str, password: str, new_password: str) -> None:
        """Replaces a password, which may be one that was mailed."""
        body = {"email": email, "password": password, "new_password": new_password}
        self.ask("POST", "/password", body, token="")

    def sign_in(self, email: str, password: str) -> str:
        """Gives the token of a person who signs in."""
        body = {"email": email, "password": password}
        return str(self.ask("POST", "/tokens", body, token="")["token"])
