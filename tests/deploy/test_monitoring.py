"""Metrics, dashboards and alerts fit each other, the code and the documents."""

from __future__ import annotations

import importlib
import re
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from prometheus_client import REGISTRY

from libs.shared import signatures
from libs.shared.database import SERVICES
from libs.shared.runtime.service import SHARED_JOBS
from monitoring import metrics
from monitoring.__main__ import write_all
from monitoring.boards import BOARDS
from monitoring.panels import WINDOW
from services.ingest.rules import usage
from services.reporting.mail import letters
from tests.deploy.alert_cases import CASES

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy/monitoring"
RULES = sorted((MONITORING / "rules").glob("*.yml"))
ALERTS: list[dict[str, Any]] = [
    rule
    for file in RULES
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
]
METRICS = metrics.list_metrics()
LABELS = {series: {*one.labels, "service"} for one in METRICS for series in one.series} | {
    "up": {"job", "service", "instance"}
}
EXPRESSIONS = [
    *((f"{board.name}: {panel.title}", query.expression)
      for board in BOARDS for panel in board.panels for query in panel.queries),
    *((rule["alert"], rule["expr"]) for rule in ALERTS),
]  # fmt: skip
DOCS = "https://docs.example"


def call(*command: str | Path) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_the_page_and_the_dashboards_are_as_the_code_writes_them() -> None:
    for name, text in write_all().items():
        assert (ROOT / name).read_text() == text, f"{name}: run `python -m monitoring`"
    written = {file.stem for file in (MONITORING / "dashboards").iterdir()}
    assert written == {board.name for board in BOARDS}


def test_metrics_are_named_as_prometheus_wants_them() -> None:
    for metric in METRICS:
        assert metric.text, metric
        if metric.kind == "histogram":
            assert metric.name.endswith("_seconds"), metric
        assert "job" not in metric.labels, "Prometheus has a label of that name for its own"
        is_of_a_tenant = "tenant" in metric.labels
        assert is_of_a_tenant == metric.name.startswith(metrics.PER_TENANT), metric
    unbounded = {"tenant_id", "plan", "plan_id", "run", "run_id", "agent", "path", "email", "name"}
    assert not unbounded & {label for metric in METRICS for label in metric.labels}


def test_expressions_ask_for_what_there_is() -> None:
    for where, expression in EXPRESSIONS:
        named = re.findall(r"\b(coffre_\w+|up\b)(?:\{([^}]*)\})?", expression)
        assert named, where
        known = {"le", "instance"}
        for series, selector in named:
            assert series in LABELS, (where, series)
            known |= LABELS[series]
            asked = set(re.findall(r"(\w+)\s*[=!]~?", selector.replace("\n", " ")))
            assert asked <= LABELS[series] | {"le"}, (where, series)
        for labels in re.findall(r"by \(([^)]*)\)", expression):
            assert {label.strip() for label in labels.split(",")} <= known, (where, labels)


def test_legends_name_labels_that_are_left() -> None:
    for board in BOARDS:
        for panel in board.panels:
            for query in panel.queries:
                told = set(re.findall(r"\{\{(\w+)\}\}", query.legend))
                left = set(
                    re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)", query.expression)))
                )
                assert told <= left, (board.name, panel.title)


