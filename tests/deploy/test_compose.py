"""docker-compose.yml and the Dockerfile against the settings that the services really have."""

from __future__ import annotations

import argparse
import configparser
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import ComposeSpecification
from pydantic import SecretStr

from installing import secrets
from installing.__main__ import build_parser
from libs.shared import database, secret_files
from libs.shared.settings import CommonSettings, read

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
FOLDERS = {"/run/secrets": "{service}", "/run/public": "public"}
VARIABLE = re.compile(r"\$\{(\w+)(?::[-?]([^{}]*))?\}")  # an innermost one


def settings_of(service: str) -> type[CommonSettings]:
    """What a service is started with."""
    module = importlib.import_module(f"services.{service}.settings")
    own = [kind for name, kind in vars(module).items() if name in {"Settings", NAMES[service]}]
    [found] = [kind for kind in own if "amqp_url" in kind.model_fields]
    return found


NAMES = {service: f"{service.capitalize()}Settings" for service in database.SERVICES}


def with_defaults(text: str, otherwise: str = "") -> str:
    """A text with the defaults of the file in the place of variables, inner ones first."""
    while VARIABLE.search(text):
        text = VARIABLE.sub(lambda found: found[2] or otherwise, text)
    return text


def environment(service: str) -> dict[str, str]:
    """The variables that compose gives to a service, with the defaults of the file."""
    given = SERVICES[service]["environment"]
    return {name: with_defaults(str(value)) for name, value in given.items()}


def test_it_is_a_compose_file_and_each_image_has_a_tag() -> None:
    ComposeSpecification.model_validate(COMPOSE)
    for name, service in SERVICES.items():
        image = with_defaults(service["image"], "tag")
        assert ":" in image.rsplit("/", 1)[-1], (name, image)
        assert not image.endswith(":latest"), (name, image)
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert with_defaults(SERVICES["portal"]["image"]) == f"coffre/coffre:{ours}"


def test_the_bucket_is_made_where_the_services_look_for_it() -> None:
    def told(**env: str) -> argparse.Namespace:
        command = [
            VARIABLE.sub(lambda found: env.get(found[1], found[2] or ""), part)
            for part in SERVICES["prepare"]["command"]
        ]
        return build_parser().parse_args(command[1:])

    usual, elsewhere = told(), told(S3_ACCESS_KEY_ADMIN="AKIA", S3_REGION="eu-west-3")
    assert (usual.access_key, usual.region, usual.addressing) == ("coffre-admin", "", "auto")
    assert (elsewhere.access_key, elsewhere.region) == ("AKIA", "eu-west-3")
    assert build_parser().parse_args(["prepare", "folder"]).s3_endpoint == ""  # a store of files
    for service in ("ingest", "portal", "retention"):
        given = environment(service)
        assert given["COFFRE_S3_ENDPOINT"] == usual.s3_endpoint
        assert given["COFFRE_S3_ADDRESSING"] == usual.addressing


def test_building_makes_the_image_of_all_services() -> None:
    usual = [one for one in SERVICES.values() if "build" in one and "profiles" not in one]
    [built] = usual  # what `docker compose build` sees without a profile
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f" AS {built['build']['target']}\n" in dockerfile
    for name in built["build"]["args"]:
        assert f"ARG {name}=" in dockerfile
    for service in (*database.SERVICES, "secrets"):
        assert SERVICES[service]["image"] == built["image"]


@pytest.mark.parametrize("service", database.SERVICES)
def test_a_service_gets_just_what_its_settings_ask_for(service: str) -> None:
    kind, given = settings_of(service), environment(service)
    fields = {f"COFFRE_{name.upper()}": field for name, field in kind.model_fields.items()}
    files = {f"{name}_FILE" for name, field in fields.items() if field.annotation is SecretStr}
    assert set(given) <= set(fields) | files
    needed = {name for name, field in fields.items() if field.is_required()}
    assert {name for name in needed if name not in given and f"{name}_FILE" not in given} == set()


SERVING = ("ingest", "portal")


