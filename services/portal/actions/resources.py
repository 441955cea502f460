"""What the portal's actions work with; built once, by `__main__`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from libs.shared.database import Pool
from libs.shared.keys import KeyRing
from libs.shared.objects import ObjectStore
from libs.shared.shares import Shares
from services.portal.actions.people.passwords import Passwords
from services.portal.actions.people.signing import Door
from services.portal.rules.approvals import Kind
from services.portal.rules.branding import Brand

DOWNLOADS_OF_USER = 8
"""A browser has six at once, `coffre-agent restore` four."""
DOWNLOADS_OF_CLIENT = 24
DOWNLOADS = 64
PACKAGES_OF_ADDRESS = 8
PACKAGES = 64
DOWNLOAD_WAIT_SECONDS = 10.0
READS = 16


@dataclass(frozen=True)
class Support:
    """Whom clients call, and when; empty where it isn't said."""

    phone: str = ""
    email: str = ""
    hours: Mapping[str, str] = field(default_factory=dict)
    """By language."""


@dataclass(frozen=True)
class Resources:
    """The portal's connections and secrets; `mail_key` is shared with reporting alone.

    certificate_key: what certificates of destruction are checked with, PEM, public.
    """

    pool: Pool
    objects: ObjectStore
    keys: KeyRing
    mail_key: bytes = field(repr=False)
    portal_url: str
    ingest_url: str
    certificate_key: str
    passwords: Passwords
    support: Support = field(default_factory=Support)
    brand: Brand = field(default_factory=Brand)
    is_production: bool = False
    """Operators then come in with a second factor alone."""
    four_eyes: frozenset[Kind] = frozenset()
    """What takes a second operator here."""
    agent_folder: Path | None = None
    """Where `./run package` laid the agent's packages, if it did."""
    downloads_of_user: Shares = field(
        default_factory=lambda: Shares("downloads", most=DOWNLOADS_OF_USER)
    )
    downloads: Shares = field(
        default_factory=lambda: Shares("downloads", most=DOWNLOADS_OF_CLIENT, total=DOWNLOADS)
    )
    """Files, archives and restores that are being read; each holds some 20 MB."""
    packages: Shares = field(
        default_factory=lambda: Shares("packages", most=PACKAGES_OF_ADDRESS, total=PACKAGES)
    )
    """Packages of the agent that are being read, by anybody."""
    reads: Shares = field(default_factory=lambda: Shares("storage", most=READS - 4, total=READS))
    """Requests to the store for what is downloaded."""

    @asynccontextmanager
    async def hold_download(self, tenant_id: UUID, user_id: UUID | None) -> AsyncIterator[None]:
        """Holds one of what a user and a client may download at once; raises ShareUsed."""
        async with (
            self.downloads_of_user.hold(user_id, 1, DOWNLOAD_WAIT_SECONDS),
            self.downloads.hold(tenant_id, 1, DOWNLOAD_WAIT_SECONDS),
        ):
            yield

    @property
    def door(self) -> Door:
        """What sign-ins are checked with."""
        return Door(self.pool, self.passwords, self.mail_key, self.is_production)

    @property
    def name(self) -> str:
        """What the service is called in apps and browsers that keep a factor for it."""
        return self.brand.name

    @property
    def is_https(self) -> bool:
        """Whether browsers come over TLS: then cookies never leave it."""
        return self.portal_url.startswith("https:")

    @property
    def cookie_name(self) -> str:
        """The session's cookie; the prefix makes browsers refuse one set by another host."""
        return "__Host-coffre" if self.is_https else "coffre"

    @property
    def pending_cookie_name(self) -> str:
        """The cookie of a sign-in that waits for its second step."""
        return f"{self.cookie_name}-pending"

    @property
    def device_cookie_name(self) -> str:
        """The cookie by which a browser is known that somebody signed in with before."""
        return f"{self.cookie_name}-device"
