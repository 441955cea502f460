"""What can differ between installations."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from libs.shared.settings import BucketSettings, CommonSettings, PublicSettings


class IngestSettings(BucketSettings, PublicSettings):
    """Ingest's settings.

    `lease_seconds`: how long a run may be silent; `max_file_bytes`: of a file that a script puts.
    """

    listen: str = "127.0.0.1:8001"
    monitor_listen: str = "127.0.0.1:8101"
    lease_seconds: int = Field(default=900, ge=1)
    max_file_bytes: int = Field(default=200 * 1024**3, ge=1, le=200 * 1024**3)


class CommandSettings(BucketSettings):
    """What a rebuild needs."""

    database_url: SecretStr


class RotationSettings(BucketSettings):
    """What a new master key needs: the one before it as well."""

    master_key_previous_file: Path


class FingerprintSettings(CommonSettings):
    """What reading the catalogue needs."""

    database_url: SecretStr