@pytest.mark.parametrize("service", SERVING)
def test_who_serves_clients_may_bring_downloads_to_their_end(service: str) -> None:
    drain = float(environment(service)["COFFRE_DRAIN_SECONDS"])
    given = re.fullmatch(r"(\d+)m", SERVICES[service]["stop_grace_period"])
    assert given
    assert drain >= 600
    assert int(given[1]) * 60 > drain


def test_the_portal_and_the_bucket_take_what_only_some_set() -> None:
    for service in ("ingest", "portal", "retention"):
        assert environment(service)["COFFRE_MASTER_KEY_PREVIOUS_FILE"] == ""
    assert environment("portal")["COFFRE_FOUR_EYES"] == ""


def test_only_the_demonstration_is_no_production() -> None:
    assert environment("portal")["COFFRE_STAGE"] == "production"
    shown = (ROOT / "deploy/compose/demonstration.env").read_text().splitlines()
    assert "STAGE=development" in shown


NOT_FOR_CONTAINERS = {
    "listen": "the image says where",
    "monitor_listen": "the image says where",
    "store": "a folder is for services without containers",
    "bounces_maildir": "a folder of the machine, which no container sees",
    "handover_seconds": "Caddy waits for the one process of a service, and knows no other",
    "drain_seconds": "of those who serve clients: the others have nothing to bring to its end",
}


@pytest.mark.parametrize("service", database.SERVICES)
def test_whatever_can_be_set_can_be_set_here(service: str) -> None:
    given = environment(service)
    names = {name: f"COFFRE_{name.upper()}" for name in settings_of(service).model_fields}
    missing = {name for name, of in names.items() if not {of, f"{of}_FILE"} & set(given)}
    assert missing <= set(NOT_FOR_CONTAINERS)


@pytest.mark.parametrize("service", database.SERVICES)
def test_a_service_starts_with_the_secrets_that_are_made(service: str, tmp_path: Path) -> None:
    secrets.make(tmp_path, secrets.Places())
    given = environment(service)
    for name, value in given.items():
        for place, folder in FOLDERS.items():
            if value.startswith(place):
                there = tmp_path / folder.format(service=service)
                given[name] = value.replace(place, str(there))
                assert Path(given[name]).exists(), name
    found = read(settings_of(service), given)
    assert f"coffre_{service}:" in found.model_dump()["database_url"].get_secret_value()


def test_secrets_are_made_once_and_each_service_sees_its_own(tmp_path: Path) -> None:
    def contents() -> dict[str, bytes]:
        found = [path for path in tmp_path.rglob("*") if path.is_file()]
        return {str(path.relative_to(tmp_path)): path.read_bytes() for path in found}

    command = [sys.executable, "-m", "installing", "secrets", tmp_path]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    first = contents()
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert contents() == first
    assert "master-key" in said
    assert first["portal/operator-password"].decode() not in said

    for path in tmp_path.rglob("*"):
        if path.is_file() and "public" not in path.parts:
            secret_files.read(path)  # refuses what others may read
    (tmp_path / "quota" / "event-key").unlink()
    keeping = {name: text for name, text in first.items() if name.startswith("ingest/")}
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert {name: text for name, text in contents().items() if name in keeping} == keeping
    before, after = first["public/senders/quota.pub"], contents()["public/senders/quota.pub"]
    assert after.startswith(before)  # what was signed with the key before is still believed
    assert len(after.split()) == 2
    assert "master-key" not in {path.name for path in (tmp_path / "quota").iterdir()}


def test_each_container_sees_no_secrets_but_its_own() -> None:
    known = "./deploy/compose/secrets/"
    for name, service in SERVICES.items():
        mounted = [volume.split(":") for volume in service.get("volumes", ())]
        seen = {place[len(known) :] for place, *_ in mounted if place.startswith(known)}
        own = {"grafana": "watching", "demonstration": "portal"}.get(name, name)
        assert seen <= {own, "public"}, name
    for server in secrets.SERVERS:
        assert f"{known}{server}:/run/secrets:ro" in SERVICES[server]["volumes"]


