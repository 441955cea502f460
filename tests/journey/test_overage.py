"""More than is contracted: the mail, its answer, the block, and the run that it refuses."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import httpx2
import pytest

from devstack import mails
from tests.world.machines import Machine
from tests.world.running import Installation
from tests.world.waiting import wait_for

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(600)]

CONTRACTED = 20_000


def ceiling(machine: Machine) -> int | None:
    """How far ingest lets the client grow; None: as far as it likes."""
    rows = machine.client.house.query(
        "SELECT ceiling_bytes FROM ingest.allowances WHERE tenant_id = $1",
        machine.client.tenant_id,
    )
    return rows[0][0] if rows else None


def test_a_case_from_its_mail_to_its_end(installation: Installation, tmp_path: Path) -> None:
    client = installation.open_client("Scierie Le Bihan", contracted_bytes=CONTRACTED)
    (tmp_path / "source").mkdir()
    plan = {"folders": [str(tmp_path / "source")], "recipients": [client.email]}
    machine = client.machine(tmp_path / "agent", {"documents": plan})
    (machine.source / "plans.dwg").write_bytes(os.urandom(60_000))
    machine.run()

    opened = installation.mail(client.email, "Volume au contrat dépassé")
    [link] = set(re.findall(r"http\S+/overage/\S+/call", mails.text(opened)))
    with httpx2.Client(verify=False, trust_env=False, timeout=60) as visitor:
        assert "Appelez-moi" in visitor.get(link, headers={"Accept-Language": "fr"}).text
        assert visitor.post(link).status_code == 303
    with installation.operator() as operator, client.sign_in() as own:
        path = f"tenants/{client.tenant_id}/quota"
        assert operator.get(path).json()["case"]["answer"] == "call"
        wait_for(
            "the call at the hotline",
            lambda: any(
                "Demande de rappel" in str(mail["Subject"])
                and "Scierie Le Bihan" in str(mail["Subject"])
                for mail in mails.read(installation.mail_dir)
            ),
        )

        # Nothing grows any more, and all the rest goes on.
        blocked = operator.post(f"{path}/block", json={"reason": "comme convenu au téléphone"})
        assert blocked.status_code == 202
        wait_for("the block at ingest", lambda: ceiling(machine) is not None)
        (machine.source / "devis.pdf").write_bytes(os.urandom(30_000))
        refused = machine.agent("run", "documents", "--json")
        assert refused.returncode == 20
        assert "growth-blocked" in refused.stdout
        report = installation.mail(client.email, "ECHEC")
        assert "comme convenu au téléphone" in mails.text(report)
        wait_for("the block at the portal", lambda: own.get("quota").json()["blocked"])
        assert own.get("quota").json()["reason"] == "comme convenu au téléphone"
        installation.mail(client.email, "Les sauvegardes ne peuvent plus grossir")
        back = tmp_path / "back"
        machine.client.restore(machine, back)
        assert (back / str(machine.source).lstrip("/") / "plans.dwg").exists()
        (machine.source / "devis.pdf").unlink()
        machine.run()

        # What is ordered can be used at once.
        (machine.source / "devis.pdf").write_bytes(os.urandom(30_000))
        began = time.monotonic()
        ordered = operator.post(f"{path}/unblock", json={"reason": "la commande est signée"})
        assert ordered.status_code == 202
        wait_for("the end of the block at ingest", lambda: ceiling(machine) is None)
        print(f"the block ended {time.monotonic() - began:.2f} s after the word of it")
        machine.run()
    installation.mail(client.email, "nouvelle échéance")
