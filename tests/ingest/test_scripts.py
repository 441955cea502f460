"""Copies without an agent: the README's shell with curl, against a running ingest."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from datetime import timedelta
from pathlib import Path

from tests.readme import run_bash, script_without_agent
from tests.world.house import House
from tests.world.tenants import Tenant


async def test_the_shell_of_the_readme(tenant: Tenant, ingest: House) -> None:
    code = uuid.uuid4().hex
    await tenant.open_enrolment(code, valid_for=timedelta(hours=1))
    done = await asyncio.to_thread(run_bash, script_without_agent(ingest.url("ingest"), code))
    assert done.returncode == 0, done.stderr + done.stdout
    said = [json.loads(line) for line in done.stdout.replace("}{", "}\n{").splitlines()]
    passwd = Path("/etc/passwd").read_bytes()
    assert said[0]["sha256"] == hashlib.sha256(passwd).hexdigest()
    assert said[0]["size"] == len(passwd)
    assert said[2]["outcome"] == "succeeded"
    assert said[2]["protected_bytes"] == said[0]["size"] + said[1]["size"]
    (finished,) = await ingest.events(tenant.tenant_id, "run.finished.v1")
    assert (finished["files_total"], finished["restore_point"]) == (2, True)


async def test_a_script_that_breaks_off_leaves_nothing_to_see(
    tenant: Tenant, ingest: House
) -> None:
    code = uuid.uuid4().hex
    await tenant.open_enrolment(code, valid_for=timedelta(hours=1))
    script = script_without_agent(ingest.url("ingest"), code).replace("tar -C /", "tar -C /nowhere")
    done = await asyncio.to_thread(run_bash, script)
    assert done.returncode != 0
    rows = await ingest.fetch(
        "SELECT r.state, (SELECT count(*) FROM catalogue.versions v WHERE v.tenant_id = $1) AS n"
        " FROM ingest.runs r WHERE r.tenant_id = $1",
        tenant.tenant_id,
    )
    assert [tuple(row) for row in rows] == [("open", 0)]
