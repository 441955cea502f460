"""deploy/k8s: what it renders to, how hardened that is, and what it gives to services."""

from __future__ import annotations

import functools
import json
import tomllib

import kubernetes_validate
import pytest
import yaml

from libs.shared import database
from tests.deploy import rules, test_compose
from tests.deploy.kustomize import (
    COMPONENTS,
    K8S,
    OVERLAYS,
    RECOMMENDED,
    environment,
    everything,
    of_kind,
    overlay,
    pods,
    render,
    with_component,
)

KUBERNETES = "1.30"  # the oldest that we promise; strict, so that fields of newer ones are refused
CUSTOM = {
    "postgresql.cnpg.io/v1": {"Cluster", "ScheduledBackup"},
    "barmancloud.cnpg.io/v1": {"ObjectStore"},
    "rabbitmq.com/v1beta1": {"RabbitmqCluster"},
    "keda.sh/v1alpha1": {"ScaledObject", "TriggerAuthentication"},
    "monitoring.coreos.com/v1": {"PodMonitor", "PrometheusRule"},
    "external-secrets.io/v1": {"ExternalSecret"},
}
DEVELOPMENT = overlay("development")
PRODUCTION = overlay("production")


def test_each_overlay_and_component_is_what_kubernetes_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read_once = functools.cache(kubernetes_validate.utils.schema_contents)
    monkeypatch.setattr(kubernetes_validate.utils, "schema_contents", read_once)
    different = {json.dumps(one): one for one in [*render(K8S / "base"), *everything()]}
    seen = set()
    for one in different.values():
        if one["kind"] in CUSTOM.get(one["apiVersion"], ()):
            assert one["metadata"]["namespace"] == "coffre"
            seen.add(one["kind"])
        else:
            kubernetes_validate.validate(one, KUBERNETES, strict=True)
    assert seen == set().union(*CUSTOM.values())


def test_everything_is_ours_by_its_labels() -> None:
    for one in everything():
        labels = one["metadata"].get("labels", {})
        if one["kind"] in {"Namespace", "ConfigMap"}:
            continue
        assert RECOMMENDED.items() <= labels.items(), one["metadata"]
        assert labels["app.kubernetes.io/component"], one["metadata"]
    for name in (*database.SERVICES, "prepare"):
        labels = pods(PRODUCTION)[name]["metadata"]["labels"]
        assert labels["app.kubernetes.io/version"] == version()
        assert labels["app.kubernetes.io/component"] == name
        [container] = pods(PRODUCTION)[name]["spec"]["containers"]
        assert container["image"].endswith(f"/coffre/coffre:{version()}")


def test_no_image_is_without_a_tag_that_stays() -> None:
    images = {
        container["image"]
        for way in (DEVELOPMENT, PRODUCTION, *map(with_component, COMPONENTS))
        for template in pods(way).values()
        for container in template["spec"]["containers"]
    }
    images |= {one["spec"]["imageName"] for one in of_kind(PRODUCTION, "Cluster").values()}
    images |= {one["spec"]["image"] for one in of_kind(PRODUCTION, "RabbitmqCluster").values()}
    assert len(images) > 5
    for image in images:
        _, _, tag = image.rpartition("/")[2].partition(":")
        assert tag not in {"", "latest"}, image


@pytest.mark.parametrize("name", OVERLAYS)
def test_pods_may_do_nothing_that_they_need_not(name: str) -> None:
    rendered = overlay(name)
    namespace = of_kind(rendered, "Namespace")["coffre"]["metadata"]["labels"]
    assert namespace["pod-security.kubernetes.io/enforce"] == "restricted"
    for who, template in pods(rendered).items():
        spec = template["spec"]
        assert spec["automountServiceAccountToken"] is False, who
        assert spec["enableServiceLinks"] is False, who
        assert spec["securityContext"]["runAsNonRoot"] is True, who
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, who
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), who
        for volume in spec["volumes"]:
            assert set(volume) & {"configMap", "secret", "emptyDir"}, (who, volume)
            if "secret" in volume:
                assert volume["secret"]["defaultMode"] == 0o440, who
                assert spec["securityContext"]["fsGroup"] == spec["securityContext"]["runAsGroup"]
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False, who
            assert security["capabilities"] == {"drop": ["ALL"]}, who
            assert security["readOnlyRootFilesystem"] is (who != "rabbitmq"), who
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), who
            assert "memory" in container["resources"]["limits"], who


