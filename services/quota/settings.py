"""What can differ between installations."""

from __future__ import annotations

from pydantic import SecretStr

from libs.shared.settings import ServiceSettings
from libs.shared.settings import Settings as BareSettings


class Settings(ServiceSettings):
    """Settings of quota; the fields are COFFRE_… variables."""

    listen: str = "127.0.0.1:8002"
    monitor_listen: str = "127.0.0.1:8102"


class CommandSettings(BareSettings):
    """What an operator's commands need."""

    database_url: SecretStr
