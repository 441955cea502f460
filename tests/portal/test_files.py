"""Files come back byte for byte, whole or in part, inert, and never silently short."""

from __future__ import annotations

import io
import random
from typing import Any
from urllib.parse import quote_from_bytes

import httpx2
import pytest

from libs.shared import bucket, restores
from tests.portal import builder

BIG = [random.Random(number).randbytes(size) for number, size in enumerate([700_000, 1, 1_300_000])]
BIG += [b"compressible " * 90_000, random.Random(9).randbytes(400_001)]
NAMES = [
    b"plain.txt", b"caf\xc3\xa9.txt", b"bad\xff\xfe.bin", b"two\nlines", b"-rf",
    b" lead and trail ", b'quo"te\'s', b"semi;colon", b"back\\slash",
    b"<script>alert(1)<script>.html", b"a%41b", b"c+d",
    b"per%cent&and=more#hash?q", b"\xe2\x80\xae\xe2\x81\xa6gpj.exe", b"x" * 255, b"\x01\x7f",
    "日本語".encode(),
]  # fmt: skip


def query(path: bytes, **more: Any) -> str:
    """A query with raw bytes in its path."""
    extra = "".join(f"&{key}={value}" for key, value in more.items())
    return f"path={quote_from_bytes(path, safe='/')}{extra}"


@pytest.fixture
async def client(portal: Any) -> builder.Client:
    """A client with awkward names, and a file of several chunks."""
    client = await builder.open_client(portal)
    tree = {b"srv/names/" + name: builder.text(b"content of " + name) for name in NAMES}
    tree |= {
        b"srv/big.bin": builder.File(BIG),
        b"srv/empty": builder.text(b""),
        b"srv/hollow": builder.folder(),
        b"srv/link": builder.link(b"../\xff/away"),
    }
    await client.commit(tree)
    return client


async def test_every_name_is_listed_linked_and_comes_back(portal: Any, client: Any) -> None:
    async with portal.client(client.token) as api:
        listed = await api.get(f"/api/v1/plans/documents/entries?{query(b'/srv/names/')}")
        assert listed.status_code == 200, listed.text
        entries = listed.json()["entries"]
        assert len(entries) == len(NAMES)
        for entry in entries:
            assert entry["name"].isprintable()
            answer = await api.get(entry["links"]["file"])
            assert answer.status_code == 200, entry
            assert answer.content.startswith(b"content of ")
        for name in NAMES:
            answer = await api.get(
                f"/api/v1/plans/{client.plan_id}/file?{query(b'srv/names/' + name)}"
            )
            assert answer.content == b"content of " + name
            head = answer.headers
            assert head["content-disposition"].startswith("attachment; filename=")
            assert head["content-disposition"].isprintable()
            assert head["x-content-type-options"] == "nosniff"
            assert head["content-security-policy"].startswith("sandbox")
            assert head["content-type"] == "application/octet-stream"


async def test_a_listing_shows_kinds_sizes_and_targets(portal: Any, client: Any) -> None:
    async with portal.client(client.token) as api:
        root = (await api.get("/api/v1/plans/documents/entries")).json()
        assert [(e["name"], e["kind"]) for e in root["entries"]] == [("srv", "folder")]
        listed = (await api.get(root["entries"][0]["links"]["self"])).json()
    shown = {e["name"]: e for e in listed["entries"]}
    assert listed["run"] == 1
    assert list(shown)[:2] == ["hollow", "names"]
    assert shown["link"]["kind"] == "symlink"
    assert shown["link"]["target"] == r"../\xff/away"
    assert shown["big.bin"]["size"] == sum(map(len, BIG))
    assert shown["big.bin"]["mtime"] == "2023-11-14T22:13:20.123456789Z"


