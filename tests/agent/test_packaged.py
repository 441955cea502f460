"""The agent from the portal, on machines that have nothing: pasted, set up, copied, updated."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from release import signing
from services.portal.rules.packages import File, Release, blocks
from tests.trees import compare_trees
from tests.world.clients import PASSWORD, Client
from tests.world.house import FOR_AGENTS, House, open_house
from tests.world.machines import ROOT

MOST_SECONDS = 60
pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a root folder and goes into it"),
]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `./run package` builds; the key lies beside it."""
    folder = tmp_path_factory.mktemp("packages")
    signing.open_key(folder / "key.pem", make=True)
    build(folder / "dist", folder / "key.pem")
    return folder / "dist"


def build(output: Path, key: Path, *options: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "release", "--output", output, "--key", key, *options],
        cwd=ROOT,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1764374400"},
        check=True,
    )


@pytest.fixture(scope="module")
def handing_out(
    servers: Any, database_template: str, tmp_path_factory: pytest.TempPathFactory, dist: Path
) -> Iterator[House]:
    """A house whose portal has the packages."""
    folder = tmp_path_factory.mktemp("house")
    told = {"COFFRE_AGENT_FOLDER": str(dist)}
    with open_house(servers, database_template, folder, *FOR_AGENTS, **told) as opened:
        yield opened


