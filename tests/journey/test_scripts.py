"""A copy made with curl alone, seen and brought back through the portal, and reported."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.readme import run_bash, script_without_agent
from tests.world.machines import Machine

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(600)]


def test_the_shell_of_the_readme_comes_back_from_the_portal(
    make_machine: Callable[..., Machine],
) -> None:
    machine = make_machine("Cabinet Queffélec")
    code = machine.client.enrolment_code()
    script = script_without_agent(machine.client.house.url("ingest"), code)
    script = script.replace("camille@client.example", machine.client.email)
    copied = run_bash(script)
    assert copied.returncode == 0, copied.stderr
    machine.client.house.mail(machine.client.email, "nightly")
    passwd = Path("/etc/passwd")
    with machine.client.sign_in() as api:
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
