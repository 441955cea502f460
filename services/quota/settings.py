"""What can differ between installations."""

from __future__ import annotations

from pydantic import SecretStr

from libs.shared.settings import CommonSettings, ServiceSettings


class Settings(ServiceSettings):
    """Settings of quota; the fields are COFFRE_… variables.

    metrics_per_tenant: figures of each client as well, which make a series of metrics each.
    """

    listen: str = "127.0.0.1:8002"
    monitor_listen: str = "127.0.0.1:8102"
    metrics_per_tenant: bool = False


class CommandSettings(CommonSettings):
    """What an operator's commands need."""

    database_url: SecretStr
