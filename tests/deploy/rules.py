"""Rules as the operator of Prometheus takes them: `python -m tests.deploy.rules` writes them."""

from __future__ import annotations

from typing import Any

import yaml

from tests.deploy.kustomize import K8S, RECOMMENDED

PLACE = K8S / "components" / "monitoring" / "rules.yaml"
RULES = K8S.parent / "monitoring" / "rules"
_SAID = "# Made of deploy/monitoring/rules by `python -m tests.deploy.rules`.\n"


def compose() -> dict[str, Any]:
    """One resource with the groups of all files."""
    groups = [
        group
        for file in sorted(RULES.glob("*.yml"))
        for group in yaml.safe_load(file.read_text())["groups"]
    ]
    labels = RECOMMENDED | {"app.kubernetes.io/component": "monitoring"}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "coffre", "namespace": "coffre", "labels": labels},
        "spec": {"groups": groups},
    }


if __name__ == "__main__":
    PLACE.write_text(_SAID + yaml.safe_dump(compose(), sort_keys=False, width=100))
