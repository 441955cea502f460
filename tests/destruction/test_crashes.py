"""`kill -9` at every step: the next turn goes on, and the certificate is the same."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

from libs.shared import crashpoints
from tests.destruction.firm import NOTARY, Firm
from tests.portal import builder
from tests.portal.conftest import MASTER_KEY
from tests.world import forks

ROOT = Path(__file__).parents[2]
BEFORE_AN_HOUR = [
    "retention.after_begin",
    "retention.in_inventory",
    "retention.after_inventory",
    "retention.after_ask",
    "retention.after_ledger",
    "retention.in_keys",
    "retention.after_keys",
    "retention.in_objects",
    "retention.after_objects",
    "retention.after_look",
]
AFTER_IT = [
    "retention.after_look",
    "retention.after_rows_asked",
    "retention.in_rows",
    "retention.after_rows",
    "retention.after_certificate",
]


def test_every_step_that_can_be_cut_is_cut() -> None:
    folder = ROOT / "services" / "retention" / "actions" / "destruction"
    source = "".join(file.read_text(encoding="utf-8") for file in folder.glob("*.py"))
    assert set(re.findall(r'crashpoint\("([^"]+)"\)', source)) == {*BEFORE_AN_HOUR, *AFTER_IT}


async def test_a_crash_at_any_step_changes_nothing(
    firm: Firm, servers: Any, bucket: str, database: Any
) -> None:
    client = await firm.client()
    for number in range(2, 5):
        await client.commit({b"srv/%d" % number: builder.text(b"more %d" % number)}, number)
    await firm.end(client.tenant_id)
    await firm.settle()
    stored = await firm.left(client.tenant_id)
    firm.later(days=31)
    s3 = [servers.s3_endpoint, servers.s3_access_key, servers.s3_secret_key, bucket]

    async def die(step: str) -> int:
        told = json.dumps([database.dsn("retention"), s3, MASTER_KEY.hex(), firm.now.isoformat()])
        environ = {**os.environ, crashpoints.VARIABLE: step}
        ended = await asyncio.to_thread(forks.run, "tests.destruction.driver", told, env=environ)
        assert ended.returncode in (0, crashpoints.EXIT_CODE), ended.stdout + ended.stderr
        await firm.settle()
        return ended.returncode

    for step in BEFORE_AN_HOUR:
        assert await die(step) == crashpoints.EXIT_CODE, step
    firm.later(hours=1)
    for step in AFTER_IT:
        assert await die(step) == crashpoints.EXIT_CODE, step
    await firm.turns()
    answer = await firm.get(f"tenants/{client.tenant_id}/certificate")
    told = json.loads(answer.text)["certificate"]
    assert told["key_id"] == NOTARY.key_id
    assert told["destroyed"]["objects"] == len(stored)
    assert told["destroyed"]["appeared_later"] == 0
    assert set(told["rows"]) == {"ingest", "portal", "quota", "reporting", "retention"}
    assert told["rows"]["retention"]["catalogue.versions"] > 0
    assert len(await firm.events("retention", "destruction.completed.v1")) == 1
    assert len(await firm.events("retention", "destruction.started.v1")) == 1
    assert await firm.left(client.tenant_id) == []
    assert await firm.fetch("SELECT * FROM retention.inventory_objects") == []
