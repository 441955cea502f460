"""Writes docs/metrics.md and deploy/monitoring/dashboards anew."""

from __future__ import annotations

from monitoring import grafana, metrics
from monitoring.boards import BOARDS

PAGE = metrics.ROOT / "docs/metrics.md"
DASHBOARDS = metrics.ROOT / "deploy/monitoring/dashboards"


def write_all() -> dict[str, str]:
    """Every file with what it should hold, by its path in the repository."""
    page = metrics.write_page(PAGE.read_text(encoding="utf-8"), metrics.list_metrics())
    files = {str(PAGE.relative_to(metrics.ROOT)): page}
    for board in BOARDS:
        path = DASHBOARDS / f"{board.name}.json"
        files[str(path.relative_to(metrics.ROOT))] = grafana.write(board)
    return files


if __name__ == "__main__":
    DASHBOARDS.mkdir(exist_ok=True)
    for name, text in write_all().items():
        (metrics.ROOT / name).write_text(text, encoding="utf-8")
