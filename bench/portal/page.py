"""The portal's part of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_GOAL_MS = 100


def render(measured: Mapping[str, Any]) -> list[str]:
    """Its lines."""
    filled = measured["filled"]
    return [
        (
            f"{filled['clients']:,} clients,"
            f" {filled['runs']:,} runs of three years, {filled['versions']:,} versions, all of"
            " them of one client."
        ),
        (
            "The whole installation, its servers and whoever asks share the machine; answers are"
            " timed from the moment at which each was due."
        ),
        "",
        f"Load of the machine at the end, over five minutes: {measured['load']:.1f}.",
        "",
        *_tabulate(f"clients' pages, {measured['a_second']}/s of all kinds", measured["clients"]),
        "",
        *_tabulate(
            f"operators' pages, {measured['operators_a_second']}/s of all kinds",
            measured["operators"],
        ),
        "",
        *_tabulate_others(measured["signing"], measured["contents"]),
    ]


def _tabulate(title: str, kinds: Mapping[str, Mapping[str, float]]) -> list[str]:
    lines = [
        f"| {title} | asked | median | p99 | goal for p99 | failed |",
        "|---|---|---|---|---|---|",
    ]
    for kind, seen in kinds.items():
        lines.append(
            f"| {kind} | {seen['asked']:,} | {seen['p50']:.0f} ms | {seen['p99']:.0f} ms"
            f" | < {_GOAL_MS} ms | {seen['failed']} |"
        )
    return lines


def _tabulate_others(signing: Mapping[str, Any], contents: Mapping[str, Any]) -> list[str]:
    alone, beside = signing["alone"], signing["beside"]
    beyond = contents["zip_peak_bytes"] - contents["zip_base_bytes"]
    return [
        "| | measured | goal |",
        "|---|---|---|",
        (
            f"| First page, p99: alone, and beside 16 sign-ins a second | {alone['p99']:.0f} ms,"
            f" {beside['p99']:.0f} ms | < {_GOAL_MS} ms |"
        ),
        f"| Of {signing['sign_ins']['asked']} sign-ins, let in | {signing['let_in']} | all |",
        (
            f"| Until the first byte of a file: median, and the slowest"
            f" | {contents['first_byte_ms']['p50']:.0f} ms,"
            f" {contents['first_byte_ms']['p99']:.0f} ms | < {_GOAL_MS} ms |"
        ),
        (
            "| A large file through the portal, or its ranges read from the store and opened"
            f" | {contents['download_bytes_per_second'] / 1e6:.0f} MB/s of"
            f" {contents['straight_bytes_per_second'] / 1e6:.0f} MB/s: {contents['ratio']:.2f}"
            f" (left sealed, {contents['sealed_bytes_per_second'] / 1e6:.0f} MB/s)"
            " | ≥ 0.7 |"
        ),
        (
            f"| A zip of {contents['zip_bytes'] / 1e9:.1f} GB in {contents['zip_seconds']:.0f} s:"
            f" the portal's memory beyond its base of {contents['zip_base_bytes'] / 1e6:.0f} MB"
            f" | {beyond / 1e6:.0f} MB | < 100 MB |"
        ),
    ]


def count_failed(measured: Mapping[str, Any]) -> int:
    """How many pages were none."""
    pages = [*measured["clients"].values(), *measured["operators"].values()]
    signing = measured["signing"]
    return sum(int(seen["failed"]) for seen in [*pages, signing["alone"], signing["beside"]])
