"""What clients store of what they contracted, and how long that lasts."""

from __future__ import annotations

from monitoring.panels import Board, Row, areas, lines, number

BOARD = Board(
    "volume",
    "Coffre: volume and contracts",
    "What clients store of what they contracted, and who will need more.",
    (
        Row(
            "Now",
            (
                number("Stored", "max(coffre_stored_bytes)", "bytes"),
                number("Contracted", "max(coffre_contracted_bytes)", "bytes"),
                number(
                    "Stored of contracted",
                    "max(coffre_stored_bytes) / max(coffre_contracted_bytes)",
                    "percentunit",
                ),
                number("Clients that may not grow", "max(coffre_clients_blocked)", "short", 1),
            ),
        ),
        Row(
            "Volume",
            (
                lines(
                    "Bytes",
                    "bytes",
                    ("max(coffre_stored_bytes)", "stored"),
                    ("max(coffre_contracted_bytes)", "contracted"),
                    ("max(coffre_protected_bytes)", "protected by the newest restore points"),
                ),
                lines(
                    "Growth a day",
                    "bytes",
                    ("max(deriv(coffre_stored_bytes[1h])) * 86400", "by the last hour"),
                    ("max(deriv(coffre_stored_bytes[7d])) * 86400", "by the last week"),
                ),
            ),
        ),
        Row(
            "Clients",
            (
                areas(
                    "Clients by subscription",
                    "short",
                    ("max by (subscription) (coffre_clients)", "{{subscription}}"),
                ),
                areas(
                    "Clients by the percent of their contract reached",
                    "short",
                    ("max by (percent) (coffre_clients_at_level)", "{{percent}} %"),
                ),
                areas(
                    "Clients by the days left until their contract is reached",
                    "short",
                    ("max by (days_left) (coffre_clients_full_in)", "{{days_left}}"),
                    text="`none`: without a trend in the last ninety days.",
                ),
                areas(
                    "Overage cases by the days left until growth is blocked",
                    "short",
                    ("max by (days_left) (coffre_overage_cases_open)", "{{days_left}}"),
                ),
            ),
        ),
    ),
)
