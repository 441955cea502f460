"""The command line: its order, its exit codes, and that it starts at once."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.agents import write_configuration
from tests.world.machines import ROOT, Machine

COMMANDS = [
    *("setup", "enrol", "check", "timer", "loop", "run", "plans", "status", "restore"),
    *("config", "update"),
]
LOADED = """
import json, sys
from agent.__main__ import main
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def coffre_agent(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent", *arguments],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_lists_the_commands_in_order_and_the_exit_codes() -> None:
    told = coffre_agent("--help")
    assert told.returncode == 0
    listed = told.stdout.partition("Commands:")[2].partition("Exit codes")
    assert re.findall(r"^  (\w+) ", listed[0], re.MULTILINE) == COMMANDS
    assert "..." not in listed[0]
    assert "24 interrupted" in listed[2]
    assert coffre_agent("-h").stdout == told.stdout
    # They are the same for all commands, and told once.
    assert "24 interrupted" not in coffre_agent("run", "-h").stdout


@pytest.mark.parametrize("arguments", [(), ("config",)])
def test_no_command_is_wrong_usage_that_shows_the_help(arguments: tuple[str, ...]) -> None:
    told = coffre_agent(*arguments)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr == coffre_agent(*arguments, "--help").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("fly",), "No such command 'fly'"),
        (("run",), "Missing argument 'PLAN'"),
        (("run", "papers", "photos"), "unexpected extra argument"),
        (("run", "papers", "--dry"), "--dry-run"),
        (("--config",), "requires an argument"),
        (("restore", "papers", "--run", "0", "--portal", "x", "--email", "y"), "'--run'"),
        (("restore", "papers", "--run", "x", "--portal", "x", "--email", "y"), "'--run'"),
    ],
)
def test_wrong_usage_is_told_on_standard_error(arguments: tuple[str, ...], sentence: str) -> None:
    told = coffre_agent(*arguments)
    assert (told.returncode, told.stdout) == (2, "")
    assert sentence in told.stderr


@pytest.mark.parametrize("words", [("plans",), ("plans", "--json"), ("--help",)])
def test_a_reader_that_goes_away_ends_a_command_without_a_word(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    """As after `coffre-agent plans | head -1`: shells give 141 for a program that is ended so."""
    file = tmp_path / "config.toml"
    file.write_text(
        'server = "https://coffre.example"\ntoken_file = "/t"\nstate_dir = "/s"\n'
        '[[plan]]\nname = "papers"\nfolders = ["/srv"]\nschedule = "0 1 * * *"\nreports = false\n'
    )
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(
        [sys.executable, "-m", "agent", "--config", str(file), *words],
        cwd=ROOT,
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_version_goes_before_all_else() -> None:
    told = coffre_agent("--version", "fly")
    assert (told.returncode, told.stdout) == (0, "coffre-agent 0.3.0\n")


def test_shells_complete_commands_and_plans(tmp_path: Path) -> None:
    asked = coffre_agent(_COFFRE_AGENT_COMPLETE="bash_source")
    assert "complete -o nosort -F _coffre_agent_completion coffre-agent" in asked.stdout
    config = write_configuration(tmp_path, "http://127.0.0.1:9", {"papers": {"folders": ["/srv"]}})
    for words, begun, offered in (
        (f"coffre-agent --config {config}", "st", ["plain,status"]),
        (f"coffre-agent --config {config} run", "", ["plain,papers"]),
        (f"coffre-agent --config {config} timer", "x", []),
    ):
        told = coffre_agent(
            _COFFRE_AGENT_COMPLETE="bash_complete",
            COMP_WORDS=f"{words} {begun}",
            COMP_CWORD=str(len(words.split())),
        )
        assert told.stdout.split() == offered, told.stderr


def test_ctrl_c_ends_a_command_without_a_word(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    os.mkfifo(config)
    # Whoever is started in the background by a shell ignores the signal, and so do its children.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "agent"]
    process = subprocess.Popen(
        [*command, "--config", str(config), "plans"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    # Opens once the agent reads it. A signal that comes between its opening and its reading is
    # heard only after the reading, which lasts until we close.
    with config.open("wb"):
        process.send_signal(signal.SIGINT)
    assert process.communicate() == (b"", b"")
    assert process.returncode == 130


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a command has imported at its end."""
    ended = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return set(json.loads(ended.stderr.splitlines()[-1]))


def test_help_imports_no_more_than_the_command_line() -> None:
    loaded = loaded_by("--help")
    assert "click" in loaded
    assert loaded.isdisjoint({"agent.config", "agent.platforms", "http.client", "msgspec", "ssl"})


def test_a_run_imports_no_more_than_it_needs(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {"papers": {"folders": ["/srv"]}}, "http://127.0.0.1:9")
    loaded = loaded_by("--config", str(machine.config), "run", "papers")
    assert "agent.copying.run" in loaded
    assert loaded.isdisjoint({"platformdirs", "pydantic", "rich"})
