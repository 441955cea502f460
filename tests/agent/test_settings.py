"""The configuration and the command line say what is wrong and what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agent import config
from agent.exclusions import Exclusions
from agent.failures import UsageError
from agent.names import shown
from tests.agent.house import ROOT

GOOD = """
server = "https://coffre.example"
token_file = "token"
state_dir = "state"

[[plan]]
name = "papers"
folders = ["/srv/papers"]
exclude = ["*.tmp"]
schedule = "0 2 * * *"
timezone = "Europe/Paris"
recipients = ["anne@menuiserie.example"]
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "agent.toml"
    file.write_text(text)
    return file


def test_a_good_configuration_is_read_as_it_is(tmp_path: Path) -> None:
    read = config.load(write(tmp_path, GOOD))
    assert read.token_file == tmp_path / "token"
    assert read.plan("papers").folders == ("/srv/papers",)
    assert read.patience_seconds == 900


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[[plan]]", "[[plan]", "not valid TOML"),
        ('token_file = "token"', "", "token_file is missing"),
        ('token_file = "token"', "token_file = 7", "token_file must be a text"),
        ('server = "', 'servre = "', "servre is no key"),
        ('folders = ["/srv/papers"]', "folders = []", "folders is missing or empty"),
        ('"/srv/papers"', '"papers"', "no absolute path"),
        ('"0 2 * * *"', '"daily"', "cron expression"),
        ("Europe/Paris", "Europe/Pariss", "no time zone"),
        ("anne@menuiserie.example", "anne", "no mail address"),
        ('name = "papers"', 'name = "a/b"', "without /"),
        ('name = "papers"', "", "name is missing"),
        ('exclude = ["*.tmp"]', 'exclude = "*.tmp"', "exclude must be a list"),
    ],
)
def test_a_bad_one_is_refused_by_file_and_key(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in GOOD
    file = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(UsageError) as refused:
        config.load(file)
    assert said in str(refused.value)
    assert str(refused.value).startswith(str(file))


def coffre_agent(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_wrong_usage_ends_with_two(tmp_path: Path) -> None:
    assert coffre_agent("run").returncode == 2
    assert coffre_agent("fly").returncode == 2
    assert coffre_agent("--config", str(tmp_path / "none"), "plans").returncode == 2
    unknown = coffre_agent("--config", str(write(tmp_path, GOOD)), "plans")
    assert unknown.returncode == 0
    assert "/srv/papers" in unknown.stdout
    help_text = coffre_agent("--help").stdout
    assert all(word in help_text for word in ("enrol", "run", "status", "plans", "restore", "22"))


def test_patterns_leave_out_what_a_gitignore_there_would() -> None:
    patterns = ["*.tmp", "cache/", "/top", "/srv/papers/old", "!keep.tmp"]
    exclusions = Exclusions(b"srv/papers", patterns, [b"/srv/papers/state"])
    left_out = [
        (b"srv/papers", b"a.tmp", False),
        (b"srv/papers/x/y", b"a.tmp", False),
        (b"srv/papers/x", b"cache", True),
        (b"srv/papers", b"top", False),
        (b"srv/papers", b"old", True),
        (b"srv/papers", b"state", True),
    ]
    kept = [
        (b"srv/papers", b"keep.tmp", False),
        (b"srv/papers/x", b"cache", False),
        (b"srv/papers/x", b"top", False),
        (b"srv/papers/x", b"old", True),
        (b"srv/papers/x", b"state", True),
        (b"srv/papers", b"caf\xe9\n", False),
    ]
    assert all(exclusions.match(*entry) for entry in left_out)
    assert not any(exclusions.match(*entry) for entry in kept)


def test_names_are_shown_without_harm() -> None:
    assert shown("été.txt".encode()) == "été.txt"
    assert shown(b"\xe9t\xe9\n\x1b[31m") == "\\xe9t\\xe9\\n\\x1b[31m"
