"""The compose file and our images, run for real: copied, recovered, killed, taken down."""

from __future__ import annotations

import json
import os
import quopri
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy import backups, containers
from tests.deploy.containers import SERVICES, Project

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(containers.missing() is not None, reason=str(containers.missing())),
]


TOOLS = ("pip", "pytest", "devstack", "tests")
LISTED = """
import importlib.metadata, json
bill = json.load(open("/usr/share/coffre/sbom.cdx.json"))
assert bill["bomFormat"] == "CycloneDX"
named = {(one["name"].lower(), one["version"]) for one in bill["components"]}
there = {(one.name.lower(), one.version) for one in importlib.metadata.distributions()}
print(sorted(named ^ {one for one in there if one[0] != "coffre"}))
"""


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
    containers.wait(lambda: "[REUSSIE]" in read_mails(running), running, "reporting")
    restored = ("run", "--rm", "--no-deps", "--entrypoint", "sh", "demonstration", "-c")
    running.compose(*restored, choosing_a_password(running) + RESTORED)

    # What the agent's own image does with what was copied, by its own way to the portal.
    token = (running.folder / "deploy/compose/secrets/portal/operator-token").read_text()
    ended = run_agent(running, "coffre-agent", *CONFIGURED, "run", "documents", "--json")
    assert '"outcome":"succeeded"' in ended.replace(" ", "").splitlines()[-1], ended
    run_agent(running, "sh", "-c", RESTORED)
    assert token not in running.podman("logs", running.container("portal"))


CONFIGURED = ("--config", "/var/lib/coffre/agent/config.toml")
ADMINISTRATOR = "claire.martin@boulangerie-martin.example"
CHOSEN = "une tarte aux pommes"
RESTORED = f"""
set -eu
COFFRE_PASSWORD='{CHOSEN}' coffre-agent --config /var/lib/coffre/agent/config.toml restore \
    documents --portal http://portal:8000 --email {ADMINISTRATOR} --to /tmp/back || test $? = 3
diff -r /usr/share/doc /tmp/back/usr/share/doc
diff -r /opt/coffre/lib /tmp/back/opt/coffre/lib
"""


def read_mails(running: Project) -> str:
    """All mails as text, decoded."""
    command = ("sh", "-c", "cat /mails/box/new/* 2>/dev/null || true")
    raw = running.podman("exec", running.container("mailpit"), *command)
    return quopri.decodestring(raw.encode()).decode(errors="replace")


def choosing_a_password(running: Project) -> str:
    """What a shell does that has the first password replaced, which came by mail."""
    [first] = set(
        re.findall(r"^ +([a-z0-9]{5}(?:-[a-z0-9]{5}){3})\s*$", read_mails(running), re.MULTILINE)
    )
    body = json.dumps({"email": ADMINISTRATOR, "password": first, "new_password": CHOSEN})
    return f"""python3 - <<'PROGRAM'
from urllib.request import Request, urlopen
typed = {{"content-type": "application/json"}}
urlopen(Request("http://portal:8000/api/v1/password", b'{body}', typed, method="POST"))
PROGRAM
"""


def run_agent(running: Project, program: str, *arguments: str) -> str:
    """Runs a program of the agent's image, where the demonstration's agent keeps its own."""
    network = f"{running.name}_inside"
    state = f"{running.name}_demonstration:/var/lib/coffre"
    started = ("run", "--rm", "--network", network, "--volume", state, "--user", "10001:10001")
    return running.podman(
        *(*started, "--entrypoint", program, "docker.io/coffre/agent:tested", *arguments)
    )


def ask(running: Project, url: str) -> Any:
    """What a server says to a service that asks it from inside, as JSON."""
    program = f"from urllib.request import urlopen; print(urlopen('{url}').read().decode())"
    return json.loads(running.podman("exec", running.container("ingest"), "python3", "-c", program))


def test_prometheus_sees_all_by_our_rules_and_tells_alertmanager(running: Project) -> None:
    prometheus = "http://prometheus:9090/api/v1"
    jobs = {*SERVICES, "rabbitmq"}

    def sees_all() -> bool:
        found = ask(running, f"{prometheus}/query?query=up")["data"]["result"]
        up = {one["metric"].get("service", "rabbitmq") for one in found if one["value"][1] == "1"}
        return up == jobs

    containers.wait(sees_all, running, "prometheus")
    groups = ask(running, f"{prometheus}/rules")["data"]["groups"]
    files = list((running.folder / "deploy/monitoring/rules").iterdir())
    assert {group["file"].rsplit("/")[-1] for group in groups} == {file.name for file in files}
    told = ask(running, f"{prometheus}/alertmanagers")["data"]["activeAlertmanagers"]
    assert [one["url"] for one in told] == ["http://alertmanager:9093/api/v2/alerts"]


