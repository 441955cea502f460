"""deploy/k8s: each pod gets the settings that it asks for, and the secrets that are its own."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr

from installing import secrets
from installing.__main__ import build_parser
from libs.shared import database
from libs.shared.settings import read
from tests.deploy.kustomize import (
    K8S,
    KUBECTL,
    OVERLAYS,
    Resource,
    environment,
    of_kind,
    overlay,
    pods,
    with_component,
)
from tests.deploy.test_compose import settings_of

DEVELOPMENT = overlay("development")
PRODUCTION = overlay("production")


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize("service", database.SERVICES)
def test_a_service_gets_just_what_its_settings_ask_for(
    name: str, service: str, tmp_path: Path
) -> None:
    given = environment(overlay(name), service)
    kind = settings_of(service)
    fields = {f"COFFRE_{field.upper()}": about for field, about in kind.model_fields.items()}
    files = {f"{field}_FILE" for field, about in fields.items() if about.annotation is SecretStr}
    assert set(given) <= set(fields) | files
    secrets.make(tmp_path, secrets.Places())
    (tmp_path / "reporting" / "smtp-password").touch()
    for variable, value in given.items():
        for place, folder in mounts(overlay(name), service, tmp_path).items():
            if value == place or value.startswith(f"{place}/"):
                given[variable] = value.replace(place, str(folder))
                assert Path(given[variable]).exists(), variable
    read(kind, given)


def test_the_bucket_is_made_where_the_services_look_for_it() -> None:
    [container] = pods(PRODUCTION)["prepare"]["spec"]["containers"]
    known = environment(PRODUCTION, "prepare")
    args = [re.sub(r"\$\((\w+)\)", lambda found: known[found[1]], one) for one in container["args"]]
    told = build_parser().parse_args(args[1:])
    assert told.access_key == "coffre-admin"
    for service in ("ingest", "portal", "retention"):
        given = environment(PRODUCTION, service)
        names = [f"COFFRE_S3_{name}" for name in ("ENDPOINT", "BUCKET", "REGION", "ADDRESSING")]
        wanted = [told.s3_endpoint, told.bucket, told.region, told.addressing]
        assert [given[name] for name in names] == wanted


def mounts(rendered: tuple[Resource, ...], name: str, made: Path) -> dict[str, Path]:
    """Where a pod sees what of the folder that `installing secrets` makes."""
    spec = pods(rendered)[name]["spec"]
    public = {
        "senders": made / "public" / "senders",
        "certificate": made / "public",
        "legal": Path(__file__).parents[2] / "deploy" / "legal",
    }
    found = {}
    for volume in spec["volumes"]:
        [place] = [
            mount["mountPath"]
            for mount in spec["containers"][0]["volumeMounts"]
            if mount["name"] == volume["name"]
        ]
        if "secret" in volume:
            found[place] = made / volume["secret"]["secretName"]
        elif "configMap" in volume:
            found[place] = public[volume["configMap"]["name"]]
    return found


def test_each_knows_its_own_secrets_alone() -> None:
    for rendered in (DEVELOPMENT, PRODUCTION):
        for name in (*database.SERVICES, "prepare"):
            volumes = pods(rendered)[name]["spec"]["volumes"]
            named = [one["secret"]["secretName"] for one in volumes if "secret" in one]
            assert named == [{"prepare": "admin"}.get(name, name)]
    stored = of_kind(with_component("external-secrets"), "ExternalSecret")
    assert set(stored) == {"admin", *database.SERVICES}
    for name, one in stored.items():
        assert one["spec"]["target"]["name"] == name


def test_secrets_of_an_installation_become_secrets_of_the_cluster(tmp_path: Path) -> None:
    secrets.make(tmp_path, secrets.Places())
    said = subprocess.run(
        [K8S / "secrets.sh", tmp_path],
        env={"PATH": f"{KUBECTL.parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    made = [one for one in yaml.safe_load_all(said) if one]
    holds = {one["metadata"]["name"]: set(one["data"]) for one in made}
    assert all(one["metadata"]["namespace"] == "coffre" for one in made)
    for service in database.SERVICES:
        assert holds[service] == {file.name for file in (tmp_path / service).iterdir()}
    kept = {"master-key", "mail-key", "certificate-key"}
    assert holds["admin"] == {file.name for file in (tmp_path / "admin").iterdir()} - kept
    wanted = {
        volume[kind][key]
        for way in (DEVELOPMENT, PRODUCTION)
        for template in pods(way).values()
        for volume in template["spec"]["volumes"]
        for kind, key in (("secret", "secretName"), ("configMap", "name"))
        if kind in volume
    }
    [cluster] = of_kind(PRODUCTION, "Cluster").values()
    [broker] = of_kind(PRODUCTION, "RabbitmqCluster").values()
    wanted.add(cluster["spec"]["superuserSecret"]["name"])
    wanted.add(broker["spec"]["secretBackend"]["externalSecret"]["name"])
    assert wanted == set(holds)
