"""The backup of the database under compose, as docs/operations/backup.md tells: a bucket by TLS."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.deploy import containers
from tests.deploy.containers import ROOT, Project

FILES = "docker-compose.yml:deploy/compose/backup.yml"
FOLDER = "deploy/compose/secrets/backup"
IMAGE = "docker.io/coffre/postgresql:0.3.0"
HOST, BUCKET = "s3.elsewhere.example.com", "coffre-database"  # as the example has them
PROXY = ("caddy", "reverse-proxy", "--internal-certs", "--from", HOST, "--to", "seaweedfs:8333")


@dataclass(frozen=True)
class Kept:
    """A project whose database is copied into a bucket."""

    project: Project

    def inside(self, *command: str) -> str:
        """Runs a program in PostgreSQL's container as its user."""
        name = self.project.container("postgresql")
        return self.project.podman("exec", "--user", "postgres", name, *command)

    def pgbackrest(self, *command: str) -> str:
        """Calls pgBackRest beside the server."""
        return self.inside("pgbackrest", "--stanza=coffre", *command)

    def backups(self) -> list[Any]:
        """What the bucket holds, each with its type and error."""
        [stanza] = json.loads(self.pgbackrest("--output=json", "--log-level-console=off", "info"))
        assert stanza["cipher"] == "aes-256-cbc"
        return list(stanza["backup"])

    def dump(self) -> str:
        """A digest of all that the database holds, in the order that it lies there.

        Not of sequences: recovery gives them the value that was logged, up to 32 ahead.
        """
        lines = "pg_dump coffre | grep -Ev '^.(un)?restrict |pg_catalog.setval' | sha256sum"
        return self.inside("bash", "-o", "pipefail", "-c", lines)

    def alone(self, *command: str) -> str:
        """Runs a program in a container of its own, in the place of the server's."""
        return self.project.compose("run", "--rm", "--no-deps", "postgresql", *command)


@contextlib.contextmanager
def kept(running: Project) -> Iterator[Kept]:
    """The project's own store has the bucket, behind a proxy that speaks TLS for another host."""
    configure(running)
    mounts = ["-v", "/etc/apt:/etc/apt:ro"]  # packages come from where this machine has them from
    image = ["podman", "build", "--quiet", "--format", "docker", *mounts, "--tag", IMAGE]
    containers.call([*image, "deploy/compose/backup"], running.folder, running.environ, 900)
    shell = "weed shell -master=seaweedfs:9333 -filer=seaweedfs:8888"
    made = f"echo 's3.bucket.create -name {BUCKET}' | {shell}"
    running.podman("exec", running.container("seaweedfs"), "sh", "-c", made)
    name, network = f"{running.name}_elsewhere", f"{running.name}_inside"
    proxy = ("run", "--detach", "--name", name, "--network", network, "--network-alias", HOST)
    running.podman(*proxy, "docker.io/library/caddy:2.10", *PROXY)
    try:
        yield Kept(replace(running, environ=running.environ | {"COMPOSE_FILE": FILES}))
    finally:
        running.podman("rm", "--force", name)


def configure(running: Project) -> None:
    """The example as somebody fills it in; the certificate is the proxy's own."""
    told = (ROOT / "deploy/compose/backup/pgbackrest.conf").read_text()
    key = (running.folder / "deploy/compose/secrets/admin/s3-secret-key").read_text()
    for example, own in (("ACCESS-KEY", "coffre-admin"), ("SECRET-KEY", key)):
        assert example in told
        told = told.replace(example, own)
    told = told.replace("[global]\n", "[global]\nrepo1-storage-verify-tls=n\n")
    folder = running.folder / FOLDER
    folder.mkdir(mode=0o700)
    (folder / "pgbackrest.conf").write_text(told)
    (folder / "pgbackrest.conf").chmod(0o600)