def test_the_store_flushes_what_it_answers_for(running: Project) -> None:
    asked = "echo fs.configure | weed shell -master=seaweedfs:9333 -filer=seaweedfs:8888"
    said = running.podman("exec", running.container("seaweedfs"), "sh", "-c", asked)
    assert re.search(r'"locationPrefix": *"/buckets/"', said), said
    assert re.search(r'"fsync": *true', said), said


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
    killed = ("rabbitmq", "seaweedfs", "postgresql", *SERVICES)
    begun = {service: started(running, service) for service in killed}
    for service in killed:
        os.kill(int(running.podman(*INSPECT, "{{.State.Pid}}", running.container(service))), 9)
    for service in killed:  # by their restart policies alone
        containers.wait(
            lambda service=service: started(running, service) > begun[service], running, service
        )
    running.wait_healthy(*killed)
    for service in SERVICES:
        health = "from urllib.request import urlopen; urlopen('http://127.0.0.1:8100/health/ready')"
        ready = ("exec", running.container(service), "python3", "-c", health)

        def is_ready(command: tuple[str, ...] = ready) -> bool:
            full = ["podman", *command]
            ended = subprocess.run(full, env=running.environ, capture_output=True, check=False)
            return ended.returncode == 0

        containers.wait(is_ready, running, service)
    run_agent(running, "sh", "-c", RESTORED)


INSPECT = ("inspect", "--format")


def started(running: Project, service: str) -> str:
    """When a container was started last; nothing while it is down."""
    form = "{{.State.Running}} {{.State.StartedAt}}"
    is_running, _, moment = running.podman(*INSPECT, form, running.container(service)).partition(
        " "
    )
    return moment if is_running == "true" else ""


def test_the_database_comes_back_from_a_bucket_elsewhere(running: Project) -> None:
    with backups.kept(running) as kept:
        compose = kept.project.compose
        compose("up", "--no-build", "--no-deps", "--detach", "postgresql")
        running.wait_healthy("postgresql", *SERVICES)
        for command in ("stanza-create", "check"):
            kept.pgbackrest(command)
        kept.pgbackrest("--type=full", "backup")
        [backup] = kept.backups()
        assert (backup["type"], backup["error"]) == ("full", False)
        run_agent(running, "coffre-agent", *CONFIGURED, "run", "documents", "--json")
        compose("stop", *SERVICES)
        before = kept.dump()
        kept.pgbackrest("check")  # what came after the backup is in the bucket as well

        compose("stop", "postgresql")
        kept.alone("sh", "-c", f"rm -r {DATA} && install -d -m 700 -o postgres {DATA}")
        kept.alone("gosu", "postgres", "pgbackrest", "--stanza=coffre", "restore")
        compose("start", "postgresql")
        running.wait_healthy("postgresql")
        containers.wait(lambda: "f" in kept.inside(*RECOVERING), running, "postgresql")
        assert kept.dump() == before
        compose("start", *SERVICES)
        running.wait_healthy(*SERVICES)
        run_agent(running, "sh", "-c", RESTORED)
        audited = ("exec", running.container("retention"), "python3", "-m", "services.retention")
        assert "1 clients compared: clean." in running.podman(*audited, "audit")


DATA = "/var/lib/postgresql/data/pgdata"
RECOVERING = ("psql", "--tuples-only", "--command", "SELECT pg_is_in_recovery()")


def test_our_images_are_small_of_nobodys_and_without_tools(running: Project) -> None:
    for name in ("coffre/coffre", "coffre/agent"):
        image = f"docker.io/{name}:tested"
        look = f"from importlib.util import find_spec; print([*filter(find_spec, {TOOLS})])"
        inside = ("run", "--rm", "--network", "none", "--entrypoint", "python3", image)
        assert running.podman(*inside, "-c", look).strip().splitlines()[-1] == "[]"
        listed = running.podman(*inside, "-c", LISTED).strip().splitlines()[-1]
        assert listed == "[]", "the bill of materials lacks something, or names what isn't there"
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
