"""A whole life of a contract, from its opening to a certificate that outlives its database."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest

from devstack import mails
from tests.contract.provider import Provider, plain, shorten
from tests.destruction.firm import moment
from tests.world.clients import Client
from tests.world.machines import Machine, summary_of
from tests.world.waiting import wait_for

NAME = "Boulangerie Martin"
PARIS = ZoneInfo("Europe/Paris")
LITTLE = timedelta(minutes=1)
KB = 1000
UNTIL_MAILED = frozenset({"reporting.mails", "reporting.tenants", "reporting.farewells"})
"""What goes in the minute after the certificate was accepted."""


@dataclass
class Life:
    """One client of a provider, with its machine."""

    provider: Provider
    client: Client
    machine: Machine

    def put(self, path: str, size: int) -> None:
        """Lays down a file that no compression makes smaller."""
        file = self.machine.source / path
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(os.urandom(size))

    def told(self) -> list[str]:
        """Subjects of what the administrator got beside reports, oldest first."""
        subjects = [str(mail["Subject"]) for mail in self.client.house.mails(self.client.email)]
        return [shorten(one, NAME) for one in subjects if "documents" not in one]

    def wait_told(self, subject: str, times: int = 1) -> str:
        """The text of the newest of so many mails that begin so."""

        def look() -> str | None:
            found = [
                mail
                for mail in self.client.house.mails(self.client.email)
                if plain(str(mail["Subject"])).startswith(subject)
            ]
            return plain(mails.text(found[-1])) if len(found) >= times else None

        return wait_for(f"{times} of «{subject}», after {self.told()}", look)

    def quota(self) -> Any:
        """What the operator sees of the volume."""
        return self.provider.coffre("quota", "show", self.client.tenant_id)

    def destruction(self) -> Any:
        """What the operator sees of the destruction."""
        return self.provider.coffre("destruction", "show", self.client.tenant_id)

    def ceiling(self) -> int | None:
        """How far ingest lets the client grow; None: as far as it likes."""
        rows = self.client.house.query(
            "SELECT ceiling_bytes FROM ingest.allowances WHERE tenant_id = $1::text::uuid",
            self.client.tenant_id,
        )
        return rows[0][0] if rows else None


@pytest.fixture
def life(provider: Provider, tmp_path: Path) -> Life:
    """A client of 1 MB and its machine, as an operator opened and enrolled them."""
    email = f"{os.urandom(5).hex()}@martin.example"
    client = provider.open_client(NAME, email, "1MB")
    return Life(provider, client, provider.enrol(client, tmp_path / "machine"))


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "reminders",
    [
        pytest.param((29,), id="in short"),
        pytest.param((7, 14, 21, 27, 29), id="in full", marks=pytest.mark.long),
    ],
)
def test_from_its_opening_to_its_certificate(
    life: Life, reminders: tuple[int, ...], tmp_path: Path
) -> None:
    deadline = _passes_its_contract(life, reminders)
    _is_blocked_and_reduces(life, deadline)
    life.provider.save_database(tmp_path / "before")
    _ends_with_its_maintenance(life)
    certificate = _is_destroyed(life, tmp_path)
    _stays_gone(life, tmp_path / "before", certificate)
    assert life.told() == [
        "Votre accès au portail de sauvegarde",
        "80 % du volume au contrat",
        "95 % du volume au contrat",
        "Volume au contrat dépassé",
        *["Rappel - volume au contrat dépassé"] * len(reminders),
        "Les sauvegardes ne peuvent plus grossir",
        "Volume au contrat de nouveau respecté",
        "Maintenance du logiciel de sauvegarde",
        "La maintenance du logiciel de sauvegarde prend fin dans 1 jour",
        "Votre abonnement a pris fin",
        "Certificat de destruction",
    ]


def _passes_its_contract(life: Life, reminders: tuple[int, ...]) -> datetime:
    """80 %, 95 %, over, and what is said of it until the last day; when that is."""
    life.put("archives/2019.tar", 400 * KB)
    life.put("comptes.ods", 420 * KB)
    life.machine.run()
    life.wait_told("80 % du volume")
    life.put("photo.jpg", 140 * KB)
    life.machine.run()
    life.wait_told("95 % du volume")
    assert life.quota()["case"] is None
    life.put("plan.dwg", 100 * KB)
    life.machine.run()
    assert "documents" in life.wait_told(f"Volume au contrat dépassé : {NAME}")
    case = life.quota()["case"]
    opened_at, deadline = moment(case["opened_at"]), moment(case["deadline_at"])
    assert deadline == opened_at + timedelta(days=30)
    for count, day in enumerate(reminders, 1):
        life.provider.go_to(opened_at + timedelta(days=day) + LITTLE)
        reminder = life.wait_told(f"Rappel - volume au contrat dépassé : {NAME}", count)
        assert f"{deadline.astimezone(PARIS):%d/%m/%Y}" in reminder
        assert "1,0 Mo" in reminder or "1,1 Mo" in reminder, "what is held"
    assert life.quota()["blocked"] is False
    return deadline


def noon_after(moment: datetime) -> datetime:
    """A noon for the client after a moment: what is done in the next minutes is done that day."""
    local = moment.astimezone(PARIS)
    noon = local.replace(hour=12, minute=0, second=0, microsecond=0)
    return noon if noon > local else noon + timedelta(days=1)


def _is_blocked_and_reduces(life: Life, deadline: datetime) -> None:
    """The deadline passes; a run is refused, all recovery goes on, and room is made."""
    life.provider.go_to(noon_after(deadline))
    life.wait_told("Les sauvegardes ne peuvent plus grossir")
    told = life.quota()
    assert told["blocked"] is True
    wait_for("the block at ingest", lambda: life.ceiling() == told["stored_bytes"])
    life.put("devis.pdf", 60 * KB)
    refused = life.machine.agent("run", "documents", "--json")
    assert refused.returncode == 20
    assert summary_of(refused)["error"]["code"] == "growth-blocked"
    report = plain(mails.text(life.client.house.mail(life.client.email, "ECHEC")))
    assert "le volume conservé dépasse le volume au contrat" in report
    life.client.restore(life.machine, life.machine.folder / "while-blocked")

    # The folder that fills it goes from the machine, and then from what is stored.
    (life.machine.source / "archives" / "2019.tar").unlink()
    (life.machine.source / "archives").rmdir()
    with life.client.sign_in() as own:
        folder = f"{life.machine.source}/archives".lstrip("/")
        wish = {"what": "folder", "plan": "documents", "folder": folder}
        seen = own.post("reductions/preview", json=wish).json()
        assert 400 * KB <= seen["freed_bytes"] <= 410 * KB
        assert own.post("reductions", json=wish).status_code == 202
        began = time.monotonic()
        wait_for("room", lambda: life.ceiling() is None)
        print(f"growth went on {time.monotonic() - began:.1f} s after the order to reduce")
    assert "De nouveau sous" not in life.wait_told("Volume au contrat de nouveau respecté")
    told = life.quota()
    assert (told["blocked"], told["case"]) == (False, None)
    life.machine.run()


def _ends_with_its_maintenance(life: Life) -> None:
    """Its software's last maintained day passes, and the subscription ends by itself."""
    tenant_id = life.client.tenant_id
    tomorrow = (life.provider.now.astimezone(PARIS) + timedelta(days=1)).date()
    until = ("--until", tomorrow.isoformat(), "--reason", "non renouvelée")
    life.provider.coffre("tenant", "maintenance", tenant_id, *until)
    life.provider.start_again("portal")
    life.wait_told("La maintenance du logiciel de sauvegarde prend fin")
    day_after = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=PARIS)
    life.provider.go_to(day_after + timedelta(days=1) + LITTLE)
    text = life.wait_told("Votre abonnement a pris fin")
    assert f"{tomorrow:%d/%m/%Y}" in text
    shown = life.provider.coffre("tenant", "show", tenant_id)
    assert shown["subscription"] == "ended"
    refused = life.machine.agent("run", "documents", "--json")
    assert summary_of(refused)["error"]["code"] == "subscription-ended"
    back = life.client.ask_restore(life.machine, "--to", str(life.machine.folder / "ended"))
    assert back.returncode != 0, "recovery is blocked"
    due_at = moment(life.destruction()["due_at"])
    assert f"{due_at.astimezone(PARIS):%d/%m/%Y}" in text
    assert life.destruction()["state"] == "scheduled"
    assert life.provider.objects_of(tenant_id) != []


