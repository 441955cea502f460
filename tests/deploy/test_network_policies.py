"""Who may speak to whom in the cluster, against whom services really speak to."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from installing import secrets
from libs.shared import database
from tests.deploy.kustomize import (
    COMPONENTS,
    Resource,
    environment,
    of_kind,
    overlay,
    pods,
    with_component,
)
from tests.deploy.test_compose import settings_of

Flow = tuple[str, str, int]
# Of the mail servers that there are, of a mailbox of bounces, of webhooks.
MAIL = {("reporting", "anywhere", port) for port in (25, 465, 587, 993, 443)}


def policies(rendered: tuple[Resource, ...]) -> list[Resource]:
    """What is asked of the network."""
    return [one["spec"] for one in of_kind(rendered, "NetworkPolicy").values()]


def chosen(selector: Resource, rendered: tuple[Resource, ...]) -> set[str]:
    """The pods that a selector takes, by what they are; of operators' pods what they serve."""
    found = set()
    labelled = [template["metadata"]["labels"] for template in pods(rendered).values()]
    labelled += [{"coffre/serves": name} for name in ("postgresql", "rabbitmq")]
    for labels in labelled:
        is_so = all(labels.get(key) == to for key, to in selector.get("matchLabels", {}).items())
        for rule in selector.get("matchExpressions", []):
            assert rule["operator"] == "In"
            is_so = is_so and labels.get(rule["key"]) in rule["values"]
        if is_so:
            own = labels.get("app.kubernetes.io/component", "")
            found.add(labels.get("coffre/serves", own))
    return found


def peers(told: list[Resource], rendered: tuple[Resource, ...]) -> set[str]:
    """Who stands at the other end."""
    found = set()
    for peer in told:
        if "ipBlock" in peer:
            found.add("anywhere")
        elif "namespaceSelector" in peer:
            found.add(
                "namespace "
                + peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
            )
        else:
            found |= chosen(peer["podSelector"], rendered)
    return found


def outward(rendered: tuple[Resource, ...]) -> set[Flow]:
    """Who may begin to speak to whom, at which port."""
    return {
        (who, whom, port["port"])
        for policy in policies(rendered)
        for who in chosen(policy["podSelector"], rendered)
        for rule in policy.get("egress", [])
        for whom in peers(rule["to"], rendered)
        for port in rule["ports"]
    }


def inward(rendered: tuple[Resource, ...]) -> set[Flow]:
    """Who may be spoken to by whom, at which port."""
    return {
        (who, whom, port["port"])
        for policy in policies(rendered)
        for whom in chosen(policy["podSelector"], rendered)
        for rule in policy.get("ingress", [])
        for who in peers(rule["from"], rendered)
        for port in rule["ports"]
    }


def needed(rendered: tuple[Resource, ...]) -> set[Flow]:
    """What services connect to by their settings, and `prepare` by what it is given."""
    places = secrets.Places()
    flows = {
        ("prepare", "postgresql", port_of(places.postgresql)),
        ("prepare", "rabbitmq", port_of(places.management)),
    }
    for name in (*database.SERVICES, "prepare"):
        given = environment(rendered, name)
        if "COFFRE_S3_ENDPOINT" in given:
            endpoint = urlsplit(given["COFFRE_S3_ENDPOINT"])
            where = "s3" if endpoint.hostname == "seaweedfs" else "anywhere"
            flows.add((name, where, endpoint.port or 443))
    for service in database.SERVICES:
        fields = settings_of(service).model_fields
        assert {"database_url", "amqp_url"} <= set(fields)
        flows.add((service, "postgresql", port_of(places.postgresql)))
        flows.add((service, "rabbitmq", port_of(places.rabbitmq)))
        assert ("s3_endpoint" in fields) == any(
            flow[0] == service for flow in flows if flow[1] in {"s3", "anywhere"}
        )
        if "smtp_port" in fields:
            given = environment(rendered, service)
            where = "mail" if given["COFFRE_SMTP_HOST"] == "mailpit" else "anywhere"
            flows.add((service, where, int(given["COFFRE_SMTP_PORT"])))
    return flows


def port_of(place: str) -> int:
    """Of host:port."""
    return int(place.partition(":")[2])


@pytest.mark.parametrize("name", ["development", "production"])
def test_services_reach_what_they_need_and_nothing_else(name: str) -> None:
    rendered = overlay(name)
    everybody = chosen({}, rendered)
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in policies(rendered)
    ours = {flow for flow in outward(rendered) if flow[0] in {*database.SERVICES, "prepare"}}
    names = {(who, "namespace kube-system", 53) for who in everybody}
    assert ours - names == needed(rendered) | MAIL
    assert names <= outward(rendered)


@pytest.mark.parametrize("name", ["development", "production"])
def test_both_ends_of_each_way_let_it_pass(name: str) -> None:
    rendered = overlay(name)
    inside = chosen({}, rendered)
    out = {flow for flow in outward(rendered) if flow[1] in inside}
    came = {flow for flow in inward(rendered) if flow[0] in inside}
    assert out == came
    assert len(out) > 10


def test_traces_go_to_the_collector_that_services_are_told_of() -> None:
    rendered, plain = with_component("tracing"), with_component("agent-packages")
    added = outward(rendered) - outward(plain)
    assert {flow[0] for flow in added} == set(database.SERVICES)
    for service, whom, port in added:
        endpoint = urlsplit(environment(rendered, service)["COFFRE_OTLP_ENDPOINT"])
        assert endpoint.port == port
        assert str(endpoint.hostname).endswith(f".{whom.removeprefix('namespace ')}.svc")


def test_from_elsewhere_come_only_requests_metrics_and_operators() -> None:
    seen = set()
    for rendered in [overlay("production"), *(with_component(name) for name in COMPONENTS)]:
        inside = chosen({}, rendered)
        seen |= {flow for flow in inward(rendered) if flow[0] not in inside}
    served = {("namespace ingress-nginx", name, 8000) for name in ("ingest", "portal")}
    measured = {("namespace monitoring", name, 8100) for name in database.SERVICES}
    counted = {
        ("namespace keda", name, port)
        for name in ("postgresql", "rabbitmq")
        for port in (5432, 5672)
    }
    measured.add(("namespace monitoring", "rabbitmq", 15692))
    assert seen == served | measured | counted
