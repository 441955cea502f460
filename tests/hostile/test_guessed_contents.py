"""Whoever reads the database guesses what a small file holds: nothing there confirms it."""

from __future__ import annotations

import io
import zipfile
import zlib

from tests.hostile.counting import Campaign
from tests.portal.builder import open_client, text
from tests.portal.conftest import Portal, portal

__all__ = ["portal"]


async def test_no_check_sum_confirms_a_guess(portal: Portal, campaign: Campaign) -> None:
    client = await open_client(portal)
    pins = {b"pin%04d" % number: text(b"%04d" % number) for number in range(200)}
    await client.commit(pins)
    guesses = {zlib.crc32(b"%04d" % number) for number in range(10_000)}
    campaign.tried("catalogue: guesses of a file's content", len(guesses))
    for table in ("versions", "chunks"):
        rows = await portal.admin.fetch(f"SELECT crc32 FROM catalogue.{table}")
        assert len(rows) >= len(pins)
        kept = {row["crc32"] for row in rows if row["crc32"]}
        assert len(kept) == len(pins)
        assert len(kept & guesses) <= 2, "as many as chance makes"
    async with portal.client(client.token) as api:
        answer = await api.get("/api/v1/plans/documents/archive?format=zip")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    assert archive.read("pin0042") == b"0042"