def _is_destroyed(life: Life, tmp_path: Path) -> Path:
    """Thirty days pass, and an hour; gives the certificate, which was verified offline."""
    tenant_id, provider = life.client.tenant_id, life.provider
    due_at = moment(life.destruction()["due_at"])
    provider.go_to(due_at + LITTLE)
    wait_for("an empty bucket", lambda: set(provider.objects_of(tenant_id)) == _entry(tenant_id))
    looked = "SELECT 1 FROM retention.inventories WHERE first_empty_at IS NOT NULL"
    wait_for("the first look", lambda: provider.house.query(looked) or None)
    wait_for("it at the desk", lambda: life.destruction()["objects_left"] == 0)
    assert life.destruction()["certificate"] is False, "once found empty is not enough"
    provider.go_to(due_at + timedelta(hours=1, minutes=5))
    wait_for("the end of it", lambda: life.destruction()["state"] == "completed")
    life.wait_told("Certificat de destruction")

    certificate, key = tmp_path / "certificate.json", tmp_path / "key.pem"
    certificate.write_text(provider.ask("certificate", "show", tenant_id).stdout)
    path = f"{provider.house.url('portal')}/.well-known/coffre-certificate-key.pem"
    key.write_text(httpx2.get(path, trust_env=False, timeout=60).text)
    offline = {"COFFRE_PORTAL": "http://127.0.0.1:9", "COFFRE_TOKEN": ""}
    verify = ("certificate", "verify", str(certificate), "--key", str(key))
    verified = provider.ask(*verify, **offline)
    assert (verified.returncode, NAME in verified.stdout) == (0, True), verified.stderr
    altered = certificate.read_text().replace(NAME, "Boulangerie Martine")
    (tmp_path / "altered.json").write_text(altered)
    verify = ("certificate", "verify", str(tmp_path / "altered.json"), "--key", str(key))
    assert provider.ask(*verify, **offline).returncode == 1
    _is_gone(life, certificate, with_mails=False)
    return certificate


