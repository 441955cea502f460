"""A machine joins: by a code however it is spelled, and with a word on whatever is in the way."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.servers import free_port
from tests.world.clients import PASSWORD, Client
from tests.world.machines import Machine
from tests.world.waiting import wait_for


def newcomer(client: Client, folder: Path) -> Machine:
    """A machine with a configuration that names the server, and nothing else."""
    folder.mkdir()
    return Machine(folder, {"papers": {"folders": ["/srv"]}}, client.house.url("ingest"))


def test_a_code_is_taken_as_it_is_read_on_the_telephone(client: Client, tmp_path: Path) -> None:
    for number, spelled in enumerate((str.upper, lambda code: f" {code.replace('-', ' ')} ")):
        machine = newcomer(client, tmp_path / str(number))
        code = spelled(client.enrolment_code())
        enrolled = machine.agent("enrol", "--server", machine.server, "--code", code)
        assert enrolled.returncode == 0, enrolled.stderr
        assert "Enrolled at" in enrolled.stdout
        again = machine.agent("enrol", "--server", machine.server, "--code", code)
        assert (again.returncode, again.stderr.count("new one")) == (21, 1)
        assert again.stderr.lower().count("ask your provider") == 1


def test_the_configuration_names_the_server(client: Client, tmp_path: Path) -> None:
    machine = newcomer(client, tmp_path / "machine")
    assert machine.agent("enrol", "--code", client.enrolment_code()).returncode == 0
    missing = newcomer(client, tmp_path / "other").agent("enrol")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "Give --code CODE, or run this at a terminal." in missing.stderr


def test_a_port_where_nothing_listens_is_told_soon(client: Client, tmp_path: Path) -> None:
    machine = newcomer(client, tmp_path / "machine")
    began = time.monotonic()
    told = machine.agent("enrol", "--server", f"http://127.0.0.1:{free_port()}", "--code", "x")
    assert told.returncode == 22
    assert "waiting up to" in told.stderr
    assert "could not be reached" in told.stderr
    assert "next run" not in told.stderr
    assert time.monotonic() - began < 120  # of which ten are patience: a run has fifteen minutes


def test_the_portals_address_is_told_from_the_agents(client: Client, tmp_path: Path) -> None:
    machine = newcomer(client, tmp_path / "machine")
    portal, ingest = client.house.url("portal"), client.house.url("ingest")
    told = machine.agent("enrol", "--server", portal, "--code", client.enrolment_code())
    assert told.returncode == 1
    assert f"This is the portal; the agent's address is {ingest}." in told.stderr
    asked = ("restore", "papers", "--portal", ingest, "--email", client.email, "--list")
    other = machine.agent(*asked, COFFRE_PASSWORD="x")
    assert other.returncode == 1
    assert "the portal has another address" in other.stderr


def test_what_isnt_given_to_setup_is_asked_for_at_a_terminal(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {}, "http://127.0.0.1:9")
    new = tmp_path / "new.toml"
    for given, option in (
        ((), "--server URL"),
        (("--server", "http://127.0.0.1:9"), "--folder DIR"),
    ):
        told = machine.agent("--config", str(new), "setup", *given)
        assert (told.returncode, told.stdout) == (2, "")
        assert f"Give {option}, or run this at a terminal." in told.stderr
        assert not new.exists()
    options = ("--server", "http://127.0.0.1:9", "--folder", "/srv", "--hour", "25:00")
    told = machine.agent("--config", str(new), "setup", *options)
    assert "give hours and minutes, such as 02:15" in told.stderr
    assert not new.exists()


@pytest.mark.skipif(
    Path("/run/systemd/system").is_dir(), reason="a real timer would be installed here"
)
def test_setup_enrols_checks_and_makes_the_first_copy(
    client: Client, papers: Path, tmp_path: Path
) -> None:
    machine = newcomer(client, tmp_path / "machine")
    machine.plans["papers"]["folders"] = [str(papers)]
    (nothing := tmp_path / "nothing").mkdir()
    for given, words in (
        (("--code", client.enrolment_code()), "Enrolled at"),
        ((), "This machine is enrolled at"),
    ):
        done = machine.agent("setup", *given, PATH=str(nothing))
        # Where no program starts others by the clock, that is said, and all else is done.
        assert done.returncode == 3, (done.stdout, done.stderr)
        assert "Install cron" in done.stderr
        assert f"{machine.config} is there already and stays as it is." in done.stdout
        assert words in done.stdout
        assert "No timer starts this plan" in done.stdout
        assert "papers: succeeded" in done.stdout
    assert machine.run()["files_new"] == 0


def test_what_is_asked_of_a_restore_may_stand_in_the_configuration(
    client: Client, machine: Machine, tmp_path: Path
) -> None:
    machine.run()
    wait_for("the run at the portal", lambda: client.house.all_delivered("ingest", "portal"))
    machine.more |= {"portal": client.house.url("portal"), "email": client.email}
    listed = machine.agent("restore", "papers", "--list", COFFRE_PASSWORD=PASSWORD)
    assert listed.returncode == 0, listed.stderr
    away = machine.agent("restore", "photos", "--list", COFFRE_PASSWORD=PASSWORD)
    assert (away.returncode, away.stdout) == (1, "")
    assert "There is no such plan. Plans there: papers." in away.stderr
    early = machine.agent(
        *("restore", "papers", "--to", str(tmp_path / "back"), "--at", "2020-01-01"),
        COFFRE_PASSWORD=PASSWORD,
    )
    assert "The oldest restore point is run 1, " in early.stderr
