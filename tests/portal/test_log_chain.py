"""Nobody rewrites the access log unnoticed: every line is bound to the one before it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.shared.database import transaction
from services.portal import store
from services.portal.actions import log
from services.portal.rules.log import acts, chain
from services.portal.rules.log.chain import NOBODY, START, Actor, Chain, Line, Link
from tests.world import forks

EMAIL = "camille@dupre.example"
OURS, THEIRS = UUID(int=1), UUID(int=2)


async def fill(portal: Any, lines: int = 5) -> None:
    """Two clients who look at their plans' runs in turn."""
    for number in range(lines):
        for tenant_id in (OURS, THEIRS):
            actor = Actor(tenant_id, uuid4(), "Zoë \u202e", "127.0.0.1")
            await log.note_alone(portal.parts.pool, actor, acts.RunsListed(f"plan {number} \\"))


async def judge(portal: Any, kept: dict[UUID, Link] | None = None) -> dict[UUID, Any]:
    """What is found to be wrong with each chain: (line, why), or None."""
    async with portal.parts.pool.acquire() as conn:
        verdicts = await log.verify(conn, None, kept or {})
    return {
        one.tenant_id: (one.fault.number, one.fault.why) if one.fault else None for one in verdicts
    }


async def test_what_is_whole_is_found_whole(portal: Any) -> None:
    await portal.open_tenant("Dupré", EMAIL)
    await portal.sign_in(EMAIL)
    await fill(portal)
    judged = await judge(portal)
    assert {OURS, THEIRS, NOBODY} < set(judged)
    assert set(judged.values()) == {None}


TAMPERED = {
    "another act": ("SET act = 'signed-in' WHERE number = 3", (3, "altered")),
    "another name": ("SET actor = 'Zoé' WHERE number = 1", (1, "altered")),
    "another moment": ("SET at = at - interval '1 microsecond' WHERE number = 5", (5, "altered")),
    "another address": ("SET address = '' WHERE number = 2", (2, "altered")),
    "another person": ("SET user_id = NULL WHERE number = 2", (2, "altered")),
    "another plan": ("""SET fields = '{"plan": "x"}' WHERE number = 4""", (4, "altered")),
    "one more field": ("""SET fields = fields || '{"x": 1}' WHERE number = 4""", (4, "altered")),
    "another hash": ("SET hash = sha256(hash) WHERE number = 3", (3, "altered")),
}


@pytest.mark.parametrize("change", TAMPERED)
async def test_what_was_altered_is_found(portal: Any, change: str) -> None:
    await fill(portal)
    what, fault = TAMPERED[change]
    await portal.admin.execute(f"UPDATE portal.access_log {what} AND tenant_id = $1", OURS)
    assert await judge(portal) == {OURS: fault, THEIRS: None, NOBODY: None}


async def test_what_was_dropped_is_found(portal: Any) -> None:
    for dropped, fault in ((1, (1, "missing")), (3, (3, "missing")), (5, (5, "cut-off"))):
        await fill(portal)
        await portal.admin.execute(
            "DELETE FROM portal.access_log WHERE tenant_id = $1 AND number = $2", OURS, dropped
        )
        assert await judge(portal) == {OURS: fault, THEIRS: None, NOBODY: None}
        await portal.admin.execute("DELETE FROM portal.access_log WHERE tenant_id <> $1", NOBODY)
        # All of a chain, and its end stands there alone.
        assert await judge(portal) == {OURS: (1, "cut-off"), THEIRS: (1, "cut-off"), NOBODY: None}
        await portal.admin.execute("DELETE FROM portal.log_heads WHERE tenant_id <> $1", NOBODY)


async def test_what_was_exchanged_is_found(portal: Any) -> None:
    await fill(portal)
    exchange = "UPDATE portal.access_log SET number = $2 WHERE tenant_id = $1 AND number = $3"
    for after, before in ((99, 2), (2, 3), (3, 99)):
        await portal.admin.execute(exchange, OURS, after, before)
    assert (await judge(portal))[OURS] == (2, "altered")