@pytest.fixture(params=["bookworm", "trixie"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The root folder of a system without Python, curl or anything else."""
    root = tmp_path / "root"
    subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", request.param, root], check=True)
    assert not list(root.glob("usr/bin/python*"))
    assert not (root / "usr/bin/curl").exists()
    papers = root / "srv/papers"
    papers.mkdir()
    (papers / "letter.txt").write_text("Madame, Monsieur,\n" * 1000)
    (papers / "sums.csv").write_text("1 204,00 €\n")
    return root


def inside(root: Path, command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A line of a shell on that machine."""
    mounted = 'mount -t proc proc "$0/proc" && exec chroot "$0" sh -c "$1"'
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", mounted, root, command],
        env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **environ},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def release_of(dist: Path) -> Release:
    sums = (dist / "SHA256SUMS").read_text().splitlines()
    files = [File(line.split("  ")[1], 0, line.split("  ")[0]) for line in sums]
    told = json.loads((dist / "release.json").read_text())
    return Release(told["version"], told["glibc"], tuple(files))


def pasted(system: str, house: House, client: Client, dist: Path) -> str:
    """What the page with the code shows, with the answers to what it would ask."""
    found = blocks(
        release_of(dist), house.url("portal"), house.url("ingest"), client.enrolment_code()
    )
    text = next(block.text for block in found if block.system == system)
    return f"{text} --folder /srv/papers --hour 03:30"


@pytest.mark.parametrize("system", ["debian", "linux"])
def test_an_empty_machine_copies_within_a_minute_of_the_line(
    handing_out: House, dist: Path, empty: Path, system: str
) -> None:
    client = handing_out.open_client()
    line = pasted(system, handing_out, client, dist)
    began = time.monotonic()
    done = inside(empty, line)
    seconds = time.monotonic() - began
    print(f"{system} on {empty}: {seconds:.1f} s")
    # 3: a root folder has neither systemd nor cron, and is told what to install.
    assert done.returncode == 3, (done.stdout, done.stderr)
    assert "Install cron" in done.stderr
    assert "documents: succeeded" in done.stdout
    assert seconds < MOST_SECONDS
    (plan,) = handing_out.portal.ask("GET", "/plans", token=sign_in(handing_out, client))["plans"]
    assert plan["last_run"]["outcome"] == "succeeded"
    assert plan["schedule"] == "30 3 * * *"

    # The same once more goes on with what is there.
    again = inside(empty, "coffre-agent setup")
    assert again.returncode == 3, (again.stdout, again.stderr)
    assert "is enrolled" in again.stdout
    assert "2 files" in inside(empty, "coffre-agent status").stdout

    # It brings back what it copied, by processes of its own.
    asked = (
        f"coffre-agent restore documents --portal {handing_out.url('portal')}"
        f" --email {client.email} --to /srv/back"
    )
    back = inside(empty, asked, COFFRE_PASSWORD=PASSWORD)
    assert back.returncode == 0, (back.stdout, back.stderr)
    assert compare_trees(empty / "srv/papers", empty / "srv/back/srv/papers") == []

    started = min(work_of(empty, "coffre-agent status") for _ in range(5))
    print(f"status: {started:.2f} s")
    size = sum(file.stat().st_size for file in folder_of(empty).rglob("*") if file.is_file())
    print(f"installed: {size / 1e6:.0f} MB")
    assert started < 0.3


def sign_in(house: House, client: Client) -> str:
    body = {"email": client.email, "password": PASSWORD}
    return str(house.portal.ask("POST", "/tokens", body, token="")["token"])


def folder_of(root: Path) -> Path:
    """Where the agent was installed."""
    packaged = root / "usr/lib/coffre-agent"
    return packaged if packaged.exists() else next((root / "opt/coffre-agent").glob("0.*"))


def work_of(root: Path, command: str) -> float:
    """Seconds of a processor that a command takes inside, whatever else the machine does."""
    told = inside(root, f"{command} >/dev/null; times").stdout.splitlines()[-1]
    return sum(
        int(minutes) * 60 + float(seconds)
        for minutes, seconds in (each.rstrip("s").split("m") for each in told.split())
    )


@pytest.mark.parametrize("empty", ["bookworm"], indirect=True)
def test_an_update_is_taken_only_from_the_provider_and_the_one_before_stays(
    handing_out: House, dist: Path, empty: Path, tmp_path: Path
) -> None:
    client = handing_out.open_client()
    assert inside(empty, pasted("linux", handing_out, client, dist)).returncode == 3
    same = inside(empty, "coffre-agent update")
    assert (same.returncode, "is what the portal has" in same.stdout) == (0, True), same.stderr
    before = shutil.copytree(dist, tmp_path / "before")
    try:
        make_newer(dist)
        # Whoever holds the portal, and not the key, gets nothing installed.
        signing.sign(dist, signing.open_key(tmp_path / "another.pem", make=True))
        refused = inside(empty, "coffre-agent update")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "aren't signed by your provider" in refused.stderr
        signing.sign(dist, signing.open_key(dist.parent / "key.pem", make=False))
        newer = dist / "coffre-agent-9.9.9-linux-x86_64"
        good = newer.read_bytes()
        newer.write_bytes(good + b"\0")
        assert (
            "is not the file that your provider signed"
            in inside(empty, "coffre-agent update").stderr
        )
        newer.write_bytes(b"#!/bin/sh\necho no glibc >&2; exit 1\n")
        signing.sign(dist, signing.open_key(dist.parent / "key.pem", make=False))
        broken = inside(empty, "coffre-agent update")
        assert (broken.returncode, "The present one stays" in broken.stderr) == (1, True)
        assert inside(empty, "coffre-agent status").returncode == 0
        assert [each.name[:6] for each in versions(empty)] == ["0.3.0-"]

        newer.write_bytes(good)
        signing.sign(dist, signing.open_key(dist.parent / "key.pem", make=False))
        told = inside(empty, "coffre-agent update --check").stdout
        assert "There is 9.9.9; this is 0.3.0" in told
        taken = inside(empty, "coffre-agent update")
        assert taken.returncode == 0, taken.stderr
        assert "coffre-agent is 9.9.9 now. 0.3.0 is kept:" in taken.stdout
        assert [each.name[:6] for each in versions(empty)] == ["0.3.0-", "9.9.9-"]
        assert str((empty / "opt/coffre-agent/current").readlink()).startswith(
            "/opt/coffre-agent/9.9.9-"
        )
        kept = taken.stdout.rpartition(": ")[2].strip()
        assert inside(empty, f"{kept} status").returncode == 0
    finally:
        shutil.rmtree(dist)
        shutil.copytree(before, dist)


def versions(root: Path) -> list[Path]:
    found = (root / "opt/coffre-agent").iterdir()
    return sorted(each for each in found if each.is_dir() and not each.is_symlink())


def make_newer(dist: Path) -> None:
    """Another release: the same agent in a file of another version."""
    old = dist / "coffre-agent-0.3.0-linux-x86_64"
    head, mark, rest = old.read_bytes().partition(b"exec ")
    old.unlink()
    newer = dist / "coffre-agent-9.9.9-linux-x86_64"
    newer.write_bytes(head.replace(b"0.3.0", b"9.9.9") + mark + rest)
    newer.chmod(0o755)
    (dist / "release.json").write_text('{"version": "9.9.9", "glibc": "2.35"}')


def test_the_same_is_built_to_the_byte(dist: Path, tmp_path: Path) -> None:
    build(tmp_path / "again", dist.parent / "key.pem")
    first, again = ((each / "SHA256SUMS").read_text() for each in (dist, tmp_path / "again"))
    assert first == again


SOURCES = os.environ.get("COFFRE_PYTHON_SOURCES", "")


@pytest.mark.skipif(not SOURCES, reason="COFFRE_PYTHON_SOURCES names no folder of sources")
def test_a_bundle_for_older_systems_asks_for_no_newer_glibc(tmp_path: Path) -> None:
    """It starts on such a system: Debian 11 has 2.31, and a bundle built here would need 2.35."""
    signing.open_key(tmp_path / "key.pem", make=True)
    build(tmp_path / "dist", tmp_path / "key.pem", "--glibc", "2.28", "--sources", SOURCES)
    assert json.loads((tmp_path / "dist" / "release.json").read_text())["glibc"] == "2.28"
    root = tmp_path / "old"
    subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "bullseye", root], check=True)
    (file,) = (tmp_path / "dist").glob("coffre-agent-*-linux-x86_64")
    shutil.copy(file, root / "agent")
    told = subprocess.run(
        ["objdump", "-T", *folder_of_file(root)], capture_output=True, text=True, check=True
    ).stdout
    asked = {tuple(map(int, each)) for each in re.findall(r"GLIBC_(\d+)\.(\d+)", told)}
    assert max(asked) == (2, 28)


def folder_of_file(root: Path) -> list[Path]:
    """The programs and libraries of an agent that was unpacked there by its first start."""
    assert "coffre-agent" in inside(root, "/agent --version").stdout
    found = [file for file in folder_of(root).rglob("*") if file.is_file()]
    return [file for file in found if begins_as_program(file)]


def begins_as_program(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"
