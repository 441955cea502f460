"""Which restore point a restore brings back, and what it tells before it does."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from agent.restore import points
from agent.telling.failures import UsageError
from libs.shared.keys import KeyRing
from tests.trees import compare_trees
from tests.world.clients import PASSWORD, Client
from tests.world.dates import date_point
from tests.world.house import House
from tests.world.machines import Machine
from tests.world.waiting import wait_for


def test_a_date_names_the_last_restore_point_that_is_not_later(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    (papers / "letter.txt").write_text("first")
    machine.run()
    (papers / "letter.txt").write_text("second")
    machine.run()
    wait_for("both runs at the portal", lambda: client.house.all_delivered("ingest", "portal"))
    listed = restore(machine, client, "--list", "--json")
    runs = [json.loads(line) for line in listed.stdout.splitlines()]
    assert [(one["run_number"], one["files_total"]) for one in runs] == [(2, 3), (1, 3)]
    assert "succeeded" in restore(machine, client, "--list").stdout
    before = datetime.now(UTC) - timedelta(days=2)
    asyncio.run(_date_first(client, before))
    day = f"{before.astimezone():%d/%m/%Y}"
    then = client.restore(machine, tmp_path / "then", "--at", day)
    assert then["run_number"] == 1
    assert Path(f"{tmp_path}/then{papers}/letter.txt").read_text() == "first"
    now = client.restore(machine, tmp_path / "now", "--at", f"{datetime.now().astimezone():%F}")
    assert now["run_number"] == 2
    assert compare_trees(papers, Path(f"{tmp_path}/now{papers}")) == []
    early = client.restore(machine, tmp_path / "early", "--at", "2020-01-01", expect=1)
    assert (early["error"]["code"], early["error"]["subject"]) == ("server-refused", "not-found")


async def _date_first(client: Client, at: datetime) -> None:
    house = client.house
    assert isinstance(house, House)
    tenant_id = UUID(client.tenant_id)
    keys = await KeyRing(house.objects, house.master_key).get(tenant_id)
    [row] = await house.fetch(
        "SELECT plan_id FROM catalogue.runs WHERE number = 1 AND tenant_id = $1", tenant_id
    )
    await date_point(house.fetch, keys, tenant_id, row["plan_id"], 1, at)


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("2026-11-22", "2026-11-22 23:59:59.999999"),
        ("22/11/2026", "2026-11-22 23:59:59.999999"),
        ("22/11/2026 02:14", "2026-11-22 02:14:59.999999"),
        ("2026-11-22T02:14", "2026-11-22 02:14:59.999999"),
        ("2026-11-22 02:14:05", "2026-11-22 02:14:05.999999"),
    ],
)
def test_a_moment_lasts_as_long_as_it_is_told_exactly(text: str, last: str) -> None:
    assert points.last_moment(text) == datetime.fromisoformat(last).astimezone(UTC)


def test_a_moment_may_name_its_zone() -> None:
    moment = points.last_moment("2026-11-22T02:14+02:00")
    assert moment == datetime(2026, 11, 22, 0, 14, 59, 999999, tzinfo=UTC)
    for wrong in ("yesterday", "31/02/2026", "2026", ""):
        with pytest.raises(UsageError, match="give a date"):
            points.last_moment(wrong)


@pytest.mark.usefixtures("either_way")
def test_a_dry_run_tells_and_writes_nothing(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    (papers / "link").symlink_to("letter.txt")
    machine.run()
    to = tmp_path / "back"
    told = client.restore(machine, to, "--dry-run")
    assert (told["files_to_restore"], told["symlinks_to_make"]) == (3, 1)
    size = sum(path.stat().st_size for path in papers.rglob("*.txt") if not path.is_symlink())
    assert told["bytes_to_restore"] == size
    assert not to.exists()
    client.restore(machine, to)
    back = Path(f"{to}{papers}")
    (back / "letter.txt").write_text("mine")
    (back / "2026" / "invoice.txt").unlink()
    told = client.restore(machine, to, "--dry-run", expect=3)
    assert (told["files_to_restore"], told["files_already_there"]) == (1, 1)
    assert [one["path"] for one in told["refused"]] == [str(papers / "letter.txt")]
    told = client.restore(machine, to, "--dry-run", "--overwrite")
    assert (told["files_to_restore"], told["entries_to_replace"]) == (2, 1)
    assert (back / "letter.txt").read_text() == "mine"
    said = restore(machine, client, "--dry-run", "--to", str(to)).stdout
    assert re.search(r"letter\.txt: something else is there", said)


def test_options_that_contradict_or_lack_are_told(machine: Machine, client: Client) -> None:
    both = restore(machine, client, "--to", "/x", "--run", "1", "--at", "2026-11-22")
    assert (both.returncode, "--run and --at" in both.stderr) == (2, True)
    nowhere = restore(machine, client)
    assert (nowhere.returncode, "--to DIR" in nowhere.stderr) == (2, True)


def restore(machine: Machine, client: Client, *options: str):  # type: ignore[no-untyped-def]
    """The command as a person gives it."""
    return machine.agent(
        "restore", "papers", "--portal", client.house.url("portal"), "--email", client.email,
        *options, COFFRE_PASSWORD=PASSWORD,
    )  # fmt: skip