async def test_what_was_put_in_is_found(portal: Any) -> None:
    await fill(portal)
    put = """INSERT INTO portal.access_log
             SELECT tenant_id, $2, at, user_id, actor, act, address, fields, hash
             FROM portal.access_log WHERE tenant_id = $1 AND number = 2"""
    await portal.admin.execute(put, OURS, 6)
    assert (await judge(portal))[OURS] == (6, "altered")
    await portal.admin.execute(put, THEIRS, 7)
    assert (await judge(portal))[THEIRS] == (6, "missing")
    # Rightly computed, but by somebody who forgot where the chain should end.
    await portal.admin.execute("DELETE FROM portal.access_log WHERE number > 5")
    head = await portal.admin.fetchrow("SELECT * FROM portal.log_heads WHERE tenant_id = $1", OURS)
    async with transaction(portal.parts.pool) as conn:
        await log.note(conn, Actor(OURS, None, "Eve", ""), acts.SignedOut())
    await portal.admin.execute(
        "UPDATE portal.log_heads SET number = $2, hash = $3 WHERE tenant_id = $1", *head
    )
    assert (await judge(portal))[OURS] == (6, "beyond-head")


async def test_who_rewrites_all_of_it_is_found_by_a_head_that_was_kept(portal: Any) -> None:
    await fill(portal)
    async with portal.parts.pool.acquire() as conn:
        kept = await store.log.list_heads(conn, None)
    assert set((await judge(portal, kept)).values()) == {None}
    await portal.admin.execute("DELETE FROM portal.access_log WHERE tenant_id <> $1", NOBODY)
    await portal.admin.execute("DELETE FROM portal.log_heads WHERE tenant_id <> $1", NOBODY)
    await fill(portal, 3)
    # In itself it is right; so is one that has even become longer than it was.
    assert set((await judge(portal)).values()) == {None}
    assert (await judge(portal, kept))[OURS] == (4, "cut-off")
    await fill(portal, 3)
    assert (await judge(portal, kept))[OURS] == (5, "not-as-kept")
    await portal.admin.execute("DELETE FROM portal.log_heads WHERE tenant_id = $1", OURS)
    await portal.admin.execute("DELETE FROM portal.access_log WHERE tenant_id = $1", OURS)
    assert (await judge(portal, kept))[OURS] == (1, "cut-off")


async def test_many_at_once_make_one_chain_without_gaps(portal: Any) -> None:
    await asyncio.gather(*(fill(portal, 10) for _ in range(8)))
    assert await judge(portal) == {OURS: None, THEIRS: None, NOBODY: None}
    heads = await portal.admin.fetch("SELECT number FROM portal.log_heads WHERE number = 80")
    assert len(heads) == 2


async def test_an_act_that_is_rolled_back_leaves_no_gap(portal: Any) -> None:
    await fill(portal)
    with suppress(RuntimeError):
        async with transaction(portal.parts.pool) as conn:
            await log.note(conn, Actor(OURS, None, "Eve", ""), acts.SignedOut())
            raise RuntimeError
    await fill(portal)
    assert await judge(portal) == {OURS: None, THEIRS: None, NOBODY: None}


async def test_the_portal_can_only_add(portal: Any) -> None:
    await fill(portal)
    for statement in ("UPDATE portal.access_log SET actor = ''", "DELETE FROM portal.access_log"):
        with pytest.raises(Exception, match="permission denied"):
            async with portal.parts.pool.acquire() as conn:
                await conn.execute(statement)


def test_the_canonical_form_stays_as_it_is_published() -> None:
    at = datetime(2026, 11, 22, 2, 14, tzinfo=UTC) + timedelta(microseconds=7)
    line = Line(OURS, at, None, "Zoë", "searched", "::1", {"text": "é\u202e", "results": 0})
    content = chain.encode(line)
    assert content == (
        rb'["00000000-0000-0000-0000-000000000001","2026-11-22T02:14:00.000007Z",null,'
        rb'"Zo\u00eb","searched","::1",{"results":0,"text":"\u00e9\u202e"}]'
    )
    first = chain.link(START, 1, content)
    assert first.hex() == "49bd08c8b3699df2d357ad3bc2a640ff5e5ed0314f993744078b1ce624e0fce8"
    follower = Chain(OURS)
    follower.follow(Link(1, first), line)
    assert follower.end(Link(1, first)).fault is None