@pytest.mark.parametrize("service", database.SERVICES)
def test_a_service_is_probed_spread_and_let_go_in_peace(service: str) -> None:
    spec = pods(PRODUCTION)[service]["spec"]
    [container] = spec["containers"]
    for probe, path in (("startup", "live"), ("readiness", "ready"), ("liveness", "live")):
        assert container[f"{probe}Probe"]["httpGet"] == {"path": f"/health/{path}", "port": "http"}
    [_, pause] = container["lifecycle"]["preStop"]["exec"]["command"]
    told = environment(PRODUCTION, service)
    handover, drain = (float(told[f"COFFRE_{name}_SECONDS"]) for name in ("HANDOVER", "DRAIN"))
    ending = int(pause) + handover + drain
    assert spec["terminationGracePeriodSeconds"] >= ending + 20
    assert [each["topologyKey"] for each in spec["topologySpreadConstraints"]] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": 8000, "monitor": 8100}  # as the image listens
    dockerfile = (K8S.parents[1] / "Dockerfile").read_text()
    assert "COFFRE_LISTEN=0.0.0.0:8000 COFFRE_MONITOR_LISTEN=0.0.0.0:8100" in dockerfile
    assert container["args"] == [f"services.{service}"]
    budget = of_kind(PRODUCTION, "PodDisruptionBudget")[service]["spec"]
    selector = of_kind(PRODUCTION, "Deployment")[service]["spec"]["selector"]
    policy = {"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"}
    assert budget == {**policy, "selector": selector}
    labels = pods(PRODUCTION)[service]["metadata"]["labels"]
    assert selector["matchLabels"].items() <= labels.items()
    asked, most = container["resources"]["requests"], container["resources"]["limits"]["memory"]
    page = (K8S.parents[1] / "docs/operations/kubernetes.md").read_text()
    assert f"\n| {service} | {asked['cpu']}, {asked['memory']} | {most} |" in page
    limit = mebibytes(most.removesuffix("i"))
    assert limit + passing(service) == compose_memory(service)


def compose_memory(service: str) -> int:
    """What compose gives to the same service, in MiB."""
    return mebibytes(test_compose.with_defaults(test_compose.SERVICES[service]["mem_limit"]))


def passing(service: str) -> int:
    """What may pass through its /tmp, in MiB: under compose it counts as memory, here as disk."""
    if service not in test_compose.SERVING:
        return 0  # which write nothing there
    [given] = test_compose.SERVICES[service]["tmpfs"]
    size = mebibytes(given.partition("size=")[2])
    volumes = pods(PRODUCTION)[service]["spec"]["volumes"]
    [disk] = [one["emptyDir"]["sizeLimit"] for one in volumes if one["name"] == "temporary"]
    assert size <= mebibytes(disk.removesuffix("i"))
    return size


def mebibytes(written: str) -> int:
    return int(written[:-1]) * {"m": 1, "g": 1024}[written[-1].lower()]


def test_the_database_is_copied_each_night_and_all_the_time_between_elsewhere() -> None:
    [bucket] = of_kind(PRODUCTION, "ObjectStore").values()
    [cluster] = of_kind(PRODUCTION, "Cluster").values()
    [nightly] = of_kind(PRODUCTION, "ScheduledBackup").values()
    [plugin] = cluster["spec"]["plugins"]
    assert plugin["isWALArchiver"] is True
    assert plugin["parameters"] == {"barmanObjectName": bucket["metadata"]["name"]}
    assert nightly["spec"]["cluster"] == {"name": cluster["metadata"]["name"]}
    assert nightly["spec"]["pluginConfiguration"] == {"name": plugin["name"]}
    copies = environment(PRODUCTION, "ingest")
    told = bucket["spec"]["configuration"]
    assert told["endpointURL"] != copies["COFFRE_S3_ENDPOINT"]
    assert told["destinationPath"] != f"s3://{copies['COFFRE_S3_BUCKET']}/"


