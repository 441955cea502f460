"""Reports to somebody outside: named on a machine, confirmed in the portal, accepted by mail."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2

from devstack import mails
from tests.world.clients import Client
from tests.world.waiting import wait_for


def test_who_is_named_on_a_machine_reads_nothing_before_they_are_asked_and_accept(
    client: Client, tmp_path: Path, papers: Path
) -> None:
    accountant = f"compta-{client.tenant_id[:8]}@cabinet.example"
    plan = {"folders": [str(papers)], "recipients": [accountant]}
    machine = client.machine(tmp_path / "machine", {"papers": plan})
    machine.run()
    [(subject, _)] = client.reports(1)
    assert subject.startswith("[REUSSIE] "), "the administrator gets it"
    waiting = client.house.mail(client.email, "Nouveaux destinataires à confirmer")
    text = mails.text(waiting)
    assert accountant.replace("@", "[@]").replace(".", "[.]") in text
    found = re.search(r"/plans/([0-9a-f-]{36})/recipients", text)
    assert found, text
    assert client.house.mails(accountant) == []

    with client.sign_in() as portal:
        path = f"/plans/{found[1]}/recipients"
        assert portal.post(path, json={"email": accountant, "ask": True}).status_code == 204
        invitation = client.house.mail(accountant, "Rapports de sauvegarde de Menuiserie Roche")
        link = re.search(r"http\S+/invitations/\S+", mails.text(invitation))
        assert link
        assert "papers" not in mails.text(invitation), "nothing of the machine's own words"
        machine.run()
        client.reports(2)
        assert len(client.house.mails(accountant)) == 1, "asked, and no report yet"

        with httpx2.Client(verify=False, trust_env=False, timeout=60) as anybody:
            assert accountant in anybody.get(link[0]).text
            assert anybody.post(link[0], data={"answer": "yes"}).status_code == 303
        listed = portal.get(path).json()["recipients"]
        assert [(one["email"], one["state"]) for one in listed] == [(accountant, "accepted")]
    wait_for("what was accepted at reporting", client.house.all_delivered)
    machine.run()
    report = client.house.mail(accountant, "[REUSSIE]")
    assert str(report["Subject"]).startswith("[REUSSIE] ")
    assert len(client.reports(2)) == 2, "the administrator gets no more of them"
