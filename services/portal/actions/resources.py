"""What the portal's actions work with; built once, by `__main__`."""

from __future__ import annotations

from dataclasses import dataclass, field

from libs.shared.database import Pool
from libs.shared.keys import KeyRing
from libs.shared.objects import ObjectStore
from services.portal.actions.people.passwords import Passwords


@dataclass(frozen=True)
class Resources:
    """The portal's connections and secrets; `mail_key` is shared with reporting alone."""

    pool: Pool
    objects: ObjectStore
    keys: KeyRing
    mail_key: bytes = field(repr=False)
    portal_url: str
    ingest_url: str
    passwords: Passwords

    @property
    def is_https(self) -> bool:
        """Whether browsers come over TLS: then cookies never leave it."""
        return self.portal_url.startswith("https:")

    @property
    def cookie_name(self) -> str:
        """The session's cookie; the prefix makes browsers refuse one set by another host."""
        return "__Host-coffre" if self.is_https else "coffre"

    @property
    def device_cookie_name(self) -> str:
        """The cookie by which a browser is known that somebody signed in with before."""
        return f"{self.cookie_name}-device"