async def test_parts_of_a_file_are_byte_equal(portal: Any, client: Any) -> None:
    content = b"".join(BIG)
    size = len(content)
    edges = [0, 1, 699_999, 700_000, 700_001, 2_000_000, 2_000_001, size - 1]
    spans = [(a, b) for a in edges for b in edges if a <= b]
    chance = random.Random(1)
    spans += [
        (a, min(size - 1, a + chance.randrange(100_000)))
        for a in (chance.randrange(size) for _ in range(150))
    ]
    url = f"/api/v1/plans/documents/file?{query(b'srv/big.bin')}"
    async with portal.client(client.token) as api:
        whole = await api.get(url)
        assert whole.status_code == 200
        assert whole.content == content
        assert whole.headers["accept-ranges"] == "bytes"
        for first, last in spans:
            answer = await api.get(url, headers={"Range": f"bytes={first}-{last}"})
            assert answer.status_code == 206
            assert answer.headers["content-range"] == f"bytes {first}-{last}/{size}"
            assert answer.content == content[first : last + 1], (first, last)
        tail = await api.get(url, headers={"Range": "bytes=-100"})
        assert tail.content == content[-100:]
        rest = await api.get(url, headers={"Range": "bytes=2000000-"})
        assert rest.content == content[2_000_000:]


async def test_conditions_and_heads(portal: Any, client: Any) -> None:
    size = sum(map(len, BIG))
    url = f"/api/v1/plans/documents/file?{query(b'srv/big.bin')}"
    async with portal.client(client.token) as api:
        head = await api.head(url)
        assert head.status_code == 200
        assert head.headers["content-length"] == str(size)
        etag = head.headers["etag"]
        part = {"Range": "bytes=5-9"}
        assert (await api.get(url, headers={**part, "If-Range": etag})).status_code == 206
        other = await api.get(url, headers={**part, "If-Range": '"other"'})
        assert other.status_code == 200
        beyond = await api.get(url, headers={"Range": f"bytes={size}-"})
        assert beyond.status_code == 416
        assert beyond.headers["content-range"] == f"bytes */{size}"
        for odd in ("bytes=1-2,4-5", "lines=1-2", "bytes=9-5", "bytes=a-b", "bytes=-"):
            assert (await api.get(url, headers={"Range": odd})).status_code == 200, odd
        empty = f"/api/v1/plans/documents/file?{query(b'srv/empty')}"
        assert (await api.get(empty)).content == b""
        assert (await api.get(empty, headers={"Range": "bytes=0-"})).status_code == 416


async def test_what_is_not_there_is_a_404(portal: Any, client: Any) -> None:
    wrong = [
        f"/api/v1/plans/documents/file?{query(b'srv/none')}",
        f"/api/v1/plans/documents/file?{query(b'srv/names')}",
        f"/api/v1/plans/documents/file?{query(b'srv/link')}",
        f"/api/v1/plans/documents/file?{query(b'../../etc/passwd')}",
        f"/api/v1/plans/documents/file?{query(b'srv/big.bin', run=2)}",
        f"/api/v1/plans/documents/entries?{query(b'srv/big.bin')}",
        f"/api/v1/plans/documents/entries?{query(b'srv', run=99999999999)}",
        f"/api/v1/plans/documents/entries?{query(bytes(3))}",
        f"/api/v1/plans/documents/archive?{query(b'nowhere')}",
        "/api/v1/plans/none/entries",
        "/api/v1/plans/none/runs",
    ]
    async with portal.client(client.token) as api:
        for url in wrong:
            answer = await api.get(url)
            assert answer.status_code == 404, url
            assert answer.headers["content-type"] == "application/problem+json"
        assert (await api.get("/api/v1/plans/documents/entries?run=x")).status_code == 422


