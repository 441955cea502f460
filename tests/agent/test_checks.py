"""`check` says before the night what would go wrong in it."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.checks.rhythm import check_rhythm
from agent.checks.server import clock_finding
from agent.config import Plan
from tests.servers import free_port
from tests.world.clients import Client
from tests.world.machines import Machine

NIGHTLY = Plan("papers", ("/srv",), (), "0 2 * * *", "Europe/Paris", (), True)


def look(machine: Machine, expect: int, mere_user: bool = False) -> dict[str, list[dict[str, Any]]]:
    """Runs `check`; gives the findings by their subject."""
    ended = machine.agent("check", "--json", mere_user=mere_user)
    assert ended.returncode == expect, (ended.stdout, ended.stderr)
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert lines.pop()["exit_code"] == expect
    found: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        found.setdefault(line["subject"], []).append(line)
    return found


def test_a_machine_that_is_ready_is_told_so(machine: Machine) -> None:
    machine.plans["papers"]["recipients"] = ["anne@menuiserie.example"]
    # Nothing starts it by itself, which is all that there is to say.
    found = look(machine, expect=3)
    assert [line["subject"] for lines in found.values() for line in lines
            if line["level"] != "fine"] == ["timer"]  # fmt: skip
    call = "coffre-agent timer papers --install"
    assert found["timer"][0]["message"] == f"No timer starts this plan: {call}"
    assert "3 files with" in found["folders"][0]["message"]
    assert found["access"][0]["message"] == "The server knows this machine."
    assert "It never ran" in found["schedule"][0]["message"]
    machine.run()
    assert "succeeded" in look(machine, expect=3)["schedule"][0]["message"]
    assert "WRONG" not in machine.agent("check").stdout


def test_what_would_make_the_night_fail_is_named(machine: Machine, papers: Path) -> None:
    (papers / "letter.txt").chmod(0)
    (papers / "2026").chmod(0)
    machine.plans["papers"]["recipients"] = ["anne@menuiserie.example"]
    machine.plans["huge"] = {"folders": [str(papers)], "min_files": 1000}
    machine.plans["gone"] = {"folders": [str(papers / "gone")]}
    try:
        found = look(machine, expect=1, mere_user=True)
    finally:
        (papers / "2026").chmod(0o700)
    told = {line["plan"]: (line["level"], line["message"]) for line in found["folders"]}
    # A run would copy the rest, and end with 3; the third one fails.
    assert told["papers"][0] == "warning"
    assert "papers/letter.txt (permission denied)" in told["papers"][1]
    assert "papers/2026 (permission denied)" in told["papers"][1]
    assert "the third night without them fails" in told["papers"][1]
    assert told["gone"][0] == "wrong"
    assert "is not there" in told["gone"][1]
    assert (
        "min_files asks for 1000"
        in {line["plan"]: line["message"] for line in look(machine, 1)["folders"]}["huge"]
    )
    for name, programs in (("dumps", ["no-such-program"]), ("hooks", None)):
        machine.plans[name] = {"folders": [str(papers)]}
        more = machine.config.read_text().rstrip()
        assert more.endswith("]")
        text = '\n[[plan.dump]]\nname = "crm"\ntype = "command"\ncommand = ["no-such-program"]\n'
        if programs is None:
            text = '\n[plan.hooks]\nbefore = ["no-such-hook"]\n'
        file = machine.folder / "other.toml"
        file.write_text(more + text)
        ended = machine.agent("--config", str(file), "check", name)
        assert ended.returncode == 1
        assert "no-such-" in ended.stdout


def test_a_machine_without_token_or_with_a_dead_one(client: Client, machine: Machine) -> None:
    token = machine.folder / "token"
    good = token.read_text()
    token.write_text("x" * len(good))
    assert look(machine, expect=1)["access"][0]["level"] == "wrong"
    token.write_text(good)
    token.chmod(0o644)
    assert "could be read by others (mode 0644)" in look(machine, expect=3)["token"][0]["message"]
    assert token.stat().st_mode & 0o777 == 0o600
    token.unlink()
    assert "not enrolled" in look(machine, expect=1)["token"][0]["message"]


def test_a_server_that_is_away_or_not_to_be_trusted(machine: Machine, tmp_path: Path) -> None:
    machine.more["patience"] = 0
    machine.server = f"http://127.0.0.1:{free_port()}"
    assert "could not be reached" in look(machine, expect=1)["server"][0]["message"]
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make a certificate")
    port = free_port()
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    served = subprocess.Popen(
        ["openssl", "s_server", "-quiet", "-www", "-accept", f"127.0.0.1:{port}",
         "-key", key, "-cert", certificate],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        machine.server = f"https://localhost:{port}"
        machine.more["patience"] = 5
        said = look(machine, expect=1)["server"][0]["message"]
        assert "can't be trusted" in said
        assert "ca_file" in said
    finally:
        served.terminate()
        served.wait(10)


def test_a_state_folder_that_cannot_be_written(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    text = machine.config.read_text().replace(
        'state_dir = "state"', f'state_dir = "{tmp_path}/file/state"'
    )
    other = machine.folder / "other.toml"
    other.write_text(text)
    ended = machine.agent("--config", str(other), "check", "--json")
    assert ended.returncode == 1
    assert "can't be written: Not a directory" in ended.stdout


def test_a_wrong_configuration_is_a_finding_too(machine: Machine) -> None:
    machine.more["colour"] = "red"
    assert "colour is no key" in look(machine, expect=1)["configuration"][0]["message"]


@pytest.mark.parametrize(
    ("ahead", "level", "words"),
    [
        (30, "fine", "agrees"),
        (-200, "warning", "is 3 min 20 s behind the server's. Set it"),
        (3 * 3600, "warning", "is 3 h 00 min ahead of the server's: plans start at the wrong"),
        (-5 * 365 * 86400, "warning", "1825 days behind"),
    ],
)
def test_a_wrong_clock_is_told_in_words(ahead: float, level: str, words: str) -> None:
    found = clock_finding(ahead)
    assert found.level == level
    assert words in found.sentence


@pytest.mark.parametrize(
    ("last", "level", "words"),
    [
        (None, "fine", "It never ran. The next is due Tuesday 24 November 02:00 (Europe/Paris)"),
        (("2026-11-23T01:00:05+00:00", "succeeded"), "fine", "23 November 2026 02:00, succeeded."),
        (("2026-11-23T01:00:05+00:00", "failed"), "warning", "failed. gone"),
        (("2026-11-20T01:00:05+00:00", "succeeded"), "warning", "is the timer on"),
    ],
)
def test_the_last_run_and_the_next(last: tuple[str, str] | None, level: str, words: str) -> None:
    told = (
        {"started_at": last[0], "outcome": last[1], "error": {"sentence": "gone"}} if last else None
    )
    found = check_rhythm(NIGHTLY, told, datetime(2026, 11, 23, 10, tzinfo=UTC))
    assert found.level == level
    assert words in found.sentence
