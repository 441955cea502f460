"""What can differ between installations."""

from __future__ import annotations

from libs.shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of retention; the fields are COFFRE_… variables."""

    listen: str = "127.0.0.1:8004"