def test_servers_keep_their_passwords_when_each_gets_its_own_folder(tmp_path: Path) -> None:
    secrets.make(tmp_path, secrets.Places())
    told = (tmp_path / "admin" / "database-url").read_text()
    identities = (tmp_path / "seaweedfs" / "s3.json").read_text()
    (tmp_path / "servers").mkdir()  # as 0.3 left it
    (tmp_path / "postgresql" / "password").rename(tmp_path / "servers" / "postgresql-password")
    (tmp_path / "rabbitmq" / "password").rename(tmp_path / "servers" / "rabbitmq-password")
    (tmp_path / "seaweedfs" / "s3.json").rename(tmp_path / "servers" / "s3.json")
    broker = (tmp_path / "servers" / "rabbitmq-password").read_text()

    for _ in range(2):
        secrets.make(tmp_path, secrets.Places())
        assert (tmp_path / "admin" / "database-url").read_text() == told
        assert (tmp_path / "rabbitmq" / "password").read_text() == broker
        assert (tmp_path / "seaweedfs" / "s3.json").read_text() == identities
        # Who goes back finds it; what is written there meanwhile takes nothing's place.
        assert (tmp_path / "servers" / "rabbitmq-password").read_text() == broker
    (tmp_path / "servers" / "rabbitmq-password").write_text("another")
    secrets.make(tmp_path, secrets.Places())
    assert (tmp_path / "rabbitmq" / "password").read_text() == broker


@pytest.mark.parametrize("name", [*database.SERVICES, "prepare"])
def test_our_containers_may_do_nothing_that_they_need_not(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["user"] == "10001:10001"
    assert "no-new-privileges:true" in service["security_opt"]
    assert "ports" not in service
    mounted = [volume.split(":")[0] for volume in service["volumes"]]
    if name != "prepare":
        assert f"./deploy/compose/secrets/{name}" in mounted
        assert "./deploy/compose/secrets" not in mounted


def test_the_dockerfile_passes_its_linter() -> None:
    lint_dockerfile(ROOT / "Dockerfile")


def lint_dockerfile(file: Path) -> None:
    linter = Path(sys.executable).parent / "hadolint"
    ended = subprocess.run([linter, file], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


def test_the_backup_of_the_database_fits_what_it_is_put_over() -> None:
    put_over = yaml.safe_load((ROOT / "deploy/compose/backup.yml").read_text())
    ComposeSpecification.model_validate(put_over)
    [(name, changed)] = put_over["services"].items()
    usual = SERVICES[name]
    assert with_defaults(changed["build"]["args"]["POSTGRESQL"]) == with_defaults(usual["image"])
    assert set(usual["networks"]) < set(changed["networks"])
    [mounted] = changed["volumes"]
    folder, inside, _ = mounted.split(":")
    seen = [one for service in SERVICES.values() for one in service.get("volumes", ())]
    assert not [one for one in seen if one.split(":")[0] == folder], "no other server reads it"
    assert f"{inside}/pgbackrest.conf" in " ".join(changed["entrypoint"])
    place = ROOT / changed["build"]["context"]
    lint_dockerfile(place / "Dockerfile")
    told = configparser.ConfigParser()
    told.read(place / "pgbackrest.conf")
    [stanza] = set(told.sections()) - {"global"}
    assert f"--stanza={stanza}" in " ".join(changed["command"])
    assert told[stanza]["pg1-path"] == usual["environment"]["PGDATA"]


def test_images_hold_what_is_locked_and_no_tools_of_ours() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert "*" in ignored
    assert not {"!tests", "!devstack", "!bench", "!.git"} & set(ignored)
    server = (ROOT / "requirements-server.lock").read_text()
    whole = (ROOT / "requirements.lock").read_text()
    assert set(re.findall(r"^\S+==\S+", server, re.MULTILINE)) <= set(
        re.findall(r"^\S+==\S+", whole, re.MULTILINE)
    )
    assert not re.search(r"^(pytest|aiosmtpd|seaweedfs)", server, re.MULTILINE)


@pytest.mark.parametrize("name", ["example", "demonstration"])
def test_the_examples_name_only_variables_of_the_file(name: str) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    known = set(re.findall(r"\$\{(\w+)", text)) | {"COMPOSE_PROFILES"}
    example = (ROOT / f"deploy/compose/{name}.env").read_text()
    named = set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", example, re.MULTILINE))
    assert named
    assert named <= known
    assert set(re.findall(r"\$\{(\w+):\?", text)) <= named
