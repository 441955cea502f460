"""Dashboards in Grafana's own JSON, by Grafana's own builders."""

from __future__ import annotations

import json

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as shown
from grafana_foundation_sdk.models import dashboard as model

from monitoring.panels import Board, Panel

_SOURCE = model.DataSourceRef("prometheus", "${datasource}")
_WIDTH, _HEIGHT, _NUMBERS = 24, 8, 4


def write(board: Board) -> str:
    """A dashboard as a file that Grafana provisions."""
    built = (
        dashboard.Dashboard(board.title)
        .uid(f"coffre-{board.name}")
        .description(board.text)
        .tags(["coffre"])
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .readonly()
        .with_variable(dashboard.DatasourceVariable("datasource").type("prometheus"))
    )
    if board.asks_tenant:
        built.with_variable(
            dashboard.QueryVariable("tenant")
            .label("client")
            .datasource(_SOURCE)
            .query("label_values(coffre_tenant_stored_bytes, tenant)")
            .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        )
    top = number = 0
    for row in board.rows:
        built.with_row(dashboard.Row(row.title).grid_pos(model.GridPos(1, _WIDTH, 0, top)))
        top += 1
        left = height = 0
        for panel in row.panels:
            wide, high = _find_size(panel, len(row.panels))
            if left + wide > _WIDTH:
                left, top, height = 0, top + height, 0
            number += 1
            place = model.GridPos(high, wide, left, top)
            built.with_panel(_make(panel).id(number).grid_pos(place))
            left, height = left + wide, max(height, high)
        top += height
    text = JSONEncoder(sort_keys=True, indent=2).encode(built.build())
    return json.dumps(json.loads(text), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _find_size(panel: Panel, together: int) -> tuple[int, int]:
    if panel.kind == "number":
        return 6, _NUMBERS
    return (_WIDTH // 3 if together % 3 == 0 else _WIDTH // 2), _HEIGHT


def _make(panel: Panel) -> stat.Panel | timeseries.Panel:
    made: stat.Panel | timeseries.Panel
    if panel.kind == "number":
        reduced = common.ReduceDataOptions().calcs(["lastNotNull"])
        made = stat.Panel().graph_mode(shown.BigValueGraphMode.AREA).reduce_options(reduced)
    else:
        made = (
            timeseries.Panel()
            .min(0)
            .legend(
                common.VizLegendOptions()
                .display_mode(shown.LegendDisplayMode.LIST)
                .placement(shown.LegendPlacement.BOTTOM)
                .show_legend(True)
            )
        )
        if panel.kind == "areas":
            stacking = common.StackingConfig().mode(shown.StackingMode.NORMAL)
            made.fill_opacity(40).stacking(stacking)
    made.title(panel.title).unit(panel.unit).datasource(_SOURCE)
    if panel.text:
        made.description(panel.text)
    if panel.warn_at is not None:
        colours = ("red", "green") if panel.low_is_bad else ("green", "red")
        steps = [model.Threshold(None, colours[0]), model.Threshold(panel.warn_at, colours[1])]
        made.thresholds(
            dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)
        )
    for number, query in enumerate(panel.queries):
        asked = prometheus.Dataquery().expr(query.expression).ref_id(chr(ord("A") + number))
        made.with_target(asked.legend_format(query.legend) if query.legend else asked)
    return made
