"""One client, where the operator asked for figures of each."""

from __future__ import annotations

from monitoring.panels import Board, Panel, Query, Row, lines, number

BOARD = Board(
    "client",
    "Coffre: one client",
    "Needs `COFFRE_METRICS_PER_TENANT=true` of quota and reporting: four series a client.",
    (
        Row(
            "Client",
            (
                number(
                    "Since the last good run of the plan that waits the longest",
                    'time() - max(coffre_tenant_last_good_run_timestamp_seconds{tenant="$tenant"})',
                    "s",
                    172_800,
                ),
                number(
                    "Stored of contracted",
                    'max(coffre_tenant_stored_bytes{tenant="$tenant"})'
                    ' / max(coffre_tenant_contracted_bytes{tenant="$tenant"})',
                    "percentunit",
                    1,
                ),
                Panel(
                    "Days until the contract is reached",
                    (Query('min(coffre_tenant_days_left{tenant="$tenant"})'),),
                    "d",
                    "number",
                    "Nothing, where there is no trend in the last ninety days.",
                    30,
                    low_is_bad=True,
                ),
                lines(
                    "Volume",
                    "bytes",
                    ('max(coffre_tenant_stored_bytes{tenant="$tenant"})', "stored"),
                    ('max(coffre_tenant_contracted_bytes{tenant="$tenant"})', "contracted"),
                ),
            ),
        ),
    ),
    asks_tenant=True,
)
