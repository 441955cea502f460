"""Each kind of disagreement between catalogue and bucket, planted, told in words, and mended."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from pathlib import Path

from libs.shared import bucket, clock
from services.retention import actions
from tests.retention.house import Client, House

ROOT = Path(__file__).parents[2]


async def audit(client: Client, *, repair: bool = False) -> dict[str, str]:
    """What the audit says in two days' time: kind to sentence, or to what was done."""
    later = clock.now() + timedelta(days=2)
    found = {}
    async for one in actions.audit.repairing.audit_tenant(
        client.house.keeper, client.tenant_id, later, later, repair=repair
    ):
        assert one.tenant_id == client.tenant_id
        assert one.kind not in found or one.kind == "damaged", "each once"
        found[one.kind] = one.repaired if repair else one.sentence
    return found


async def test_each_kind_is_told_and_mended(house: House, client: Client) -> None:
    plan = await client.plan()
    for name in (b"a", b"b", b"c", b"d", b"e"):
        await client.copy(plan, {name: [name * 50]})
    neighbour = await house.tenant()
    await neighbour.copy(await neighbour.plan(), {b"x": [b"neighbour"]})
    assert await audit(client) == {}

    async def change(statement: str, *arguments: object) -> None:
        await house.fetch(statement, client.tenant_id, *arguments)

    async def pack_of(content: bytes) -> bytes:
        rows = await house.fetch(
            "SELECT p.pack_id FROM catalogue.packs p JOIN catalogue.chunks USING (tenant_id,"
            " pack_no) WHERE tenant_id = $1 AND chunk_id = $2",
            client.tenant_id,
            client.id_of(content * 50),
        )
        return bytes(rows[0][0])

    stray = bytes(32)
    await house.objects.put(client.key(stray), b"stray")
    await house.objects.put(f"{bucket.packs_of(client.tenant_id)}00/notes.txt", b"?")
    await house.objects.delete(client.key(await pack_of(b"a")))
    await house.objects.put(client.key(await pack_of(b"b")), b"short")
    await change(
        'UPDATE catalogue.chunks SET "offset" = 100000 WHERE tenant_id = $1 AND chunk_id = $2',
        client.id_of(b"c" * 50),
    )
    await change(
        "UPDATE catalogue.packs SET state = 'condemned', condemned_at = now()"
        " WHERE tenant_id = $1 AND pack_id = $2",
        await pack_of(b"d"),
    )
    await change(
        'INSERT INTO catalogue.chunks (tenant_id, pack_no, crc32, "offset", length, size,'
        " encoding, chunk_id) VALUES ($1, 999999, 0, 8, 40, 12, 0, $2)",
        b"\1" * 32,
    )
    await change(
        "DELETE FROM catalogue.chunks WHERE tenant_id = $1 AND chunk_id = $2",
        client.id_of(b"e" * 50),
    )
    await change("UPDATE catalogue.volumes SET protected_bytes = 1 WHERE tenant_id = $1")
    await change("UPDATE catalogue.runs SET files_total = 7 WHERE tenant_id = $1 AND number = 5")
    await change(
        "INSERT INTO catalogue.removals VALUES ($1, $2, now() - interval '2 hours')", b"\2" * 32
    )

    told = await audit(client)
    assert {kind: part in told[kind] for kind, part in EXPECTED.items()} == dict.fromkeys(
        EXPECTED, True
    ), told
    assert await audit(neighbour) == {}, "the neighbour has nothing to do with it"

    done = await audit(client, repair=True)
    hopeless = {"object-that-is-no-pack", "chunk-that-nobody-has", "restore-point-not-the-sum"}
    hopeless.add("restore-point-unproven")
    assert {kind for kind, what in done.items() if not what} == hopeless
    assert set(await audit(client)) == hopeless | {"damaged"}
    assert {one["missing"] for one in await client.said("storage.damaged.v1")} == {True, False}

    # What is damaged is asked for again, and with it all is well but what nobody has.
    run = await client.start(plan)
    contents = [name * 50 for name in (b"a", b"b", b"c", b"d")]
    missing = await client.missing(run, contents)
    assert missing == [b"a" * 50, b"b" * 50]
    for content in missing:
        await client.upload(run, content)
    await client.read(contents)
    assert set(await audit(client)) == hopeless


EXPECTED = {
    "object-without-row": "5 bytes in the bucket, unknown to the catalogue",
    "object-that-is-no-pack": "notes.txt",
    "row-without-object": "not in the bucket",
    "object-of-another-size": "5 in the bucket",
    "chunk-outside-its-pack": "lies outside pack",
    "needed-but-condemned": "condemned, though a version needs it",
    "chunk-without-pack": "number 999999, does not exist",
    "chunk-that-nobody-has": "no pack has it (in e)",
    "volume-not-the-sum": "its packs come to",
    "protected-not-the-sum": "Protected volume 1 bytes; the current files come to 250",
    "restore-point-not-the-sum": "told as 7 files and 250 bytes, seen 5 and 250",
    "restore-point-unproven": "run 5: its rows are not what was sealed",
    "removal-not-ended": "1 objects should have been deleted",
}


async def test_what_is_young_may_be_under_way(house: House, client: Client) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"a": [b"a"]})
    await house.objects.put(client.key(bytes(32)), b"an upload whose rows come next")
    now = clock.now()
    async for one in actions.audit.repairing.audit_tenant(
        house.keeper, client.tenant_id, now, now, repair=True
    ):
        raise AssertionError(one)


async def test_the_command_tells_by_its_exit_code(house: House, client: Client) -> None:
    command = partial(house.processes.command, "retention")
    plan = await client.plan()
    await client.copy(plan, {b"a": [b"a"]})
    tenant = ("--tenant", str(client.tenant_id))
    await house.fetch(
        "UPDATE catalogue.volumes SET stored_bytes = 1 WHERE tenant_id = $1", client.tenant_id
    )
    mended = command("audit", "--json", "--repair", *tenant)
    assert mended.returncode == 3, mended.stderr
    [line] = [json.loads(line) for line in mended.stdout.splitlines()]
    assert (line["kind"], "Set to" in line["repaired"]) == ("volume-not-the-sum", True)
    clean = command("audit", *tenant)
    assert (clean.returncode, clean.stdout) == (0, "1 clients compared: clean.\n"), clean.stderr
    away = command("audit", *tenant, COFFRE_S3_ENDPOINT="http://127.0.0.1:9")
    assert away.returncode == 1
    assert "storage does not answer" in away.stderr

    far = {"COFFRE_CLOCK_OFFSET_SECONDS": str(10 * 365 * 86_400)}
    refused = command("audit", "--repair", *tenant, **far)
    assert refused.returncode == 1
    assert "3650 days ahead" in refused.stderr
