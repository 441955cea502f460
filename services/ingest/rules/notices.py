"""What agents are told of maintenance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Maintenance:
    """When the service may be away, and its title in both languages."""

    begins_at: datetime
    ends_at: datetime
    title_fr: str
    title_en: str
