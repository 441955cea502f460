"""The bench itself: it measures real files, counts them right, and says what it saw."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from bench import __main__ as program
from bench import copy, measuring, page, results, tree, ways
from bench.coffre import Store
from bench.copy import Compared, Side, Step
from bench.measuring import Took
from bench.portal import driving
from bench.portal import page as portal_page
from bench.uploads import Uploads, Way


def test_a_tree_is_gathered_once_and_is_what_was_there(tmp_path: Path) -> None:
    root = tmp_path / "machine"
    (root / "empty").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"12345")
    (root / "link").symlink_to("a.txt")
    with open(root / "huge", "wb") as huge:
        huge.truncate(tree.WHOLE.largest_file_bytes + 1)

    gathered = tree.gather(tmp_path / "tree", [root])
    assert (gathered.files, gathered.size_bytes) == (1, 5)
    copied = gathered.folder / str(root).strip("/")
    assert (copied / "a.txt").read_bytes() == b"12345"
    assert (copied / "link").readlink() == Path("a.txt")
    assert (copied / "empty").is_dir()
    assert not (copied / "huge").exists()

    (root / "later").write_bytes(b"x")
    assert tree.gather(tmp_path / "tree", [root]) == gathered


def test_a_quick_look_takes_some_folders_always_the_same(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / "machine" / str(number)).mkdir(parents=True)
        (tmp_path / "machine" / str(number) / "file").write_bytes(b"x")
    share = tree.Share(4, 1_000)
    some = [tree.gather(tmp_path / name, [tmp_path / "machine"], share) for name in ("a", "b")]
    assert 0 < some[0].files < 60
    assert some[0].describe() == some[1].describe()
    assert "one folder in 4 of all" in some[0].describe()


def test_client_and_servers_have_a_core_each(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    if len(before) < 2:
        pytest.skip("this machine has one core")
    cores = measuring.one_each()
    assert cores.client
    assert cores.servers
    assert cores.client.isdisjoint(cores.servers)
    say = "import os; print(*os.sched_getaffinity(0))"
    took = measuring.run([sys.executable, "-c", say], {}, tmp_path / "log", cores.client)
    assert {int(core) for core in took.output.split()} == cores.client
    assert os.sched_getaffinity(0) == before


def test_a_machine_with_one_core_can_t_give_one_each() -> None:
    with (
        measuring.starting_on(frozenset(sorted(os.sched_getaffinity(0))[:1])),
        pytest.raises(measuring.ProgramFailed, match="one"),
    ):
        measuring.one_each()


def test_fresh_memory_costs_something() -> None:
    assert measuring.touch_memory(32 << 20) > 0


def test_a_program_is_measured_and_a_failing_one_stops_all(tmp_path: Path) -> None:
    hungry = "x = bytearray(60_000_000); sum(range(9_000_000)); print('done')"
    ballast = b"x" * 200_000_000
    took = measuring.run([sys.executable, "-c", hungry], {}, tmp_path / "log")
    assert took.output == "done\n"
    assert 60_000_000 < took.peak_bytes < len(ballast)
    assert took.cpu_seconds > 0
    assert took.seconds > 0
    with pytest.raises(measuring.ProgramFailed, match="ended with 1"):
        measuring.run([sys.executable, "-c", "raise SystemExit(1)"], {}, tmp_path / "log")


def test_the_memory_of_a_program_s_workers_counts(tmp_path: Path) -> None:
    worker = "x = bytearray(60_000_000); import time; time.sleep(1)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {worker!r}])"
    took = measuring.run([sys.executable, "-c", parent], {}, tmp_path / "log")
    assert took.peak_bytes > 60_000_000


def side(factor: float, server: str) -> Side:
    steps = [Step(Took(10 * factor, 5 * factor, int(1e8 * factor), ""), {server: 3.0})]
    return Side(steps, steps, steps, [int(1e9 * factor)], [int(2e8)], [14])


def test_the_page_tells_ratios_of_all_ways() -> None:
    compared = Compared(side(1.0, "ingest"), side(2.5, "rclone"), [0.3, 1.5])
    text = "\n".join(results.show_copies([(way, compared) for way in ways.WAYS], 2 * 10**9))
    assert (
        "| SeaweedFS, shared cores, restic by rclone | 10.0 s | 25.0 s | 2.50 times as fast"
        " | ≥ 1.2 times | 2.5 + 1.5 | 6.2 + 1.5 | 0.40 | 0.52 | 0.30 to 1.50 s |" in text
    )
    assert text.count("| SeaweedFS, one core each, restic by rclone | 10.0 s") == 3
    assert text.count("| folder, one core each, restic by rclone | 10.0 s") == 3
    assert text.count("restic by S3 in the same SeaweedFS | 10.0 s") == 3
    assert "| 1,000 MB, 2,500 MB | 0.400 |" in text
    assert "| Coffre, first (10.0 s) | the client itself 5.0, ingest 3.0 |" in text


def test_the_page_tells_what_ingest_adds() -> None:
    ours: dict[Store, Way] = {
        "s3": Way([8e7], [0.009], [0.011]),
        "file": Way([1.1e8], [0.0085], [0.0]),
    }
    text = "\n".join(results.show_uploads(Uploads(ours, Way([1e8], [0.0], [0.01]))))
    assert (
        "| through ingest into SeaweedFS | 80 MB/s | 0.80 |  | 9.0 ms | ≤ 10 ms | 11.0 ms |" in text
    )
    assert "| through ingest into the folder store | 110 MB/s | 1.10 | ≥ 1.0 | 8.5 ms |" in text
    assert "| the SDK's put to SeaweedFS | 100 MB/s | 1 | | | | 10.0 ms |" in text


def test_the_page_has_all_parts_and_one_is_replaced_alone() -> None:
    text = page.PAGE.read_text()
    for part in program.PARTS:
        changed = page.replace(text, part, ["something else"])
        assert page.replace(changed, part, ["again"]) == page.replace(text, part, ["again"])
        assert "something else" in changed
        assert changed.count("<!-- ") == text.count("<!-- ")
    with pytest.raises(ValueError, match="nothing"):
        page.replace(text, "nothing", [])


def test_the_page_tells_all_other_figures() -> None:
    agents = {
        "line": {
            "files": 20_000,
            "bytes": 2e8,
            "near_seconds": 9.0,
            "far_seconds": 10.0,
            "ratio": 0.9,
        },
        "large": {
            "bytes": 1e10,
            "first_seconds": 60.0,
            "second_seconds": 30.0,
            "share_sent": 0.0123,
            "peak_bytes": 1e8,
        },
        "crowd": {
            "agents": 50,
            "sent_bytes": 1e9,
            "seconds": 30.0,
            "failed": 0,
            "ingest_bytes": 3e8,
        },
    }
    text = "\n".join(results.show_agents(agents))
    assert "| 1.23 % | ≤ 2 % |" in text
    assert "near by 9.0 s | 0.90 | ≥ 0.8 |" in text
    asked = {
        "versions": 10_000_000,
        "paths": 4_000_000,
        "bytes_per_version": 200.0,
        "name_bytes_per_version": 60.0,
        "times_ms": {"a folder": (1.0, 12.0)},
    }
    assert "| a folder | 1.0 ms | 12.0 ms | < 100 ms |" in results.show_catalogue(asked)
    services = {
        "months": {"tenants": 1_000, "months": 36, "next_seconds": 4.0},
        "events": {"events_per_second": 3000, "raw_per_second": 4000, "ratio": 0.75},
        "counted": {
            "events": 1_100_000,
            "events_per_second": 1200,
            "tenants": 1000,
            "tenants_wrong": 0,
        },
        "mails": {
            "mails": 20_000,
            "ours_per_second": [700, 800],
            "raw_per_second": [1000],
            "ratio": 0.75,
            "p99_seconds": 0.42,
            "many": 5_000,
            "many_in_seconds": 60.0,
            "many_last_seconds": 7.5,
        },
    }
    text = "\n".join(results.show_services(services))
    assert "| 800/s | 1,000/s | 0.75 | ≥ 0.7 |" in text
    assert "| 0.42 s | < 1 s |" in text


def test_the_page_tells_how_long_people_wait_for_the_portal() -> None:
    seen = {"asked": 600, "p50": 12.0, "p99": 71.0, "failed": 0}
    portal = {
        "load": 0.5,
        "filled": {"clients": 1_000, "runs": 2_700_000, "versions": 10_000_000, "volume_days": 1},
        "a_second": 20,
        "operators_a_second": 5,
        "clients": {"first page": seen},
        "operators": {"what waits": seen | {"failed": 2}},
        "signing": {"alone": seen, "beside": seen, "sign_ins": seen, "let_in": 600},
        "contents": {
            "first_byte_ms": {"p50": 20.0, "p99": 60.0},
            "download_bytes_per_second": 81e6,
            "straight_bytes_per_second": 100e6,
            "sealed_bytes_per_second": 120e6,
            "ratio": 0.81,
            "zip_bytes": 5e9,
            "zip_seconds": 25.0,
            "zip_base_bytes": 150e6,
            "zip_peak_bytes": 200e6,
        },
    }
    text = "\n".join(portal_page.render(portal))
    assert "| first page | 600 | 12 ms | 71 ms | < 100 ms | 0 |" in text
    assert "81 MB/s of 100 MB/s: 0.81" in text
    assert portal_page.count_failed(portal) == 2


async def test_requests_come_at_their_rate_however_long_answers_take() -> None:
    async def ask() -> int:
        await asyncio.sleep(0.3)
        return 200

    async def fail() -> int:
        return 503

    seen = await driving.drive({"slow": ask, "failing": fail}, 40, 0.5)
    assert [len(one.seconds) for one in seen.values()] == [10, 10]
    assert seen["slow"].percentile(0.5) >= 300
    assert [one.failed for one in seen.values()] == [0, 10]


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_small_tree_is_measured_in_all_ways(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    root = tmp_path / "machine"
    root.mkdir()
    for number in range(20):
        (root / str(number)).write_bytes(os.urandom(50_000))
    plan = copy.Plan(tree.gather(tmp_path / "tree", [root]), 1, 1, print)
    measured = ways.measure(tmp_path, ways.WAYS, plan)
    for way, compared in measured:
        for each in (compared.ours, compared.theirs):
            assert len(each.first) == len(each.again) == len(each.restore) == 1, way.title
            assert each.stored_bytes[0] > plan.tree.size_bytes, way.title
    assert [set(compared.theirs.first[0].servers) for _, compared in measured] == [
        {"rclone"}, {"seaweedfs"}, {"rclone"}, {"rclone"}, {"rclone"},
    ]  # fmt: skip
