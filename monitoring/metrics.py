"""All metrics of the services, as their modules declare them, and the page that lists them."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from libs.shared.database import SERVICES

ROOT = Path(__file__).parents[1]
PER_TENANT = "coffre_tenant_"
"""How those begin that only COFFRE_METRICS_PER_TENANT brings."""

_TABLE = "| metric | type | labels | services | what |\n|---|---|---|---|---|\n"


@dataclass(frozen=True, slots=True)
class Metric:
    """One family of series; `name` as it stands in expressions, without a histogram's endings."""

    name: str
    kind: str
    labels: tuple[str, ...]
    services: tuple[str, ...]
    text: str

    @property
    def series(self) -> tuple[str, ...]:
        """The names that its series have."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{end}" for end in ("bucket", "sum", "count"))
        return (self.name,)


def list_metrics() -> list[Metric]:
    """Imports the five services, and gives what they declare, by name."""
    for service in SERVICES:
        importlib.import_module(f"services.{service}.__main__")
    places = _find_places()
    found = {
        collector
        for collector in REGISTRY._collector_to_names
        if isinstance(collector, MetricWrapperBase) and collector._name.startswith("coffre_")
    }
    return sorted((_describe(collector, places) for collector in found), key=lambda one: one.name)


def write_page(page: str, metrics: Iterable[Metric]) -> str:
    """The page with its table written anew; what stands before it is a person's."""
    return (
        page.partition(_TABLE)[0]
        + _TABLE
        + "".join(
            f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)}"
            f" | {_say_services(one.services)} | {one.text} |\n"
            for one in metrics
        )
    )


def _describe(collector: MetricWrapperBase, places: dict[str, str]) -> Metric:
    name = collector._name
    return Metric(
        f"{name}_total" if collector._type == "counter" else name,
        collector._type or "untyped",
        tuple(collector._labelnames),
        _find_services(places[name]),
        collector._documentation,
    )


def _find_places() -> dict[str, str]:
    """In which file each metric is declared."""
    return {
        name: str(file.relative_to(ROOT))
        for folder in ("libs", "services")
        for file in sorted((ROOT / folder).rglob("*.py"))
        for name in re.findall(
            r"(?:Counter|Gauge|Histogram)\(\s*\"(coffre_\w+)\"", file.read_text(encoding="utf-8")
        )
    }


def _find_services(place: str) -> tuple[str, ...]:
    if place.startswith("services/"):
        return (place.split("/")[1],)
    return SERVICES


def _say_services(services: tuple[str, ...]) -> str:
    return "all" if services == SERVICES else ", ".join(services)