async def test_damage_is_never_passed_on(portal: Any, client: Any) -> None:
    """A flipped bit is a problem where nothing was sent yet; else the connection ends."""
    chance = random.Random(5)
    huge = [chance.randbytes(4 << 20) for _ in range(9)] + [b"the end"]
    await client.commit({b"huge/file": builder.File(huge)}, number=2)
    objects = portal.parts.objects
    for size in (len(BIG[-1]), len(huge[-1])):
        place = await portal.admin.fetchrow(
            """SELECT pack_id, "offset" FROM catalogue.chunks
               JOIN catalogue.packs USING (tenant_id, pack_no) WHERE size = $1""",
            size,
        )
        key = bucket.key_of_pack(client.tenant_id, place["pack_id"])
        body = bytearray(await objects.get(key))
        body[place["offset"] + 20] ^= 1
        await objects.put(key, bytes(body))
    url = f"/api/v1/plans/documents/file?{query(b'srv/big.bin', run=1)}"
    archive = f"/api/v1/plans/documents/archive?{query(b'srv', run=1)}"
    async with portal.client(client.token) as api:
        whole = sum(map(len, BIG))
        answer = await api.get(url, headers={"Range": f"bytes={whole - 10}-"})
        assert answer.status_code == 502
        assert answer.json()["type"] == "urn:coffre:problem:damaged"
        before = await api.get(url, headers={"Range": "bytes=0-99"})
        assert before.content == BIG[0][:100]
        for form in ("zip", "tar"):
            assert (await api.get(f"{archive}&format={form}")).status_code == 502
            with pytest.raises(httpx2.RemoteProtocolError):
                await api.get(f"/api/v1/plans/documents/archive?run=2&path=huge&format={form}")
        with pytest.raises(httpx2.RemoteProtocolError):
            await api.get("/api/v1/plans/documents/file?run=2&path=huge/file")
        places = await portal.admin.fetch(f'{builder.PLACES} ORDER BY pack_no, "offset", start')
        in_bulk = await api.post("/api/v1/plans/documents/chunks", content=builder.asked(places))
        damaged = {len(BIG[-1]), len(huge[-1])}
        answered = restores.read_chunks(io.BytesIO(in_bulk.content), len(places))
        assert [answer != (0, b"") for answer in answered] == [
            row["size"] not in damaged for row in places
        ]
        await portal.admin.execute("DELETE FROM catalogue.chunks WHERE size = $1", len(BIG[-1]))
        manifest = await api.get("/api/v1/plans/documents/manifest?run=1")
        assert manifest.status_code == 200
        assert manifest.content.endswith(bytes(4))
        assert (await api.get(url)).status_code == 502
        await objects.delete(key)
        gone = await api.get(
            "/api/v1/plans/documents/file?run=2&path=huge/file", headers={"Range": "bytes=-3"}
        )
        assert gone.status_code == 502


async def test_recovery_follows_the_subscription(portal: Any, client: Any) -> None:
    urls = [
        f"/api/v1/plans/documents/file?{query(b'srv/empty')}",
        f"/api/v1/plans/documents/archive?{query(b'srv')}",
        f"/api/v1/plans/documents/entries?{query(b'srv')}",
        "/api/v1/plans/documents/manifest",
    ]

    async def statuses() -> set[int]:
        async with portal.client(client.token) as api:
            return {(await api.get(url)).status_code for url in urls}

    async def step(name: str, **body: Any) -> None:
        async with portal.operator() as api:
            answer = await api.post(f"/api/v1/tenants/{client.tenant_id}/{name}", json=body)
            assert answer.status_code == 200, answer.text

    await step("end", reason="moves away", at="2099-01-01T00:00:00Z")
    assert await statuses() == {200}
    await step("suspend", reason="unpaid since June")
    assert await statuses() == {403}
    async with portal.client(client.token) as api:
        problem = (await api.get(urls[0])).json()
    assert problem["type"] == "urn:coffre:problem:subscription-suspended"
    assert "unpaid since June" in problem["detail"]
    await step("resume", reason="paid")
    assert await statuses() == {200}
    await step("end", reason="over")
    assert await statuses() == {403}


async def test_what_was_read_is_written_down(portal: Any, client: Any) -> None:
    async with portal.client(client.token) as api:
        await api.get(f"/api/v1/plans/documents/entries?{query(b'srv')}")
        await api.get(f"/api/v1/plans/documents/file?{query(b'srv/empty')}")
        await api.get(f"/api/v1/plans/documents/archive?{query(b'srv/hollow')}")
    rows = await portal.admin.fetch(
        "SELECT act, actor, address FROM portal.access_log WHERE tenant_id = $1 ORDER BY number",
        client.tenant_id,
    )
    acts = [row["act"] for row in rows]
    assert acts[-3:] == ["folder-listed", "file-downloaded", "folder-downloaded"]
    assert {row["actor"] for row in rows[-3:]} == {"Camille Martin"}
    assert {row["address"] for row in rows[-3:]} == {"127.0.0.1"}
