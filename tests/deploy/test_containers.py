"""The compose file and our images, run for real: copied, recovered, killed, taken down."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
from collections.abc import Iterator

import pytest

from tests.deploy import containers
from tests.deploy.containers import SERVICES, Project

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(containers.missing() is not None, reason=str(containers.missing())),
]


TOOLS = ("pip", "pytest", "devstack", "tests")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    scratch = tmp_path_factory.mktemp("images")
    containers.build(scratch)
    with containers.project(tmp_path_factory.mktemp("compose"), scratch) as opened:
        yield opened


def test_a_newcomer_sees_a_copy_its_report_and_gets_it_back(running: Project) -> None:
    demonstration = ("run", "--rm", "--no-deps", "demonstration")
    said = running.compose(*demonstration)
    assert re.search(r"Copied \d+ files: succeeded", said), said
    assert "Coffre runs." in said
    assert "Copied" not in running.compose(*demonstration)  # once

    read = ("exec", running.container("mailpit"), "sh", "-c", "cat /mails/box/new/* || true")
    containers.wait(lambda: "[REUSSIE]" in running.podman(*read), running, "reporting")

    # What the agent's own image does with what was copied, by its own way to the portal.
    token = (running.folder / "deploy/compose/secrets/portal/operator-token").read_text()
    network = f"{running.name}_inside"
    state = f"{running.name}_demonstration:/var/lib/coffre"
    agent = ("run", "--rm", "--network", network, "--volume", state, "--user", "10001:10001")
    image = "docker.io/coffre/agent:tested"
    configuration = ("--config", "/var/lib/coffre/agent/config.toml")
    entry = ("--entrypoint", "coffre-agent")
    ended = running.podman(*agent, *entry, image, *configuration, "run", "documents", "--json")
    assert '"outcome":"succeeded"' in ended.replace(" ", "").splitlines()[-1], ended
    assert token not in running.podman("logs", running.container("portal"))


def test_the_proxy_speaks_tls_and_passes_packs(running: Project) -> None:
    port = int(running.environ["HTTPS_PORT"])
    root = running.podman(
        "exec", running.container("caddy"), "cat", "/data/caddy/pki/authorities/local/root.crt"
    )
    context = ssl.create_default_context(cadata=root)
    for host, path, wanted in (
        ("portal.localhost", "/sign-in", b"<html"),
        ("ingest.localhost", "/v1/openapi.json", b'"openapi"'),
    ):
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            context.wrap_socket(plain, server_hostname=host) as tls,
        ):
            tls.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            answer = b"".join(iter(lambda: tls.recv(65536), b""))
        assert answer.split(b"\r\n")[0].split()[1] == b"200", answer[:300]
        assert wanted in answer
        if host.startswith("portal"):
            assert b"Strict-Transport-Security" in answer or b"strict-transport-security" in answer


def test_killed_containers_come_back_and_nothing_is_lost(running: Project) -> None:
    for service in ("rabbitmq", *SERVICES):
        running.podman("kill", "--signal", "KILL", running.container(service))
    running.podman("start", *(running.container(one) for one in ("rabbitmq", *SERVICES)))
    running.wait_healthy("rabbitmq", *SERVICES)
    for service in SERVICES:
        ask = "from urllib.request import urlopen; urlopen('http://127.0.0.1:8100/health/ready')"
        ready = ("exec", running.container(service), "python3", "-c", ask)

        def is_ready(command: tuple[str, ...] = ready) -> bool:
            full = ["podman", *command]
            ended = subprocess.run(full, env=running.environ, capture_output=True, check=False)
            return ended.returncode == 0

        containers.wait(is_ready, running, service)


def test_our_images_are_small_of_nobodys_and_without_tools(running: Project) -> None:
    for name in ("coffre/coffre", "coffre/agent"):
        image = f"docker.io/{name}:tested"
        look = f"from importlib.util import find_spec; print([*filter(find_spec, {TOOLS})])"
        inside = ("run", "--rm", "--network", "none", "--entrypoint", "python3", image)
        assert running.podman(*inside, "-c", look).strip().splitlines()[-1] == "[]"
        labels = running.podman("inspect", "--format", "{{json .Labels}}", image)
        assert "org.opencontainers.image.title" in labels
    user = running.podman(
        "inspect", "--format", "{{.User}} {{json .HealthCheck}}", "docker.io/coffre/coffre:tested"
    )
    assert user.startswith("10001:10001 {")
    wrong = ["podman", "run", "--rm", "--network", "none", "docker.io/coffre/coffre:tested"]
    ended = subprocess.run(
        [*wrong, "services.quota"], env=running.environ, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "COFFRE_DATABASE_URL" in ended.stderr