def test_every_expression_can_be_read_by_prometheus(tmp_path: Path) -> None:
    rules = [
        {"record": f"asked:{number}", "expr": expression.replace(WINDOW, "1m")}
        for number, (_, expression) in enumerate(EXPRESSIONS)
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": rules}]}))
    assert f"{len(EXPRESSIONS)} rules found" in call("promtool", "check", "rules", file)


def test_each_alert_says_how_bad_it_is_whose_and_what_to_do() -> None:
    names = [rule["alert"] for rule in ALERTS]
    assert len(set(names)) == len(names)
    for rule in ALERTS:
        assert rule["labels"]["severity"] in {"critical", "warning"}, rule
        assert rule["labels"]["team"] in {"ops", "hotline"}, rule
        url = rule["annotations"]["runbook_url"]
        page, _, anchor = url.removeprefix("{{ $externalLabels.docs }}/").partition("#")
        text = (ROOT / "docs" / page).read_text()
        anchors = {
            re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        }
        assert anchor in anchors if page == "operations.md" else anchor in {*anchors, ""}, url
        if page != "operations.md":  # a page that is about this alone
            assert page.startswith("operations/"), (rule["alert"], page)
            assert f"`{rule['alert']}`" in text, (rule["alert"], page)


def test_each_job_is_expected_as_often_as_it_is_done() -> None:
    [late] = [rule["expr"] for rule in ALERTS if rule["alert"] == "CoffreJobLate"]
    [rare] = [rule["expr"] for rule in ALERTS if rule["alert"] == "CoffreRareJobLate"]
    excepted, expected = (
        set(re.findall(r'"([\w|]+)"', text)[0].split("|")) for text in (late, rare)
    )
    assert expected <= excepted
    for service in SERVICES:
        module = importlib.import_module(f"services.{service}.jobs")
        for job in [*SHARED_JOBS, *module.JOBS, *getattr(module, "PER_TENANT", ())]:
            is_rare = isinstance(job.every, timedelta) and job.every > timedelta(minutes=15)
            assert not is_rare or job.name in excepted, job.name


def test_the_first_of_what_should_never_be_is_seen() -> None:
    # An increase is only seen of a series that was there before: at 0, from the start.
    for name, label, values in (
        ("events_refused", "reason", get_args(signatures.Refusal)),
        ("mail_templates_failed", "kind", letters.KINDS),
        ("allowances_refused", "kind", get_args(usage.Kind)),
    ):
        for value in values:
            found = REGISTRY.get_sample_value(f"coffre_{name}_total", {label: value})
            assert found is not None, (name, value)


def fill(text: str, labels: dict[str, str]) -> str:
    """An annotation as Prometheus fills it in."""
    filled = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found[1]], text)
    return filled.replace("{{ $externalLabels.docs }}", DOCS)


def test_each_alert_fires_for_its_reason_and_not_before(tmp_path: Path) -> None:
    assert set(CASES) == {rule["alert"] for rule in ALERTS}
    tests: dict[str, list[dict[str, Any]]] = {"1m": [], "30m": []}  # by how often it is looked
    for rule in ALERTS:
        case = CASES[rule["alert"]]
        fired = {
            "exp_labels": {**case.labels, **rule["labels"]},
            "exp_annotations": {
                name: fill(text, case.labels) for name, text in rule["annotations"].items()
            },
        }
        tests["30m" if case.fires_at.endswith("h") else "1m"].append(
            {
                "interval": "1m",
                "external_labels": {"docs": DOCS},
                "input_series": [
                    {"series": series, "values": values} for series, values in case.series.items()
                ],
                "alert_rule_test": [
                    {"eval_time": case.quiet_at, "alertname": rule["alert"], "exp_alerts": []},
                    {"eval_time": case.fires_at, "alertname": rule["alert"], "exp_alerts": [fired]},
                ],
            }
        )
    for interval, some in tests.items():
        told = {"rule_files": [str(each) for each in RULES], "evaluation_interval": interval}
        (tmp_path / f"{interval}.yml").write_text(yaml.safe_dump({**told, "tests": some}))
    call("promtool", "test", "rules", *tmp_path.iterdir())


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("team=hotline severity=critical", "hotline"),
        ("team=hotline severity=warning", "hotline"),
        ("team=ops severity=critical", "ops-at-once"),
        ("team=ops severity=warning", "ops"),
        ("alertname=SomethingElse", "ops"),
    ],
)
def test_alerts_reach_whom_they_concern(labels: str, receiver: str) -> None:
    file = MONITORING / "alertmanager.yml"
    routed = call("amtool", "config", "routes", "test", f"--config.file={file}", *labels.split())
    assert routed.strip() == receiver


def test_an_alert_that_follows_from_another_is_told_by_that_one() -> None:
    file = MONITORING / "alertmanager.yml"
    assert "SUCCESS" in call("amtool", "check-config", file)
    names = {rule["alert"] for rule in ALERTS}
    for rule in yaml.safe_load(file.read_text())["inhibit_rules"]:
        matchers = [*rule["source_matchers"], *rule["target_matchers"]]
        told = {name for matcher in matchers for name in re.findall(r"Coffre\w+", matcher)}
        assert told <= names, told - names


def test_compose_gives_prometheus_what_it_can_read(tmp_path: Path) -> None:
    text = (ROOT / "deploy/compose/prometheus.yml").read_text()
    assert "docs" in yaml.safe_load(text)["global"]["external_labels"]
    file = tmp_path / "prometheus.yml"
    file.write_text(text.replace("/etc/prometheus/rules", str(MONITORING / "rules")))
    assert f"{len(RULES)} rule files found" in call("promtool", "check", "config", file)
