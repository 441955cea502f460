"""People look, recover and decide."""

from __future__ import annotations

from monitoring.panels import WINDOW, Board, Row, lines, rate, requests, surroundings

BOARD = Board(
    "portal",
    "Coffre: portal",
    "People look, recover and decide: how fast they are answered, and how much they get back.",
    (
        requests("portal"),
        Row(
            "Recovery",
            (
                lines(
                    "Stored bytes read to be recovered or shown",
                    "Bps",
                    (f"sum(rate(coffre_recovery_bytes_total[{WINDOW}]))", "read"),
                ),
                lines(
                    "Beyond a share",
                    "reqps",
                    (
                        rate('coffre_shares_refused_total{service="portal"}', "what"),
                        "{{what}}",
                    ),
                ),
            ),
        ),
        surroundings("portal"),
    ),
)
