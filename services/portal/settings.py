"""What can differ between installations of the portal."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from libs.shared import settings


class Settings(settings.BucketSettings, settings.ServiceSettings):
    """Read from COFFRE_<FIELD>; the `_file` fields are paths."""

    listen: str = "127.0.0.1:8000"
    mail_key_file: Path
    portal_url: str
    ingest_url: str
    operator_email: str
    operator_password_file: Path
    operator_token_file: Path


class CommandSettings(settings.Settings):
    """What the commands for operators need."""

    database_url: SecretStr
