"""What Kubernetes is given, played by podman: healthy, a copy, its report, who spoke to whom."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from installing import secrets
from libs.shared import database
from tests.deploy import containers, played
from tests.deploy.kustomize import overlay
from tests.deploy.test_network_policies import needed

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(containers.missing() is not None, reason=str(containers.missing())),
]
PORTS = {5432: "postgresql", 5672: "rabbitmq", 8333: "s3", 1025: "mail"}
HEALTH = """
from urllib.request import urlopen
print(urlopen("http://127.0.0.1:8100/health/ready", timeout=5).read().decode())
"""
# The other ends of what this pod opened: of all connections those at no port that it listens at.
CONNECTIONS = """
import json
rows = [line.split() for line in open("/proc/net/tcp").readlines()[1:]]
ends = [(*(each.split(":") for each in row[1:3]), row[3]) for row in rows]
listening = {own[1] for own, _, state in ends if state == "0A"}
opened = [other for own, other, state in ends if state != "0A" and own[1] not in listening]
print(json.dumps([int(port, 16) for host, port in opened if host != "0100007F"]))
"""


@dataclass(frozen=True)
class Played(containers.Project):
    """Pods that podman plays, on a network of the project's name."""

    def container(self, service: str) -> str:
        """The name of a service's container."""
        return played.container(service)


@pytest.fixture(scope="module")
def playing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    scratch = tmp_path_factory.mktemp("images")
    containers.build(scratch)
    folder = tmp_path_factory.mktemp("played")
    made, volumes = folder / "secrets", folder / "volumes"
    volumes.mkdir()
    secrets.make(made, secrets.Places(postgresql="postgresql-rw:5432"))
    secrets.give_to(made, 10001, 10001)
    asked = folder / "play.yaml"
    asked.write_text(yaml.safe_dump_all(played.to_play(made, volumes)))
    network = f"coffreplayed{os.getpid()}"
    opened = Played(network, folder, containers.environment(scratch))
    opened.podman("network", "create", network)
    try:
        opened.podman("kube", "play", "--network", network, str(asked))
        yield opened
    finally:
        opened.podman("kube", "down", str(asked))
        opened.podman("network", "rm", network)
        shutil.rmtree(volumes)


def ask(playing: Played, service: str, program: str) -> Any:
    """What a program says inside a service's pod, as JSON."""
    command = ("exec", playing.container(service), "python3", "-I", "-c", program)
    return json.loads(playing.podman(*command).splitlines()[-1])


def is_well(playing: Played, service: str) -> bool:
    """Do all its checks say so? Until it listens, podman refuses to tell."""
    try:
        return set(ask(playing, service, HEALTH)["checks"].values()) == {"ok"}
    except AssertionError:
        return False


def test_what_is_rendered_runs_copies_and_speaks_to_whom_it_may(
    playing: Played, tmp_path: Path
) -> None:
    for service in database.SERVICES:
        containers.wait(partial(is_well, playing, service), playing, service)
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o1777)
    script = containers.ROOT / "deploy/compose/demonstration.sh"
    settings = ("PORTAL_HOST", "HTTPS_SUFFIX", "MAILPIT_PORT", "GRAFANA_PORT")
    said = playing.podman(
        *("run", "--rm", "--network", playing.name, "--no-healthcheck", "--cap-drop", "ALL"),
        *(f"--env={name}=none" for name in settings),
        "--env=OPERATOR_EMAIL=operator@coffre.example",
        f"--volume={script}:/demonstration.sh:ro",
        f"--volume={playing.folder}/secrets/portal:/run/secrets:ro",
        f"--volume={state}:/var/lib/coffre",
        *("--entrypoint", "sh", played.IMAGE, "/demonstration.sh"),
    )
    assert "files: succeeded" in said, said
    mails = ("exec", playing.container("mailpit"), "sh", "-c", "cat /mails/box/new/* || true")
    containers.wait(lambda: "REUSSIE" in playing.podman(*mails), playing, "reporting")

    spoken = {
        (service, PORTS.get(port, str(port)), port)
        for service in database.SERVICES
        for port in ask(playing, service, CONNECTIONS)
    }
    assert spoken <= needed(overlay("development"))
    assert len(spoken) > 10
