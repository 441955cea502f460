"""What a client's machine gets: the agent and its libraries, and nothing of the servers."""

from __future__ import annotations

import json
import re
import resource
import statistics
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import grimp
import pytest

from tests.agent.environments import (
    PROJECT,
    InstalledMachine,
    closure,
    link_agent,
    make_environment,
)
from tests.trees import compare_trees
from tests.world.clients import Client
from tests.world.machines import ROOT

IMPORT_ALL = """
import importlib, pkgutil, agent
names = [each.name for each in pkgutil.walk_packages(agent.__path__, "agent.")]
for name in names:
    if name not in ("agent.__main__", "agent.platforms.calls"):  # that is for Windows alone
        importlib.import_module(name)
print(len(names))
"""
DATA_ONLY = {"tzdata"}  # is read by zoneinfo where the system has no time zones, as on Windows


def locked(name: str) -> dict[str, str]:
    """The blocks of a lock, version and hashes, by the distribution's name."""
    blocks = re.findall(r"^(\S+)(==(?:.*\\\n)*.*)$", (ROOT / name).read_text(), re.MULTILINE)
    return dict(blocks)


def a_night(client: Client, folder: Path, papers: Path, python: Path) -> None:
    """All that a technician does with a machine: generates, enrols, checks, copies, restores."""
    generated = subprocess.run(
        [python, "-m", "agent", "config", "generate"], cwd=folder, capture_output=True, check=True
    )
    assert b"[[plan]]" in generated.stdout
    home = folder / "machine"
    home.mkdir()
    plans = {"papers": {"folders": [str(papers)]}}
    machine = InstalledMachine(home, plans, client.house.url("ingest"), python=str(python))
    code = client.enrolment_code()
    enrolled = machine.agent("enrol", "--server", machine.server, "--code", code)
    assert enrolled.returncode == 0, enrolled.stderr
    checked = machine.agent("check", "--json")
    assert json.loads(checked.stdout.splitlines()[-1])["message_type"] == "summary"
    assert checked.returncode in (0, 3), checked.stdout
    assert machine.run()["files_total"] == 3
    assert client.restore(machine, folder / "back")["files_restored"] == 3
    assert compare_trees(papers, Path(f"{folder}/back{papers}")) == []


def test_a_night_with_nothing_but_the_agents_libraries(
    client: Client, tmp_path: Path, papers: Path
) -> None:
    python = link_agent(tmp_path / "environment")
    imported = subprocess.run(
        [python, "-c", IMPORT_ALL], cwd=tmp_path, capture_output=True, check=False
    )
    assert imported.returncode == 0, imported.stderr.decode()
    assert int(imported.stdout) > 90
    a_night(client, tmp_path, papers, python)


def test_the_agent_declares_what_it_imports_and_no_more() -> None:
    graph = grimp.build_graph(
        "agent",
        "libs",
        include_external_packages=True,
        exclude_type_checking_imports=True,
        cache_dir=None,
    )
    needed = graph.find_upstream_modules("agent", as_package=True)
    outside = {
        name for name in needed if "." not in name and name not in sys.stdlib_module_names
    } - {"agent", "libs"}
    brought_by = metadata.packages_distributions()
    imported = {brought_by[name][0].lower() for name in outside}
    declared = {re.split(r"[^\w-]", line)[0] for line in PROJECT["dependencies"]}
    assert imported == declared - DATA_ONLY


def test_the_agents_lock_is_a_part_of_the_whole() -> None:
    ours, whole = locked("requirements-agent.lock"), locked("requirements.lock")
    assert set(ours) == closure(PROJECT["dependencies"])
    assert {name: block for name, block in whole.items() if name in ours} == ours
    assert set(whole) >= closure(PROJECT["optional-dependencies"]["server"])


@pytest.mark.long
def test_a_night_with_the_wheel_in_an_empty_environment(
    client: Client, tmp_path: Path, papers: Path
) -> None:
    source = tmp_path / "source"
    files = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0")
    for file in filter(None, files):  # building leaves things behind, so it happens in a copy
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).write_bytes((ROOT / file).read_bytes())
    pip = [sys.executable, "-m", "pip"]
    build = [*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, source]
    subprocess.run(build, check=True)
    [wheel] = tmp_path.glob("coffre-*.whl")
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    ours = {"agent", "installing", "libs", "operators", "services"}
    assert {top for top in tops if "dist-info" not in top} == ours, "no tests, no benches"

    python = make_environment(tmp_path / "environment")
    into = [*pip, "--python", str(python)]
    lock = ROOT / "requirements-agent.lock"
    subprocess.run([*into, "install", "-q", "--require-hashes", "-r", lock], check=True)
    subprocess.run([*into, "install", "-q", "--no-deps", wheel], check=True)
    subprocess.run([*into, "check"], check=True)
    listed = json.loads(subprocess.check_output([*into, "list", "--format=json"]))
    names = {each["name"].lower().replace("_", "-") for each in listed}
    assert names == closure(PROJECT["dependencies"]) | {"coffre"}

    program = python.parent / "coffre-agent"
    took = []
    for _ in range(10):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([program, "--help"], cwd=tmp_path, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # What it works, not what it waits for others.
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert statistics.median(took) < 0.3, took
    a_night(client, tmp_path, papers, python)
