"""What the five services answer at /metrics is what the page of metrics says of each."""

from __future__ import annotations

import re

import httpx2
import pytest

from monitoring import metrics
from tests.world.running import Installation

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(600)]


def test_each_service_answers_the_metrics_that_are_listed(installation: Installation) -> None:
    listed = metrics.list_metrics()
    for service, told in installation.stack["services"].items():
        text = httpx2.get(f"{told['monitor_url']}/metrics", trust_env=False, timeout=60).text
        answered = dict(re.findall(r"^# TYPE (coffre_\w+) (\w+)$", text, re.MULTILINE))
        answered = {name: kind for name, kind in answered.items() if not name.endswith("_created")}
        assert answered == {one.name: one.kind for one in listed if service in one.services}, (
            service
        )
        labels = {one.name: {*one.labels} for one in listed}
        for name, found in re.findall(r"^(coffre_\w+)\{(.*)\} ", text, re.MULTILINE):
            family = re.sub(r"_(bucket|sum|count|created)$", "", name)
            [known] = {one for one in (name, family, f"{family}_total") if one in labels}
            assert set(re.findall(r'(\w+)="', found)) - {"le"} == labels[known], name
