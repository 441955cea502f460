"""What can differ between installations of the portal."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator

from libs.shared import settings
from services.portal.rules.approvals import KINDS, Kind


class Settings(settings.BucketSettings, settings.PublicSettings):
    """Read from COFFRE_<FIELD>; the `_file` fields are paths.

    stage: outside development operators need a second factor, and the legal pages are written.
    """

    stage: Literal["production", "development"] = "production"
    listen: str = "127.0.0.1:8000"
    monitor_listen: str = "127.0.0.1:8100"
    mail_key_file: Path
    portal_url: str
    ingest_url: str
    support_phone: str = ""
    support_email: str = ""
    support_hours_fr: str = ""
    support_hours_en: str = ""
    brand_name: str = "Coffre"
    brand_logo_file: Path | None = None
    brand_header: str = ""
    brand_accent: str = ""
    legal_folder: Path | None = None
    agent_folder: Path | None = None
    four_eyes: str = ""
    operator_email: str
    operator_password_file: Path
    operator_token_file: Path
    certificate_public_file: Path

    @field_validator("four_eyes")
    @classmethod
    def check_four_eyes(cls, value: str) -> str:
        """What takes two operators, by names that there are."""
        unknown = {one.strip() for one in value.split(",") if one.strip()} - set(KINDS)
        if unknown:
            raise ValueError(f"this must be some of {', '.join(KINDS)}, with commas between them")
        return value

    @property
    def with_four_eyes(self) -> frozenset[Kind]:
        """What takes two operators."""
        named = {one.strip() for one in self.four_eyes.split(",")}
        return frozenset(kind for kind in KINDS if kind in named)

    @field_validator("portal_url")
    @classmethod
    def check_portal_url(cls, value: str) -> str:
        """Cookies, forms and links follow from it: an address of one host, and nothing below."""
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise ValueError("this must be https://HOST, or http://HOST without TLS")
        return f"{parts.scheme}://{parts.netloc}"


class CommandSettings(settings.CommonSettings):
    """What the commands for operators need."""

    database_url: SecretStr
