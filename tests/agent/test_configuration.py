"""The configuration and the command line say what is wrong and what to do."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent import config
from agent.config.example import example
from agent.exclusions import Exclusions, Rules
from agent.telling.failures import UsageError
from agent.telling.names import shown
from agent.walking.tree import Tree
from tests.world.machines import ROOT

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
        ('exclude = ["*.tmp"]', 'exclude_files = ["none"]', "none, which can't be read"),
        ('exclude = ["*.tmp"]', 'max_file_size = "lots"', "max_file_size must be a size"),
        ('exclude = ["*.tmp"]', "min_files = -1", "min_files must be from 0"),
        ('exclude = ["*.tmp"]', 'profile = "amiga"', "profile must be one of linux,"),
        ('exclude = ["*.tmp"]', "exclude_caches = 1", "exclude_caches must be true or false"),
        ('exclude = ["*.tmp"]', 'exclude_if_present = ["a/b"]', "the name of a file"),
        ('exclude = ["*.tmp"]', 'ping_url = "hc.example"', "ping_url must be an address"),
        ('"0 2 * * *"', '"0 2 31 2 *"', "cron expression"),
        ('"/srv/papers"', '"/@dumps/x"', "where a plan's dumps are kept"),
        ("[[plan]]", 'patience = "soon"\n[[plan]]', "patience must be a duration"),
        ("[[plan]]", "patience_seconds = 9\n[[plan]]", "Did you mean patience?"),
        ("[[plan]]", '[bandwidth]\nlimit = "2 MB"\n[[plan]]', "[bandwidth]: limit must be a rate"),
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


DUMP = '[[plan.dump]]\nname = "accounts"\n'


@pytest.mark.parametrize(
    ("added", "said"),
    [
        (DUMP, "type is missing. Write one of postgresql, mysql, sqlite, command"),
        (DUMP + 'type = "oracle"', "type must be one of"),
        (DUMP + 'type = "mysql"', "database is missing"),
        (DUMP + 'type = "sqlite"', "path is missing"),
        (DUMP + 'type = "command"', "command is missing"),
        (DUMP + 'type = "sqlite"\npath = "/a"\nuser = "x"', "user is no key"),
        (DUMP + 'type = "mysql"\ndatabase = "a"\nport = 70000', "port must be from 1 to 65535"),
        (DUMP.replace("accounts", "../a"), "must be a file's name"),
        (2 * (DUMP + 'type = "sqlite"\npath = "/a"\n'), "is there twice"),
        ('[plan.hooks]\nbefor = ["a"]', "Did you mean before?"),
        ('[plan.hooks]\nbefore = "a b"', "before must be a list"),
    ],
)
def test_a_bad_dump_or_hook_is_refused_by_its_place(tmp_path: Path, added: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        config.load(write(tmp_path, GOOD + added))
    assert said in str(refused.value)
    assert "[[plan]] 'papers', [" in str(refused.value)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    bad = GOOD.replace("server =", "servre =").replace('"/srv/papers"', '"papers"')
    with pytest.raises(config.ConfigurationWrong) as refused:
        config.load(write(tmp_path, bad + "colour = 1\n"))
    told = refused.value.faults
    assert len(told) == 3
    assert "holds 'papers'" in told[0]
    assert "colour is no key" in told[1]
    assert "Did you mean server?" in told[2]


def test_everything_that_can_be_set_is_read(tmp_path: Path) -> None:
    (tmp_path / "more").write_text("# ours\n\n*.bak\n")
    text = GOOD.replace(
        "[[plan]]",
        'patience = "1 h 30 min"\nping_url = "https://hc.example/all"\n'
        '[bandwidth]\nlimit = "2 MB/s"\n'
        '[[bandwidth.hours]]\nfrom = "08:00"\nto = "18:30"\ndays = "mon-fri"\n'
        'limit = "500 kB/s"\n'
        '[[bandwidth.hours]]\nfrom = "22:00"\nto = "06:00"\nlimit = "unlimited"\n[[plan]]',
    )
    text += (
        'exclude_files = ["more"]\nmax_file_size = "50 GB"\nmin_files = 100\n'
        'min_size = "1.5 GiB"\nping_url = "https://hc.example/papers"\n'
        + DUMP + 'type = "postgresql"\ndatabase = "acc"\npassword_file = "pw"\n'
        'timeout = 60\nmin_size = "1 kB"\n'
        '[[plan.dump]]\nname = "crm"\ntype = "command"\ncommand = ["dump", "-a"]\n'
        'end_mark = "end"\n[plan.hooks]\nbefore = ["stop", "it"]\ntimeout = "90 s"\n'
    )  # fmt: skip
    read = config.load(write(tmp_path, text))
    plan = read.plan("papers")
    assert read.patience_seconds == 5400
    assert read.ping_url_of(plan) == "https://hc.example/papers"
    assert plan.exclude == ("*.tmp", "*.bak")
    assert (plan.max_file_size_bytes, plan.min_size_bytes) == (50 * 10**9, 1.5 * 2**30)
    assert plan.dumps[0].password_file == tmp_path / "pw"
    assert (plan.dumps[0].timeout_seconds, plan.dumps[0].min_size_bytes) == (60, 1000)
    assert plan.dumps[1].command == ("dump", "-a")
    assert plan.hooks.before == ("stop", "it")
    assert plan.declaration()["dumps"] == ["accounts", "crm"]
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    for hour, day, limit in (
        (7, 0, 2_000_000),
        (8, 0, 500_000),
        (8, 5, 2_000_000),
        (23, 5, None),
        (5, 6, None),
    ):
        assert read.bandwidth.limit_at(monday.replace(day=23 + day, hour=hour)) == limit


def test_plans_in_conf_d_are_added_in_the_order_of_their_files(tmp_path: Path) -> None:
    main = write(tmp_path, GOOD)
    more = tmp_path / "conf.d"
    more.mkdir()
    (more / "20-mails.toml").write_text('[[plan]]\nname = "mails"\nfolders = ["/srv/mails"]\n')
    (more / "10-photos.toml").write_text('[[plan]]\nname = "photos"\nfolders = ["/srv/photos"]\n')
    (more / "README").write_text("not read")
    assert [plan.name for plan in config.load(main).plans] == ["papers", "photos", "mails"]
    (more / "20-mails.toml").write_text('state_dir = "x"\n[[plan]]\nname = "papers"\n')
    with pytest.raises(config.ConfigurationWrong) as refused:
        config.load(main)
    told = "\n".join(refused.value.faults)
    assert "20-mails.toml: state_dir can't stand here" in told
    assert f"[[plan]] 'papers' is there twice (also in {main})" in told


def test_a_plan_may_be_dumps_only(tmp_path: Path) -> None:
    text = GOOD.replace('folders = ["/srv/papers"]', "")
    plan = config.load(write(tmp_path, text + DUMP + 'type = "sqlite"\npath = "/a"\n')).plans[0]
    assert plan.folders == ()
    assert not any(listing.rows for listing in Tree(plan.folders, Rules(), ()).walk())


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


@pytest.mark.parametrize(
    ("folder", "name", "is_folder", "is_left_out"),
    [
        (b"srv/papers", b"a.tmp", False, True),
        (b"srv/papers/x/y", b"a.tmp", False, True),
        (b"srv/papers/x", b"cache", True, True),
        (b"srv/papers", b"top", False, True),
        (b"srv/papers", b"old", True, True),
        (b"srv/papers", b"state", True, True),
        (b"srv/papers", b"keep.tmp", False, False),
        (b"srv/papers/x", b"cache", False, False),
        (b"srv/papers/x", b"top", False, False),
        (b"srv/papers/x", b"old", True, False),
        (b"srv/papers/x", b"state", True, False),
        (b"srv/papers", b"caf\xe9\n", False, False),
    ],
)
def test_patterns_leave_out_what_a_gitignore_there_would(
    folder: bytes, name: bytes, is_folder: bool, is_left_out: bool
) -> None:
    patterns = ("*.tmp", "cache/", "/top", "/srv/papers/old", "!keep.tmp")
    exclusions = Exclusions(b"srv/papers", Rules(patterns=patterns), [b"/srv/papers/state"])
    assert exclusions.match(folder, name, is_folder) == is_left_out


def test_names_are_shown_without_harm() -> None:
    assert shown("été.txt".encode()) == "été.txt"
    assert shown(b"\xe9t\xe9\n\x1b[31m") == "\\xe9t\\xe9\\n\\x1b[31m"


def test_the_generated_configuration_is_valid_with_and_without_its_examples(
    tmp_path: Path,
) -> None:
    file = tmp_path / "new" / "config.toml"
    server = "https://coffre.provider.example"
    assert (
        coffre_agent("config", "generate", "--output", str(file), "--server", server).returncode
        == 0
    )
    text = file.read_text()
    read = config.load(file)
    assert read.server == server
    assert [plan.name for plan in read.plans] == ["documents"]
    (tmp_path / "all.toml").write_text(
        re.sub(r"^#(?=\S)", "", text, flags=re.MULTILINE)
        .replace('"/etc/coffre-agent/exclude"', '"exclude"')
    )  # fmt: skip
    (tmp_path / "exclude").touch()
    plan = config.load(tmp_path / "all.toml").plans[0]
    assert {dump.kind for dump in plan.dumps} == {"postgresql", "mysql", "sqlite", "command"}
    assert plan.hooks.on_error
    assert config.load(tmp_path / "all.toml").bandwidth.hours
    again = coffre_agent("config", "generate", "--output", str(file))
    assert again.returncode == 2
    assert "stays as it is" in again.stderr
    assert file.read_text() == text


@pytest.mark.parametrize("system", ["linux", "macos", "windows"])
def test_an_example_for_each_system_is_valid(tmp_path: Path, system: str) -> None:
    text = example(system=system, for_machine=True)
    if system == "windows":
        assert '"C:/ProgramData/coffre-agent/token"' in text
        text = text.replace('folders = ["C:/Users"]', 'folders = ["/users"]')
    assert config.load(write(tmp_path, text)).plans


def test_validate_tells_all_faults_and_doubts(tmp_path: Path) -> None:
    bad = GOOD.replace("server =", "servre =").replace('"/srv/papers"', '"papers"')
    told = coffre_agent("--config", str(write(tmp_path, bad)), "config", "validate")
    assert told.returncode == 2
    assert len(told.stderr.splitlines()) == 2
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ibdata1").touch()
    (tmp_path / "pw").touch(mode=0o644)
    doubtful = (
        GOOD.replace("https:", "http:").replace('"/srv/papers"', f'"{tmp_path}/data", "/no/where"')
        + DUMP + 'type = "mysql"\ndatabase = "a"\npassword_file = "pw"\n'
        f'[[plan]]\nname = "all"\nfolders = ["{tmp_path}"]\n'
    )  # fmt: skip
    told = coffre_agent("--config", str(write(tmp_path, doubtful)), "config", "validate", "--json")
    assert told.returncode == 3, told.stderr
    for words in (
        "sends the token in the clear",
        "no folder of this machine",
        "is a MySQL or MariaDB data folder",
        "can be read by others (mode 0644)",
        f"{tmp_path}/data is also backed up by the plan 'papers'",
        "reports go to the client's administrators",
    ):
        assert words in told.stdout
