"""Compose by podman: images built here, a project brought up, looked at and taken down."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from devstack.ports import Ports

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
TOOLS = ("podman", "buildah", "runc", "netavark", "aardvark-dns", "iptables", "catatonit")
HELPERS = "/usr/sbin:/usr/lib/podman:/usr/libexec/podman"  # where podman looks besides
CONF = """[containers]
default_ulimits=["nofile=20000:20000","nproc=8192:8192"]
[network]
network_backend="netavark"
[engine]
runtime="runc"
"""
SERVICES = ("ingest", "quota", "reporting", "retention", "portal")
SERVERS = ("postgresql", "rabbitmq", "seaweedfs")
PATIENCE_SECONDS = 180
NO_GRAFANA = ("prometheus", "alertmanager", "caddy", "mailpit")  # of it there is no package


def missing() -> str | None:
    """Why no container can run here, if none can."""
    if os.geteuid() != 0:
        return "containers are tried as root"
    path = f"{os.environ.get('PATH', '')}:{HELPERS}"
    lacking = [tool for tool in (*TOOLS, "mmdebstrap") if not shutil.which(tool, path=path)]
    return f"without {', '.join(lacking)} no container runs" if lacking else None


@dataclass(frozen=True)
class Project:
    """A project of compose, with the folder that it was copied to."""

    name: str
    folder: Path
    environ: dict[str, str]

    def compose(self, *arguments: str, seconds: float = 300) -> str:
        """Calls podman-compose; gives what it printed."""
        command = [sys.executable, "-m", "podman_compose", "-p", self.name, *arguments]
        return call(command, self.folder, self.environ, seconds)

    def podman(self, *arguments: str) -> str:
        """Calls podman."""
        return call(["podman", *arguments], self.folder, self.environ, 120)

    def container(self, service: str) -> str:
        """The name of a service's container."""
        return f"{self.name}_{service}_1"

    def is_healthy(self, service: str) -> bool:
        """Does its own check say so? There is no systemd here to ask it by itself."""
        command = ["podman", "healthcheck", "run", self.container(service)]
        ended = subprocess.run(command, env=self.environ, capture_output=True, check=False)
        return ended.returncode == 0

    def wait_healthy(self, *services: str) -> None:
        """Waits for each."""
        for service in services:
            wait(partial(self.is_healthy, service), self, service)


def wait(is_so: Callable[[], bool], project: Project, service: str) -> None:
    """Looks until it is so; else the log of the service says why not."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            log = project.podman("logs", "--tail", "20", project.container(service))
            raise AssertionError(f"{service} was waited for in vain:\n{log}")
        time.sleep(0.5)


def call(command: list[str], folder: Path, environ: dict[str, str], seconds: float) -> str:
    """Calls a program that must end well; gives what it printed."""
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout}"
    return ended.stdout


def build(scratch: Path) -> None:
    """The images that compose asks for, ours by the real Dockerfile from wheels fetched before."""
    Path("/usr/libexec/podman").mkdir(parents=True, exist_ok=True)
    pause = Path("/usr/libexec/podman/catatonit")
    if not pause.exists():
        pause.symlink_to("/usr/bin/catatonit")
    environ = environment(scratch)
    programs = [str(Path(sys.executable).parent / name) for name in ("weed", "caddy")]
    call([str(HERE / "bases.sh"), str(scratch), *programs], ROOT, environ, 1500)
    wheels = scratch / "wheels"
    for lock in ("server", "agent", "build", "package"):
        fetch = ["download", "--quiet", "--require-hashes", "--no-deps", "--dest", str(wheels)]
        file = f"requirements-{lock}.lock"
        call([sys.executable, "-m", "pip", *fetch, "-r", file], ROOT, environ, 600)
    given = scratch / "pip.conf"
    given.write_text("[global]\nno-index = true\nfind-links = /wheels-given\n")
    mounts = ["-v", f"{wheels}:/wheels-given:ro", "-v", f"{given}:/etc/pip.conf:ro"]
    for target, name in (("services", "coffre/coffre"), ("agent", "coffre/agent")):
        build_one = ["podman", "build", "--quiet", "--format", "docker", *mounts]
        tag = f"docker.io/{name}:tested"
        call([*build_one, "--target", target, "--tag", tag, "."], ROOT, environ, 1800)


def environment(scratch: Path) -> dict[str, str]:
    """How podman works where there is neither systemd nor a registry of images."""
    conf = scratch / "containers.conf"
    conf.write_text(CONF)
    known = {name: os.environ[name] for name in os.environ if not name.startswith("COFFRE_")}
    return known | {"CONTAINERS_CONF": str(conf), "BUILDAH_ISOLATION": "chroot"}


@contextlib.contextmanager
def project(folder: Path, scratch: Path) -> Iterator[Project]:
    """A project brought up from the repository's own file, and gone at the end."""
    free = Ports(folder)
    ports = {name: str(free.choose(name, usual)) for name, usual in PORTS.items()}
    shutil.copy(ROOT / "docker-compose.yml", folder)
    shutil.copytree(ROOT / "deploy", folder / "deploy", ignore=shutil.ignore_patterns("secrets"))
    shutil.copy(ROOT / "deploy/compose/demonstration.env", folder / ".env")
    (folder / "deploy/compose/secrets").mkdir()
    image = {"COFFRE_IMAGE": "docker.io/coffre/coffre:tested"}
    opened = Project(f"coffre{os.getpid()}", folder, environment(scratch) | ports | image)
    try:
        opened.compose("--profile", "secrets", "run", "--rm", "secrets")
        opened.compose("up", "--no-build", "-d", *SERVERS)
        opened.wait_healthy(*SERVERS)
        opened.compose("run", "--rm", "--no-deps", "prepare")
        up = ("up", "--no-build", "--no-deps", "-d")
        opened.compose(*up, *SERVICES, *NO_GRAFANA)
        opened.wait_healthy(*SERVICES)
        yield opened
    finally:
        opened.compose("down", "--volumes", "--timeout", "5")
        free.close()


PORTS = {"HTTPS_PORT": 18443, "HTTP_PORT": 18080, "MAILPIT_PORT": 18025, "GRAFANA_PORT": 13000}
