"""A machine is encrypted overnight: who notices, what is held, and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any
from uuid import UUID

import pytest

from devstack import mails
from devstack.stack import HOTLINE
from tests.world.machines import ROOT, Machine
from tests.world.running import Installation
from tests.world.waiting import wait_for

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(600)]


def test_a_machine_that_is_encrypted_in_one_night(
    machine: Machine, installation: Installation
) -> None:
    for n in range(30):
        (machine.source / f"letter {n}.txt").write_text(f"Dear customer number {n}, " * 40)
    for night in range(4):
        (machine.source / "today.txt").write_text(f"night {night} " * 100)
        machine.run()
    for path in sorted(machine.source.glob("letter *")):
        path.with_name(path.name + ".locked").write_bytes(os.urandom(path.stat().st_size))
        path.unlink()
    machine.run()

    client = machine.client
    report = installation.mail(client.email, "INHABITUELLE")
    assert "la terminaison .locked" in mails.text(report)
    told = installation.mail(HOTLINE, "la terminaison .locked")
    assert "Cause: unusual" in mails.text(told)
    tenant_id = UUID(client.tenant_id)

    def held() -> list[Any]:
        return installation.query(
            "SELECT plan_id, number, judge, reason->>'code' AS code FROM retention.expiry_holds"
            " WHERE tenant_id = $1 AND judge = 'reporting' AND cleared_at IS NULL",
            tenant_id,
        )

    [hold] = wait_for("the hold", held)
    assert (hold["number"], hold["code"]) == (5, "mass-rename")
    with client.sign_in() as api:

        def shown() -> Any:
            newest = api.get("plans/documents/runs").json()["runs"][0]
            return newest["unusual"] and newest

        newest = wait_for("what the portal shows", shown)
    assert [one["code"] for one in newest["unusual"]] == ["mass-rename", "mass-change"]

    cleared = subprocess.run(
        [
            *(sys.executable, "-m", "services.retention", "clear", str(hold["plan_id"])),
            *("--reason", "recovered on Tuesday"),
        ],
        cwd=ROOT,
        env=os.environ | {"COFFRE_DATABASE_URL": installation.admin_dsn},
        capture_output=True,
        text=True,
        check=False,
    )
    assert cleared.returncode == 0, cleared.stderr
    closed = installation.mail(HOTLINE, "recovered on Tuesday")
    assert closed["References"]
    assert held() == []
    open_ones = installation.query(
        "SELECT cause FROM reporting.incidents WHERE tenant_id = $1 AND closed_at IS NULL",
        tenant_id,
    )
    assert open_ones == []
