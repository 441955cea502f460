"""Copies come in: what agents ask of ingest, and what becomes of their runs."""

from __future__ import annotations

from monitoring.panels import Board, Row, areas, lines, rate, requests, surroundings

BOARD = Board(
    "ingest",
    "Coffre: ingest",
    "Copies come in: what agents ask for, how fast they are answered, what becomes of their runs.",
    (
        Row(
            "Runs",
            (
                areas(
                    "Runs that ended, each second",
                    "reqps",
                    (rate("coffre_runs_ended_total", "outcome"), "{{outcome}}"),
                ),
                lines(
                    "Bytes put into the store",
                    "Bps",
                    (rate("coffre_packs_stored_bytes_total", "service"), "packs"),
                ),
                lines(
                    "Beyond an allowance or a share",
                    "reqps",
                    (
                        rate("coffre_allowances_refused_total", "kind"),
                        "allowance of {{kind}}",
                    ),
                    (
                        rate('coffre_shares_refused_total{service="ingest"}', "what"),
                        "share of {{what}}",
                    ),
                    text="A machine out of control, or a stolen token: `allowance.used` in the log"
                    " names the client.",
                ),
            ),
        ),
        requests("ingest"),
        surroundings("ingest"),
    ),
)