def _entry(tenant_id: str) -> set[str]:
    """The ledger's entry, which stays."""
    return {f"erased/{tenant_id}"}


def _is_gone(life: Life, certificate: Path, *, with_mails: bool) -> None:
    """Nothing is left but what the certificate says is kept."""
    tenant_id = life.client.tenant_id
    kept = json.loads(certificate.read_text())["certificate"]["kept"]
    stays = {f"{one['service']}.{one['what']}" for one in kept if one["ground"] != "until-mailed"}

    def wait_gone(stays: Set[str]) -> None:
        def look() -> bool:
            return not set(life.provider.rows_of(tenant_id)) - stays

        try:
            wait_for("their end", look, 100)
        except AssertionError:
            pytest.fail(f"rows are left in {set(life.provider.rows_of(tenant_id)) - stays}")

    wait_gone(stays | UNTIL_MAILED)
    if with_mails:
        life.provider.start_again("reporting")
        wait_gone(stays)
    assert set(life.provider.objects_of(tenant_id)) == _entry(tenant_id)


def _stays_gone(life: Life, saved: Path, certificate: Path) -> None:
    """A database from before brings nothing back, and the certificate stays as it was."""
    tenant_id = life.client.tenant_id
    life.provider.bring_back_database(saved)
    assert "catalogue.versions" in life.provider.rows_of(tenant_id), "it knows no better"
    show = ("certificate", "show", tenant_id)
    again = wait_for("its end, again", lambda: life.provider.ask(*show).stdout or None, 120)
    assert again == certificate.read_text()
    shown = life.provider.coffre("tenant", "show", tenant_id)
    assert shown["subscription"] == "destroyed"
    _is_gone(life, certificate, with_mails=True)
    refused = life.machine.agent("run", "documents")
    assert refused.returncode != 0
