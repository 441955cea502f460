"""Whoever reads the database guesses what a small file holds: nothing there confirms it."""

from __future__ import annotations

import io
import zipfile
import zlib

from libs.shared import sealing
from tests.hostile.counting import Campaign
from tests.portal.builder import open_client, text
from tests.portal.conftest import Portal, portal

__all__ = ["portal"]


async def test_no_check_sum_confirms_a_guess(portal: Portal, campaign: Campaign) -> None:
    client = await open_client(portal)
    pins = {b"pin%04d" % number: text(b"%04d" % number) for number in range(200)}
    await client.commit(pins)
    other = await (await open_client(portal, "zoe@martin.example", "Martin", plan="other")).keys()
    guesses = {zlib.crc32(b"%04d" % number) for number in range(10_000)}
    campaign.tried("catalogue: guesses of a file's content", len(guesses))
    for table, ids in (("versions", "chunk_ids"), ("chunks", "chunk_id")):
        rows = await portal.admin.fetch(f"SELECT crc32, {ids} FROM catalogue.{table}")
        assert len(rows) >= len(pins)
        kept = {row["crc32"]: row[ids] for row in rows if row["crc32"]}
        assert len(kept) == len(pins)
        assert len(guesses.intersection(kept)) <= 2, "as many as chance makes"
        unmasked = {sealing.mask_crc32(other, one, crc32) for crc32, one in kept.items()}
        assert len(guesses & unmasked) <= 2, "whoever has another client's keys knows no more"
    async with portal.client(client.token) as api:
        answer = await api.get("/api/v1/plans/documents/archive?format=zip")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    assert archive.read("pin0042") == b"0042"
