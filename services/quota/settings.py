"""What can differ between installations."""

from __future__ import annotations

from libs.shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of quota; the fields are COFFRE_… variables."""

    listen: str = "127.0.0.1:8002"
    monitor_listen: str = "127.0.0.1:8102"
