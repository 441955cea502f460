"""What a restore does to what is there already, and to those who may not have it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.trees import compare_trees
from tests.world.clients import PASSWORD, Client
from tests.world.house import House
from tests.world.machines import ROOT, Machine


@pytest.mark.usefixtures("either_way")
def test_what_is_there_and_differs_is_not_replaced_unasked(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    machine.run()
    back = Path(f"{tmp_path}/back{papers}")
    back.mkdir(parents=True)
    (back / "letter.txt").write_text("mine")
    summary = client.restore(machine, tmp_path / "back", expect=3)
    assert (back / "letter.txt").read_text() == "mine"
    assert [one["path"] for one in summary["not_restored"]] == [str(papers / "letter.txt")]
    assert (back / "2026" / "invoice.txt").exists()
    replaced = client.restore(machine, tmp_path / "back", "--overwrite")
    assert replaced["files_restored"] == 1
    assert compare_trees(papers, back) == []


@pytest.mark.usefixtures("either_way")
def test_a_symlink_in_the_way_is_not_followed(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    machine.run()
    outside = tmp_path / "outside"
    outside.mkdir()
    back = Path(f"{tmp_path}/back{papers}")
    back.mkdir(parents=True)
    (back / "2026").symlink_to(outside)
    (back / "letter.txt").symlink_to(outside / "letter.txt")
    client.restore(machine, tmp_path / "back", expect=3)
    assert list(outside.iterdir()) == []
    client.restore(machine, tmp_path / "back", "--overwrite")
    assert list(outside.iterdir()) == []
    assert compare_trees(papers, back) == []


@pytest.mark.usefixtures("either_way")
def test_a_restore_goes_on_where_it_was_cut(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    machine.run()
    client.restore(machine, tmp_path / "back")
    back = Path(f"{tmp_path}/back{papers}")
    (back / "letter.txt").unlink()
    (back / ".coffre-restore-0123456789abcdef").touch()
    again = client.restore(machine, tmp_path / "back")
    assert (again["files_restored"], again["files_already_there"]) == (1, 2)


def test_many_copies_of_a_large_file_need_few_open_files(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    content = os.urandom(4_300_000)
    for number in range(50):
        (papers / f"copy {number}").write_bytes(content)
    machine.run()
    portal = client.house.url("portal")
    command = machine.command(
        "restore", "papers", "--portal", portal, "--email", client.email,
        "--to", str(tmp_path / "back"),
    )  # fmt: skip
    ended = subprocess.run(
        ["prlimit", "--nofile=48", *command],
        cwd=ROOT,
        env={**os.environ, "COFFRE_PASSWORD": PASSWORD},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert compare_trees(papers, Path(f"{tmp_path}/back{papers}")) == []


def test_only_the_clients_own_people_get_it(
    machine: Machine, client: Client, house: House, tmp_path: Path
) -> None:
    machine.run()
    stranger = house.open_client("Somebody else")
    refused = stranger.restore(machine, tmp_path / "back", expect=1)
    assert (refused["error"]["code"], refused["error"]["subject"]) == (
        "server-refused",
        "not-found",
    )
    assert not list((tmp_path / "back").iterdir())
    ended = machine.agent(
        "restore", "papers", "--portal", house.url("portal"), "--email", client.email,
        "--to", str(tmp_path / "back"), "--json", COFFRE_PASSWORD="wrong",
    )  # fmt: skip
    assert ended.returncode == 21
    assert json.loads(ended.stdout.splitlines()[-1])["outcome"] == "failed"


def test_exclusions_and_the_agents_own_folder_are_left_out(
    client: Client, papers: Path, tmp_path: Path
) -> None:
    plans = {"papers": {"folders": [str(tmp_path)], "exclude": ["2026/", "/back"]}}
    machine = client.machine(tmp_path / "machine", plans)
    first = machine.run()
    assert first["files_new"] > 0
    second = machine.run()
    client.restore(machine, tmp_path / "back")
    back = Path(f"{tmp_path}/back{tmp_path}")
    assert (back / "papers" / "letter.txt").exists()
    assert not (back / "papers" / "2026").exists()
    assert not (back / "machine" / "state").exists()
    assert second["bytes_sent"] == 0
    said = machine.agent("status", "--json")
    assert json.loads(said.stdout)["restore_point"] == 2
    # Whatever it tells, nothing is cut: as a list, and in times of this machine.
    told = machine.agent("status", COLUMNS="80").stdout
    assert "Times are this machine's." in told
    assert re.search(r"^  last run  succeeded, \d+ \w{3} (\d{4} )?\d\d:\d\d", told, re.MULTILINE), (
        told
    )
    assert re.search(r"^  holds     \d+ files?, ", told, re.MULTILINE), told
    assert re.search(r"^  next run  \d+ \w{3} (\d{4} )?\d\d:\d\d", told, re.MULTILINE), told
    assert "\N{HORIZONTAL ELLIPSIS}" not in told
