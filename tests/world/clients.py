"""A client company in running services, as its operator and its administrator know it."""

from __future__ import annotations

import re
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

from devstack import mails
from tests.world.machines import Machine, summary_of
from tests.world.waiting import wait_for

if TYPE_CHECKING:
    from tests.world.running import Running

PASSWORD = "une tarte aux pommes tiède"


@dataclass
class Client:
    """A client company with its administrator's sign-in."""

    house: Running
    tenant_id: str
    email: str

    def machine(self, folder: Path, plans: dict[str, dict[str, Any]], **more: Any) -> Machine:
        """A machine that has enrolled."""
        folder.mkdir(parents=True, exist_ok=True)
        machine = Machine(folder, plans, self.house.url("ingest"), more, self)
        machine.enrol(self.enrolment_code())
        return machine

    def enrolment_code(self) -> str:
        """A one-time code that ingest knows of."""
        code = self.house.portal.open_enrolment(self.tenant_id)
        wait_for("the enrolment at ingest", self.house.all_delivered)
        return code

    def ask_restore(
        self, machine: Machine, *arguments: str, plan: str | None = None, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Calls `restore` of a plan, the first unless told, as this client's administrator."""
        return machine.agent(
            *("restore", plan or next(iter(machine.plans)), "--portal", self.house.url("portal")),
            *("--email", self.email, *arguments),
            **{"COFFRE_PASSWORD": PASSWORD, **environ},
        )

    def restore(
        self,
        machine: Machine,
        to: Path,
        *arguments: str,
        plan: str | None = None,
        expect: int = 0,
    ) -> dict[str, Any]:
        """Restores a plan, the first unless told; gives the summary."""
        ended = self.ask_restore(machine, "--to", str(to), "--json", *arguments, plan=plan)
        assert ended.returncode == expect, (ended.returncode, ended.stdout, ended.stderr)
        return summary_of(ended)

    def restore_dumps(self, machine: Machine, to: Path, *arguments: str) -> Path:
        """Restores the dumps of the plan `papers`; gives the folder that holds them."""
        self.restore(machine, to, "--path", "/@dumps", *arguments)
        return to / "@dumps"

    def reports(self, count: int) -> list[tuple[str, str]]:
        """Subjects and texts of the reports to the administrator, once there are so many.

        By the numbers of their runs: mails of runs that followed each other at once may cross.
        """

        def look() -> list[tuple[str, str]] | None:
            mailed = self.house.mails(self.email)
            found = [
                (str(mail["Subject"]), mails.text(mail))
                for mail in mailed
                if str(mail["Subject"]).startswith(("[REUSSIE", "[ECHEC]", "[RETABLIE]"))
            ]
            found.sort(key=lambda report: _run_number(report[1]))
            return found if len(found) >= count else None

        return wait_for(f"{count} reports", look)

    def last_run(self) -> Any:
        """What ingest noted of the last run."""
        return self.house.query(
            "SELECT state, outcome, reason->>'code' AS code, reason->>'subject' AS subject, number"
            " FROM ingest.runs"
            " WHERE tenant_id = $1::text::uuid ORDER BY number DESC LIMIT 1",
            self.tenant_id,
        )[0]

    def sign_in(self) -> httpx2.Client:
        """The portal's JSON API as the client's administrator."""
        return self.house.api(self.house.portal.sign_in(self.email, PASSWORD))


def _run_number(text: str) -> int:
    named = re.search(r"n°\s(\d+)", text)
    assert named is not None, text
    return int(named[1])


def address_of_client() -> str:
    """Where an administrator of one client alone is mailed to."""
    return f"{uuid.uuid4().hex[:10]}@menuiserie.example"


def open_client(house: Running, name: str = "Menuiserie Roche", **terms: Any) -> Client:
    """A client company whose administrator came by the mail, and has chosen a password."""
    address = address_of_client()
    tenant_id = house.portal.open_client(name, "Anne Roche", address, **terms)
    mailed = wait_for("the first password", lambda: mails.find_password(house.mail_dir, address))
    house.portal.change_password(address, mailed, PASSWORD)
    return Client(house, tenant_id, address)