def test_each_service_is_scaled_by_one_alone() -> None:
    scaled = dict.fromkeys(
        of_kind(PRODUCTION, "HorizontalPodAutoscaler"), "HorizontalPodAutoscaler"
    )
    for name, one in of_kind(PRODUCTION, "ScaledObject").items():
        assert name not in scaled
        scaled[name] = "ScaledObject"
        assert one["spec"]["triggers"][0]["metadata"]["queueName"] == f"coffre.{name}"
        assert f"FROM {name}.inbox " in one["spec"]["triggers"][1]["metadata"]["query"]
    assert set(scaled) == set(database.SERVICES)
    for name, kind in scaled.items():
        target = of_kind(PRODUCTION, kind)[name]["spec"]["scaleTargetRef"]
        assert target["name"] == name
        assert "replicas" not in of_kind(PRODUCTION, "Deployment")[name]["spec"]


def test_what_must_pass_between_passes_the_ingress() -> None:
    for name, size in (("portal", "20m"), ("ingest", "0")):
        one = of_kind(PRODUCTION, "Ingress")[name]
        given = one["metadata"]["annotations"]
        for prefix, body, off in (
            ("nginx.ingress.kubernetes.io", "proxy-body-size", "off"),
            ("nginx.org", "client-max-body-size", "False"),
        ):
            assert given[f"{prefix}/{body}"] == size
            assert given[f"{prefix}/proxy-buffering"] == off
            assert int(given[f"{prefix}/proxy-read-timeout"].rstrip("s")) > 30 * 60
        [rule] = one["spec"]["rules"]
        address = environment(PRODUCTION, "portal")[f"COFFRE_{name.upper()}_URL"]
        assert address == f"https://{rule['host']}"
        assert one["spec"]["tls"][0]["hosts"] == [rule["host"]]
        backend = rule["http"]["paths"][0]["backend"]["service"]
        assert of_kind(PRODUCTION, "Service")[backend["name"]]["spec"]["ports"][0]["name"] == "http"


def test_the_portal_hands_out_packages_that_an_image_brings() -> None:
    rendered = with_component("agent-packages")
    spec = pods(rendered)["portal"]["spec"]
    [brings], [container] = spec["initContainers"], spec["containers"]
    assert brings["image"] == f"coffre/agent-packages:{version()}"
    assert brings["securityContext"] == container["securityContext"]
    folder = environment(rendered, "portal")["COFFRE_AGENT_FOLDER"]
    [written] = brings["volumeMounts"]
    [read_only] = [one for one in container["volumeMounts"] if one["name"] == written["name"]]
    assert written["mountPath"] == folder == brings["command"][-1]
    assert read_only == {**written, "readOnly": True}
    [volume] = [one for one in spec["volumes"] if one["name"] == written["name"]]
    assert "emptyDir" in volume


def version() -> str:
    """Ours."""
    told = tomllib.loads((K8S.parents[1] / "pyproject.toml").read_text())
    return str(told["project"]["version"])


def test_rules_and_dashboards_are_those_of_the_monitoring() -> None:
    rendered = with_component("monitoring")
    [given] = of_kind(rendered, "PrometheusRule").values()
    assert given == rules.compose(), "python -m tests.deploy.rules"
    maps = of_kind(rendered, "ConfigMap").values()
    shown = {file for one in maps for file in one["data"] if file.endswith(".json")}
    assert shown == {file.name for file in (K8S.parent / "monitoring/dashboards").iterdir()}
    scraped = yaml.safe_load((K8S.parent / "compose" / "prometheus.yml").read_text())
    for job in scraped["scrape_configs"]:
        [told] = [
            one["spec"]["podMetricsEndpoints"][0]
            for one in of_kind(rendered, "PodMonitor").values()
            if one["metadata"]["name"] == job["job_name"]
        ]
        assert told["path"] == job.get("metrics_path", "/metrics")
        assert told.get("honorLabels", False) is job.get("honor_labels", False)
        named = {one["targetLabel"]: one.get("replacement") for one in told["relabelings"]}
        assert named["job"] == job["job_name"]
