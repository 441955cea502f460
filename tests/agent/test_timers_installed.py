"""A timer is put where the machine looks, found again, and taken away without a trace."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.config import Config, Plan
from agent.telling.failures import UsageError
from agent.timers import call_of, cron, crontab, installed, rhythm_of, systemd
from agent.timers.installed import Machine
from agent.timers.systemd import units

NAMES = ["papers", "Documents de l'étude", 'café "50 %" $HOME', "Œuvres"]
NOW = datetime(2026, 11, 29, tzinfo=UTC)

Made = Callable[[str], tuple[Config, Plan, Machine]]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """A machine without anything of its own, and a plan there."""
    # No crontab of whoever runs the tests is read or written.
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for folder in ("bin", "etc/cron.d", "etc/systemd/system"):
        (tmp_path / folder).mkdir(parents=True)

    def make(name: str) -> tuple[Config, Plan, Machine]:
        plan = Plan(name, ("/srv",), (), "15 2 * * *", "Europe/Paris", (), True)
        config = Config(tmp_path / "c o.toml", None, tmp_path / "t", tmp_path / "s", plans=(plan,))
        return config, plan, Machine(tmp_path)

    return make


def program(folder: Path, name: str, script: str) -> None:
    file = folder / "bin" / name
    file.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}")
    file.chmod(0o755)


@pytest.mark.parametrize("name", NAMES)
def test_a_cron_file_is_found_whatever_the_plan_is_called(made: Made, name: str) -> None:
    config, plan, machine = made(name)
    assert installed.starter_of(config, plan, machine) is None
    by = installed.install(config, plan, "cron", machine)
    assert installed.starter_of(config, plan, machine) == by
    other = made(name + "2")
    assert installed.starter_of(other[0], other[1], machine) is None
    assert installed.remove(config, plan, machine) == [by]
    assert list(machine.cron.iterdir()) == []
    assert installed.remove(config, plan, machine) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_counts_once_it_is_enabled_on_a_machine_of_systemd(
    made: Made, tmp_path: Path, name: str
) -> None:
    config, plan, machine = made(name)
    program(
        tmp_path,
        "systemctl",
        f'echo "$@" >> {tmp_path}/calls; U={machine.units}; mkdir -p $U/timers.target.wants\n'
        'case "$1" in enable) ln -sf "$U/$3" "$U/timers.target.wants/$3";;'
        ' disable) rm -f "$U/timers.target.wants/$3";; esac\n',
    )
    call = call_of(config, plan)
    installed.write(units(call, plan.schedule, rhythm_of(plan), NOW), machine.units)
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert installed.starter_of(config, plan, machine) is None  # written, and not enabled
    installed.install(config, plan, "systemd", machine)
    assert installed.starter_of(config, plan, machine) == f"{call.stem}.timer"
    (tmp_path / "run/systemd/system").rmdir()
    assert installed.starter_of(config, plan, machine) is None  # nothing reads units here
    (tmp_path / "run/systemd/system").mkdir()
    gone = installed.remove(config, plan, machine)
    assert gone == [f"{machine.units}/{call.stem}.{kind}" for kind in ("timer", "service")]
    assert installed.starter_of(config, plan, machine) is None
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls == [
        "daemon-reload",
        f"enable --now {call.stem}.timer",
        f"disable --now {call.stem}.timer",
        "daemon-reload",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_users_crontab_keeps_what_others_wrote(made: Made, tmp_path: Path, name: str) -> None:
    config, plan, machine = made(name)
    tab = tmp_path / "tab"
    before = "MAILTO=x\n# mine\n1 2 * * * true\n"
    tab.write_text(before)
    program(tmp_path, "crontab", f'[ "$1" = -l ] && exec cat {tab}; exec cat > {tab}\n')
    for _ in range(2):
        assert installed.install(config, plan, "crontab", machine) == "your crontab"
        assert installed.starter_of(config, plan, machine) == "your crontab"
    text = tab.read_text()
    assert text.startswith(before)
    assert text.count("Written by") == 1
    assert " root " not in text
    assert installed.remove(config, plan, machine) == ["what stood in your crontab"]
    assert tab.read_text() == before


def test_what_somebody_wrote_by_hand_counts_and_stays(made: Made) -> None:
    config, plan, machine = made("papers")
    own = machine.cron / "backup"
    own.write_text("0 3 * * * root /usr/bin/coffre-agent run papers\n")
    assert installed.starter_of(config, plan, machine) == str(own)
    assert installed.remove(config, plan, machine) == []
    for text in (
        "# 0 3 * * * root coffre-agent run papers\n",
        "0 3 * * * root coffre-agent run papers-2\n",
        "0 3 * * * root coffre-agent --config /etc/other.toml run papers\n",
        "0 3 * * * root coffre-agent timer papers\n",
        "0 3 * * * root echo 'it's\n",
    ):
        own.write_text(text)
        assert installed.starter_of(config, plan, machine) is None, text
    own.write_text(f"0 3 * * * root coffre-agent --config '{config.file}' run papers\n")
    assert installed.starter_of(config, plan, machine) == str(own)
    own.rename(machine.cron / "backup.dpkg-old")  # cron passes such names over
    assert installed.starter_of(config, plan, machine) is None


def test_the_loop_of_a_container_counts(made: Made, tmp_path: Path) -> None:
    config, plan, machine = made("papers")
    (tmp_path / "proc/1").mkdir(parents=True)
    for words, starter in (
        ("/usr/bin/coffre-agent loop", "coffre-agent loop"),
        ("tini -- python -m agent loop", "coffre-agent loop"),
        ("/usr/bin/coffre-agent --config /etc/other.toml loop", None),
        ("/usr/bin/coffre-agent run loop x", None),
        ("sh -c loop", None),
        ("/sbin/init", None),
    ):
        (tmp_path / "proc/1/cmdline").write_text(words.replace(" ", "\0") + "\0")
        assert installed.starter_of(config, plan, machine) == starter, words


def test_a_file_of_somebody_elses_is_not_replaced(made: Made) -> None:
    config, plan, machine = made("papers")
    (machine.cron / "coffre-agent-papers").write_text("# mine\n")
    with pytest.raises(UsageError, match="not ours"):
        installed.install(config, plan, "cron", machine)


@pytest.mark.skipif(os.geteuid() != 0, reason="asks what is usual for root")
def test_what_is_usual_follows_from_what_the_machine_has(made: Made, tmp_path: Path) -> None:
    machine = made("papers")[2]
    with pytest.raises(UsageError, match="Install cron"):
        installed.kind_here(machine)
    program(tmp_path, "crontab", "")
    assert installed.kind_here(machine) == "crontab"
    program(tmp_path, "cron", "")
    assert installed.kind_here(machine) == "cron"
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert installed.kind_here(machine) == "systemd"


def test_names_of_units_are_spelled_without_accents(made: Made) -> None:
    stems = [call_of(*made(name)[:2]).stem for name in NAMES]
    assert stems[0] == "coffre-agent-papers"
    assert stems[1].startswith("coffre-agent-Documents-de-l-etude-")
    assert stems[3].startswith("coffre-agent-OEuvres-")
    assert len(set(stems)) == len(NAMES)
    assert systemd.unquoted('ExecStart=/a "50 %% $$x"') == '/a "50 % $x"'
    text = cron.cron_file(
        call_of(*made("papers")[:2]), "15 2 * * *", rhythm_of(made("papers")[1]), UTC, NOW
    )
    assert crontab.without(["a", *crontab.block(text), "b"], "papers") == ["a", "b"]