async def test_a_sign_in_that_fails_says_why_and_nothing_of_what_was_typed(
    portal: Any,
) -> None:
    await portal.open_tenant("Dupré", EMAIL)
    await portal.sign_in(EMAIL)

    async def why(email: str, password: str) -> list[str]:
        before = await heads(portal)
        async with portal.client() as api:
            body = {"email": email, "password": password}
            assert (await api.post("/api/v1/tokens", json=body)).status_code >= 400
        rows = await portal.admin.fetch(
            "SELECT tenant_id, number, actor, act, fields::text FROM portal.access_log"
        )
        new = [row for row in rows if row["number"] > before.get(row["tenant_id"], 0)]
        assert {row["act"] for row in new} <= {"sign-in-refused"}
        for row in new:
            assert (row["tenant_id"] == NOBODY) == (row["actor"] == "")
        return [json.loads(row["fields"])["why"] for row in new]

    admin = portal.admin
    assert await why(EMAIL, "wrong") == ["password-wrong"]
    assert await why("my own password by mistake", "wrong") == ["account-unknown"]
    assert "mistake" not in str(await admin.fetch("SELECT * FROM portal.access_log"))
    await portal.open_tenant("Fresh", "new@fresh.example")
    one_time = await portal.one_time_password("new@fresh.example")
    assert await why("new@fresh.example", one_time) == ["password-change-required"]
    await admin.execute("UPDATE portal.users SET password_expires_at = now() WHERE one_time")
    assert await why("new@fresh.example", one_time) == ["password-expired"]
    await admin.execute("DELETE FROM portal.throttles")
    await admin.execute("DELETE FROM portal.known_sources")
    guesses = [await why(EMAIL, "wrong") for _ in range(13)]
    away = ["too-many-attempts"]
    assert guesses == [["password-wrong"]] * 5 + [away, away, [], away, [], [], [], away]


async def heads(portal: Any) -> dict[UUID, int]:
    """How long each chain is."""
    return dict(
        map(tuple, await portal.admin.fetch("SELECT tenant_id, number FROM portal.log_heads"))
    )


def run(database: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, as the operator of the installation runs it."""
    return forks.run(
        "portal", "log", *arguments, env={"COFFRE_DATABASE_URL": database.dsn("portal")}
    )


async def test_the_command_tells_the_first_line_that_does_not_fit(
    portal: Any, database: Any, tmp_path: Path
) -> None:
    await fill(portal)
    verified = run(database, "verify")
    assert verified.returncode == 0, verified.stderr
    assert f"{OURS} whole: 5 lines, " in verified.stdout
    heads = run(database, "head")
    assert f"{THEIRS} 5 " in heads.stdout
    (tmp_path / "heads").write_text(heads.stdout)
    kept = ("--heads", str(tmp_path / "heads"))
    assert run(database, "verify", *kept).returncode == 0
    await portal.admin.execute(
        "UPDATE portal.access_log SET actor = 'Eve' WHERE tenant_id = $1 AND number = 3", OURS
    )
    broken = run(database, "verify", *kept)
    assert broken.returncode == 3
    assert f"{OURS} BROKEN: line 3 does not fit" in broken.stdout
    assert f"{THEIRS} whole" in broken.stdout
    assert run(database, "verify", "--tenant", str(THEIRS)).returncode == 0
    assert run(database, "verify", "--tenant", str(OURS)).returncode == 3
    assert run(database, "verify", "--tenant", str(uuid4())).returncode == 1
    (tmp_path / "heads").write_text("nonsense\n")
    nonsense = run(database, "verify", *kept)
    assert (nonsense.returncode, nonsense.stdout) == (1, "")
    assert "Line 1" in nonsense.stderr
