"""Volumes, orders, prices and bills from a terminal, in the form that other programs rely on."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from libs.shared import clock
from tests.operators.conftest import Coffre
from tests.portal.conftest import Portal


async def test_what_is_held_is_told_as_other_programs_read_it(
    coffre: Coffre, portal: Portal
) -> None:
    tenant_id = await portal.open_tenant("Dupré", "a@dupre.example", contracted_bytes=10**9)
    told = (await coffre("quota", "show", tenant_id, "--json")).json()
    named = ("stored_bytes", "contracted_bytes", "ceiling_bytes", "blocked", "case")
    assert {name: told[name] for name in named} == {
        "stored_bytes": 0,
        "contracted_bytes": 10**9,
        "ceiling_bytes": told["ceiling_bytes"],
        "blocked": False,
        "case": None,
    }
    assert "1.0 GB" in (await coffre("quota", "show", "Dupré")).out
    decided = await coffre("quota", "block", tenant_id, "--reason", "unpaid")
    assert decided.code == 0, decided.err
    [said] = await portal.events("overage.decided.v1")
    assert (said["decision"], said["reason"]) == ("block", "unpaid")
    revised = await coffre("quota", "revise", tenant_id, "--clause", "7.3", "--reason", "r")
    assert revised.code == 1


async def test_an_order_is_seen_then_placed_once(coffre: Coffre, portal: Portal) -> None:
    tenant_id = await portal.open_tenant("Dupré", "a@dupre.example", contracted_bytes=10**9)
    asked_on = clock.today("Europe/Paris")
    seen = (await coffre("order", "preview", tenant_id, "--storage", "2GB", "--json")).json()
    months = {f"{day:%Y-%m}" for day in (asked_on, clock.today("Europe/Paris"))}
    assert {"amount", "currency", "month"} <= set(seen["lines"][0])
    month = seen["lines"][0]["month"]
    assert month in months
    place = ("order", "place", tenant_id, "--seats", "5", "--json")
    first = (await coffre(*place, "--key", "one")).json()
    again = (await coffre(*place, "--key", "one")).json()
    assert first["order_id"] == again["order_id"]
    assert first["after"] == 5
    shown = await coffre("order", "place", tenant_id, "--storage", "200GB")
    assert "200.0 GB" in shown.out
    listed = (await coffre("order", "list", tenant_id, "--json")).json()
    assert first["order_id"] in {one["order_id"] for one in listed["orders"]}
    assert (await coffre("order", "list", tenant_id)).code == 0
    neither = await coffre("order", "preview", tenant_id)
    assert (neither.code, "--storage SIZE or --seats N" in neither.err) == (2, True)
    assert (await coffre("order", "forbid", tenant_id)).code == 0

    as_json = (await coffre("billing", "export", month, "--format", "json")).json()
    assert as_json["month"] == month
    exported = await coffre("billing", "export", month, "--tenant", "Dupré")
    rows = list(csv.DictReader(io.StringIO(exported.out)))
    assert {row["tenant_id"] for row in rows} == {tenant_id}
    closed = (await coffre("billing", "close", "2020-01", "--json")).json()
    assert closed["month"] == "2020-01"
    assert (await coffre("billing", "close", "2020-13")).code == 2


async def test_prices_are_set_as_they_are_shown(
    coffre: Coffre, portal: Portal, tmp_path: Path
) -> None:
    shown = await coffre("prices", "show")
    file = tmp_path / "prices.json"
    file.write_text(shown.out)
    changed = json.loads(shown.out)
    assert (await coffre("prices", "set", str(file))).code == 0
    # What was shown is not the newest any more: somebody else's change is not lost.
    stale = await coffre("prices", "set", "-", typed=json.dumps(changed))
    assert stale.code == 1
    assert (await coffre("prices", "set", "-", typed="[1]")).code == 2
    assert (await coffre("prices", "set", "-", typed="no json")).code == 2
