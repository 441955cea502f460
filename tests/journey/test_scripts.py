"""A copy made with curl alone, seen and brought back through the portal, and reported."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journey.world import Client, eventually
from tests.readme import run_bash, script_without_agent

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(600)]


def test_the_shell_of_the_readme_comes_back_from_the_portal(
    make_client: Callable[..., Client],
) -> None:
    client = make_client("Cabinet Queffélec")
    with client.world.operator() as api:
        code = api.post(f"tenants/{client.tenant_id}/enrolments", json={}).json()["code"]
    script = script_without_agent(client.world.stack["ingest"]["url"], code)
    script = script.replace("camille@client.example", client.email)

    def copied() -> subprocess.CompletedProcess[str] | None:
        done = run_bash(script)  # the code travels to ingest as an event: it may be a moment late
        return done if done.returncode == 0 else None

    eventually(copied, "copy by script")
    client.world.mail(client.email, "nightly")
    passwd = Path("/etc/passwd")
    with client.sign_in() as api:
        (file,) = [
            entry
            for entry in api.get("plans/nightly/entries", params={"path": "etc"}).json()["entries"]
            if entry["name"] == "passwd"
        ]
        assert file["size"] == passwd.stat().st_size
        answer = api.get("plans/nightly/file", params={"path": "etc/passwd"})
        assert answer.content == passwd.read_bytes()
        answer = api.get("plans/nightly/file", params={"path": "backups/default.tar.gz"})
        with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
            names = set(archive.getnames())
        assert names >= {f"etc/default/{path.name}" for path in Path("/etc/default").iterdir()}
