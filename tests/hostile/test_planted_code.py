"""What lies in a folder where the agent is called, or in its variables, is nobody else's to use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.programs import processes
from agent.restore.crew import Crew
from tests.agent.environments import link_agent
from tests.agent.scripts import command, script
from tests.hostile.counting import Campaign
from tests.trees import compare_trees
from tests.world.clients import PASSWORD, Client
from tests.world.house import FOR_AGENTS, House, open_house
from tests.world.machines import Machine
from tests.world.waiting import wait_for

pytestmark = pytest.mark.xdist_group("planted code")
SECRETS = {"COFFRE_PASSWORD": "of a person", "COFFRE_TOKEN": "cfa_of-a-machine"}


@pytest.fixture(scope="module")
def house(
    servers: Any, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """What the agent speaks to."""
    folder = tmp_path_factory.mktemp("planted")
    with open_house(servers, database_template, folder, *FOR_AGENTS) as house:
        yield house


@pytest.fixture
def client(house: House) -> Client:
    """A client company."""
    return house.open_client()


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """A folder worth copying."""
    folder = tmp_path / "papers"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number}.txt").write_text(f"paper {number}\n" * 100)
    return folder


def plant(folder: Path) -> Path:
    """Python modules and programs in a folder, each of which leaves a mark where it is run."""
    mark = folder / "run"
    folder.mkdir()
    noting = f"import os, sys; print(os.environ, file=open({str(mark)!r}, 'a'))\n"
    names = ("msgspec", "blake3", "zstandard", "queue", "typing", "sitecustomize", "usercustomize")
    for name in names:
        (folder / f"{name}.py").write_text(noting)
    for name in ("agent", "libs"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").touch()
    for name in ("pg_dump", "dump"):
        (folder / name).write_text(f"#!/bin/sh\nenv >> {mark}\n")
        (folder / name).chmod(0o755)
    return mark


@pytest.fixture(params=["linked", "editable"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The agent as a program, in an environment of its own or where it is worked on."""
    if request.param == "editable":
        return str(Path(sys.executable).with_name("coffre-agent"))
    python = link_agent(tmp_path / "environment")
    made = python.with_name("coffre-agent")
    made.write_text(f"#!{python}\nfrom agent.__main__ import main\n\nmain()\n")
    made.chmod(0o755)
    return str(made)


def test_a_restore_runs_nothing_of_the_folder_it_is_called_in(
    client: Client, papers: Path, tmp_path: Path, program: str, campaign: Campaign
) -> None:
    machine = client.machine(tmp_path / "machine", {"papers": {"folders": [str(papers)]}})
    machine.run()
    mark = plant(tmp_path / "planted")
    restored = subprocess.run(
        [
            program,
            "restore",
            "papers",
            "--to",
            "../back",
            "--email",
            client.email,
            "--portal",
            client.house.url("portal"),
        ],
        cwd=mark.parent,
        env={**os.environ, "COFFRE_PASSWORD": PASSWORD},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    campaign.tried("modules and programs planted where the agent is called", 11)
    assert restored.returncode == 0, restored.stderr
    assert not mark.exists(), mark.read_text()
    assert compare_trees(papers, Path(f"{tmp_path}/back{papers}")) == []


def test_workers_know_neither_the_folder_nor_the_secrets_of_who_started_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = plant(tmp_path / "planted")
    monkeypatch.chdir(mark.parent)
    monkeypatch.setenv("PYTHONPATH", str(mark.parent))
    monkeypatch.setenv("PGPASSWORD", "of a database")
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    crew = Crew((), lambda _report: None)
    crew.prepare()
    workers = [psutil.Process(process.pid) for process in crew._processes]
    wait_for("modules of the agent", lambda: all(map(_has_begun, workers)))
    assert len(workers) == 2
    for worker in workers:
        assert worker.cwd() == "/"
        environ = Path(f"/proc/{worker.pid}/environ").read_bytes()
        for secret in (*SECRETS.values(), "of a database", "PYTHONPATH"):
            assert secret.encode() not in environ
    crew.stop()
    assert not mark.exists(), mark.read_text()


def _has_begun(worker: psutil.Process) -> bool:
    return any("msgspec" in region.path for region in worker.memory_maps())


def test_programs_of_a_plan_get_the_technicians_variables_and_not_ours(
    client: Client, papers: Path, tmp_path: Path, campaign: Campaign
) -> None:
    told = tmp_path / "told"
    tell = (
        "import json, os, sys;"
        f" file = open({str(told)!r} + sys.argv[1], 'w');"
        " json.dump([os.getcwd(), dict(os.environ)], file); file.close()"
    )
    dump = command(f"{tell}; print('-- the end')")
    dump["command"] = [*dump["command"], "dump"]
    plan = {
        "folders": [str(papers)],
        "dump": [dump],
        "hooks": {"before": [*script(tell), "before"], "after": [*script(tell), "after"]},
    }
    machine = client.machine(tmp_path / "machine", {"papers": plan})
    ended = machine.agent("run", "papers", **SECRETS, VAULT_ADDR="https://vault.example")
    assert ended.returncode == 0, ended.stderr
    for name in ("before", "after", "dump"):
        folder, environ = json.loads(Path(f"{told}{name}").read_text())
        assert folder == "/"
        assert environ["VAULT_ADDR"] == "https://vault.example"
        assert not set(SECRETS) & set(environ)
        assert ("COFFRE_PLAN" in environ) == (name != "dump")
        campaign.tried("variables of children read")


@pytest.mark.parametrize("path", ["", ".", "{planted}/../planted", ":", "relative:/usr/bin"])
def test_a_program_is_never_found_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    mark = plant(tmp_path / "planted")
    monkeypatch.chdir(mark.parent)
    monkeypatch.setenv("PATH", path.format(planted=mark.parent))
    found = processes.find("dump")
    assert found == (f"{mark.parent}/../planted/dump" if "{" in path else None)
    assert processes.find("./dump") is None
    assert processes.find(str(mark.parent / "dump")) == str(mark.parent / "dump")


def test_a_program_written_with_a_folder_is_a_path_of_the_configuration(
    client: Client, papers: Path, tmp_path: Path
) -> None:
    home = tmp_path / "machine"
    home.mkdir()
    (home / "dump").write_text("#!/bin/sh\necho kept; echo '-- the end'\n")
    (home / "dump").chmod(0o755)
    dump = {**command(""), "command": ["./dump"]}
    machine = client.machine(home, {"papers": {"folders": [str(papers)], "dump": [dump]}})
    assert machine.run()["outcome"] == "succeeded"


@pytest.mark.parametrize("kind", ["systemd", "cron", "windows"])
def test_what_timer_prints_starts_in_a_safe_place_by_an_absolute_path(
    house: House, papers: Path, tmp_path: Path, kind: str
) -> None:
    home = tmp_path / "machine"
    home.mkdir()
    machine = Machine(home, {"papers": {"folders": [str(papers)]}}, house.url("ingest"))
    printed = machine.agent("timer", "papers", f"--{kind}").stdout
    place = {
        "systemd": "\nWorkingDirectory=/\n",
        "cron": " root cd / && ",
        "windows": r"<WorkingDirectory>C:\Windows</WorkingDirectory>",
    }[kind]
    assert place in printed
    assert str(Path(sys.executable).with_name("coffre-agent")) in printed
