"""Panels and dashboards as plain data: what is asked of Prometheus, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["short", "s", "bytes", "Bps", "percentunit", "reqps", "d", "bool"]
WINDOW = "$__rate_interval"
"""What Grafana puts a span for, long enough for four scrapes."""


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, and what its series are called: `{{label}}` is put in."""

    expression: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture of a dashboard.

    kind: `number` shows the newest value, `lines` and `areas` its course. warn_at: from which
    value a number is red; `low_is_bad` turns that round. text: what it means, and what to do.
    """

    title: str
    queries: tuple[Query, ...]
    unit: Unit = "short"
    kind: Literal["number", "lines", "areas"] = "lines"
    text: str = ""
    warn_at: float | None = None
    low_is_bad: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a common title."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard; `name` is its file, and its address in Grafana."""

    name: str
    title: str
    text: str
    rows: tuple[Row, ...]
    asks_tenant: bool = False

    @property
    def panels(self) -> list[Panel]:
        """All of its panels."""
        return [panel for row in self.rows for panel in row.panels]


def number(
    title: str, expression: str, unit: Unit = "short", warn_at: float | None = None, text: str = ""
) -> Panel:
    """The newest value, red from `warn_at` on."""
    return Panel(title, (Query(expression),), unit, "number", text, warn_at)


def lines(title: str, unit: Unit, *queries: tuple[str, str], text: str = "") -> Panel:
    """Courses of values; each query is an expression and its legend."""
    return Panel(title, tuple(Query(*each) for each in queries), unit, "lines", text)


def areas(title: str, unit: Unit, *queries: tuple[str, str], text: str = "") -> Panel:
    """Courses of values that make a whole, one on the other."""
    return Panel(title, tuple(Query(*each) for each in queries), unit, "areas", text)


def rate(series: str, by: str) -> str:
    """How much is added each second, summed by a label."""
    return f"sum by ({by}) (rate({series}[{WINDOW}]))"


def quantile(share: float, series: str, by: str = "") -> str:
    """What that share of observations stays below; `series` without `_bucket`, selector included.

    Where nothing was observed there is nothing to be said.
    """
    name, brace, selector = series.partition("{")
    labels = f"le, {by}" if by else "le"
    inner = f"sum by ({labels}) (rate({name}_bucket{brace}{selector}[{WINDOW}]))"
    return f"histogram_quantile({share:g}, {inner}) >= 0"


def requests(service: str) -> Row:
    """Rate, errors and duration of what one service answers."""
    selector = f'{{service="{service}", route!~"/health/.*|/metrics"}}'
    return Row(
        "Requests",
        (
            lines(
                "Requests by route",
                "reqps",
                (rate(f"coffre_http_requests_total{selector}", "route"), "{{route}}"),
            ),
            lines(
                "Answers by status",
                "reqps",
                (rate(f"coffre_http_requests_total{selector}", "status"), "{{status}}"),
                text="5xx is ours to mend; 429 is a client that asks for more than its share;"
                " 0 is a connection that was cut before an answer.",
            ),
            lines(
                "Seconds to the end of the answer",
                "s",
                *(
                    (quantile(share, f"coffre_http_request_seconds{selector}"), f"p{100 * share:g}")
                    for share in (0.5, 0.95, 0.99)
                ),
                text="Long answers are streams: an archive, a restore, a commit of a large run.",
            ),
        ),
    )


def surroundings(service: str) -> Row:
    """How a service gets on with PostgreSQL and the store."""
    selector = f'{{service="{service}"}}'
    return Row(
        "Database and store",
        (
            lines(
                "Database connections",
                "short",
                (
                    f"sum(coffre_pool_connections{selector}) - sum(coffre_pool_idle{selector})",
                    "in use",
                ),
                (f"sum(coffre_pool_limit{selector})", "at most"),
                text="Where all are in use, requests wait, and are refused after ten seconds.",
            ),
            lines(
                "Wait for a connection",
                "s",
                (quantile(0.95, f"coffre_pool_wait_seconds{selector}"), "p95"),
            ),
            lines(
                "Store: seconds a request, p95",
                "s",
                (
                    quantile(0.95, f"coffre_storage_request_seconds{selector}", "operation"),
                    "{{operation}}",
                ),
            ),
            lines(
                "Store: failed requests",
                "reqps",
                (rate(f"coffre_storage_failures_total{selector}", "operation"), "{{operation}}"),
                text="Each is tried once more; `storage.failed` in the log says why.",
            ),
        ),
    )
