"""The dashboards, in the order in which they are listed."""

from __future__ import annotations

from monitoring.boards import (
    client,
    ingest,
    mail,
    messaging,
    overview,
    portal,
    retention,
    volume,
)
from monitoring.panels import Board

BOARDS: tuple[Board, ...] = (
    overview.BOARD,
    ingest.BOARD,
    messaging.BOARD,
    mail.BOARD,
    volume.BOARD,
    retention.BOARD,
    portal.BOARD,
    client.BOARD,
)
