"""What the agent warns of reaches the people: the report names it in the client's language."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.agent.monitors import Monitor
from tests.agent.scripts import script
from tests.agent.test_memory import plans_of, spoil
from tests.world.clients import Client
from tests.world.machines import ROOT, Machine


def run_at(machine: Machine, moment: datetime) -> subprocess.CompletedProcess[str]:
    """Runs the plan with a clock that is really another one."""
    program = (
        "import time_machine\n"
        f"with time_machine.travel('{moment.isoformat()}', tick=True):\n"
        "    from agent.__main__ import main\n"
        "    main()\n"
    )
    arguments = machine.command("run", "papers", "--json")[3:]
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_clock_ten_years_ahead_is_told_in_the_client_s_report(
    machine: Machine, client: Client
) -> None:
    ended = run_at(machine, datetime.now(UTC) + timedelta(days=3653))
    assert ended.returncode == 3, ended.stderr
    ((subject, text),) = client.reports(1)
    assert subject.startswith("[REUSSIE AVEC RESERVES] ")
    assert "L’horloge de la machine avance d’environ 10 ans." in text
    assert machine.run()["outcome"] == "succeeded"
    subject, text = client.reports(2)[1]
    assert subject.startswith("[REUSSIE] ")
    assert "horloge" not in text


@pytest.mark.parametrize("which", ["json", "records"])
def test_a_damaged_memory_is_reported_once(
    machine: Machine, client: Client, papers: Path, which: str
) -> None:
    machine.run()
    (file,) = plans_of(machine).glob(f"*.{which}")
    spoil(file, "flipped")
    machine.run(expect=3)
    (papers / "more.txt").write_text("more")
    machine.run()
    first, damaged, after = client.reports(3)
    assert "est endommagé" in damaged[1]
    assert "endommagé" not in first[1] + after[1]


def test_a_hook_and_a_monitor_that_fail_are_reported(
    client: Client, papers: Path, tmp_path: Path, monitor: Monitor
) -> None:
    plan: dict[str, Any] = {
        "folders": [str(papers)],
        "hooks": {"after": script("import sys; sys.exit(5)")},
        "ping_url": monitor.url,
    }
    machine = client.machine(tmp_path / "machine", {"papers": plan})
    monitor.answers = [404, 404]
    assert len(machine.run(expect=3)["warnings"]) == 2
    ((_, text),) = client.reports(1)
    assert f"{sys.executable} s’est terminé avec le code d’erreur 5." in text
    assert "Le service de supervision 127.0.0[.]1 n’a pas pu être averti de la sauvegarde." in text
    assert "HTTP Error 404: Not Found" in text
    assert "secret" not in text


def test_a_run_that_fails_names_its_warnings_too(
    client: Client, papers: Path, tmp_path: Path
) -> None:
    plan: dict[str, Any] = {
        "folders": [str(papers), str(tmp_path / "gone")],
        "hooks": {"after": script("import sys; sys.exit(6)")},
    }
    machine = client.machine(tmp_path / "machine", {"papers": plan})
    failed = machine.run(expect=1)
    assert failed["error"]["code"] == "folder-missing"
    assert "The program to run after the backup failed" in failed["warnings"][0]["sentence"]
    ((subject, text),) = client.reports(1)
    assert subject.startswith("[ECHEC] ")
    assert f"{sys.executable} s’est terminé avec le code d’erreur 6." in text
