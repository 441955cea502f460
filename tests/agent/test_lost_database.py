"""A script's copies outlive the database: rebuilt from the bucket, they are what they were."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx2
import pytest

from tests.world.clients import Client
from tests.world.house import FOR_AGENTS, House, open_house
from tests.world.machines import ROOT
from tests.world.waiting import wait_for


@pytest.fixture
def own_house(servers: Any, database_template: str, tmp_path: Path) -> Iterator[House]:
    """Services whose database may be lost."""
    with open_house(servers, database_template, tmp_path / "house", *FOR_AGENTS) as opened:
        yield opened


class Script:
    """A machine without an agent: what the README's shell does with curl."""

    def __init__(self, client: Client) -> None:
        self.ingest = httpx2.Client(
            base_url=client.house.url("ingest"), timeout=60, trust_env=False
        )
        code = client.enrolment_code()
        known = "SELECT code_sha256 FROM ingest.enrolments WHERE tenant_id = $1::text::uuid"
        wait_for("the code", lambda: client.house.query(known, client.tenant_id) or None)
        enrolled = self._ask("POST", "/v1/enrolments", {"code": code, "hostname": "nas"})
        self.ingest.headers["Authorization"] = f"Bearer {enrolled['token']}"
        declaration = {"folders": ["/"], "schedule": "0 1 * * *", "timezone": "Europe/Paris"}
        declared = self._ask("PUT", "/v1/plans/nightly", declaration)
        self.plan = declared["plan_id"]
        self._runs = 0

    def _ask(self, method: str, path: str, document: dict[str, Any]) -> Any:
        answer = self.ingest.request(method, path, json=document)
        assert answer.is_success, answer.text
        return answer.json()

    def start(self) -> str:
        self._runs += 1
        key = f"00000000-0000-4000-8000-{self._runs:012}"
        start = {"plan_id": self.plan, "parent": None, "estimated_new_bytes": 1, "run_key": key}
        return str(self._ask("POST", "/v1/runs", start)["run_id"])

    def put(self, run: str, path: bytes, content: bytes) -> None:
        answer = self.ingest.put(
            f"/v1/runs/{run}/files/{quote(path)}",
            content=content,
            headers={"X-Coffre-Mtime": "1750000000"},
        )
        assert answer.status_code == 200, answer.text

    def night(self, files: Mapping[bytes, bytes], **commit: object) -> int:
        run = self.start()
        for path, content in files.items():
            self.put(run, path, content)
        return int(self._ask("POST", f"/v1/runs/{run}/commit", dict(commit))["number"])


def lose_what_the_bucket_knows(house: House) -> None:
    """The statement of docs/operations/lost-database.md, as it stands there."""
    told = (ROOT / "docs/operations/lost-database.md").read_text()
    (statement,) = re.findall(r"TRUNCATE [^;]*;", told)

    async def execute() -> None:
        connection = await asyncpg.connect(house.admin_dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(execute())


def test_a_scripts_nights_come_back_with_the_catalogue(own_house: House, tmp_path: Path) -> None:
    client = own_house.open_client("Cabinet Queffélec")
    script = Script(client)
    large = random.Random(5).randbytes(6_000_000)
    trees: dict[int, dict[bytes, bytes]] = {}
    trees[1] = {b"srv/a": b"a", b"srv/dump.sql": large, b"etc/x/y/empty": b"", b"n\xff\xe9": b"n"}
    assert script.night(trees[1]) == 1
    # Added to what was there; one file is put twice, and the commit sent twice.
    more = {b"srv/a": b"another a", b"srv/more": large[:3_000_000] + b"!"}
    run = script.start()
    script.put(run, b"srv/a", b"replaced before its commit")
    for path, content in more.items():
        script.put(run, path, content)
    answers = [script.ingest.post(f"/v1/runs/{run}/commit", json={}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    trees[2] = {**trees[1], **more}
    # One that breaks off, then the whole tree anew: a file becomes a folder, the rest is gone.
    script.put(script.start(), b"srv/never", b"never")
    trees[4] = {b"srv/a/1": b"one", b"srv/more": trees[2][b"srv/more"], b"late": b"late"}
    assert script.night(trees[4], full=True) == 4

    kept = tmp_path / "fingerprints"
    kept.write_text(own_house.command("ingest", "fingerprint").stdout)
    assert "restore-points=3" in kept.read_text()
    own_house.stop("ingest")
    lose_what_the_bucket_knows(own_house)
    rebuilt = own_house.command("ingest", "rebuild", "--verify", "--expect", str(kept))
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    assert "the fingerprints are equal" in rebuilt.stdout

    own_house.start("ingest")
    assert script.night({b"srv/after": b"after"}) == 5, "the token is still good"
    trees[5] = {**trees[4], b"srv/after": b"after"}
    with client.sign_in() as portal:
        for number, tree in trees.items():
            for path, content in tree.items():
                found = portal.get(file_address(number, path))
                assert (found.status_code, found.content) == (200, content), (number, path)
        gone = portal.get(file_address(4, b"srv/dump.sql"))
        assert gone.status_code == 404
    script.ingest.close()


def file_address(number: int, path: bytes) -> str:
    return f"/plans/nightly/file?run={number}&path={quote(path)}"
