"""What can differ between installations."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field, SecretStr

from libs.shared.settings import BucketSettings, CommonSettings, ServiceSettings
from services.retention import rules


class DatabaseSettings(CommonSettings):
    """What commands need that only read or write the database."""

    database_url: SecretStr


class CommandSettings(BucketSettings, DatabaseSettings):
    """What the commands need as well as the service."""

    grace_days: float = Field(default=7, ge=0)
    young_hours: float = Field(default=24, ge=0)

    @property
    def limits(self) -> rules.collection.Limits:
        """How patient collection is."""
        return rules.collection.Limits(
            young=timedelta(hours=self.young_hours), grace=timedelta(days=self.grace_days)
        )


class RetentionSettings(ServiceSettings, CommandSettings):
    """Settings of retention; the fields are COFFRE_… variables.

    grace_days: how long a condemned pack is kept. young_hours: how long a pack is left alone.
    scrub_days: within how many every stored byte is read again. scrub_rate_bytes: how many a
    second at most. destroy_rate_objects: how many objects of destroyed clients are deleted a second
    at most. destroy_most_a_day, destroy_unasked_bytes: of more destructions due in a day, or of a
    larger one than any before and than that, an operator has to confirm it.
    certificate_key_file: the private key that signs certificates.
    """

    listen: str = "127.0.0.1:8004"
    monitor_listen: str = "127.0.0.1:8104"
    collect_hours: float = Field(default=24, gt=0)
    scrub_days: float = Field(default=30, gt=0)
    scrub_rate_bytes: int = Field(default=20_000_000, ge=1)
    destroy_rate_objects: int = Field(default=5_000, ge=1)
    destroy_most_a_day: int = Field(default=10, ge=0)
    destroy_unasked_bytes: int = Field(default=100_000_000_000, ge=0)
    certificate_key_file: Path

    @property
    def guards(self) -> rules.destruction.Guards:
        """What is taken for usual of destructions."""
        return rules.destruction.Guards(self.destroy_most_a_day, self.destroy_unasked_bytes)

    @property
    def rhythm(self) -> rules.rhythm.Rhythm:
        """How often it works, and how fast."""
        return rules.rhythm.Rhythm(
            timedelta(hours=self.collect_hours),
            timedelta(days=self.scrub_days),
            self.scrub_rate_bytes,
            self.destroy_rate_objects,
        )
