"""A folder comes back as tar exactly as it was, and as zip with every name accounted for."""

from __future__ import annotations

import html
import io
import os
import random
import re
import stat
import struct
import subprocess
import tarfile
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from prometheus_client import REGISTRY

from libs.shared import attributes, packs, restores
from libs.shared.entries import FolderDelta
from libs.shared.filenames import on_windows
from libs.shared.restores import PlacedChunk
from libs.shared.words.tongue import Tongue
from services.portal.rules.files import names
from tests.portal import builder
from tests.portal.conftest import PASSWORD
from tests.portal.test_files import BIG, NAMES
from tests.portal.test_pages import browser, sign_in
from tests.world.files import OF_WINDOWS

DEEP = b"/".join([b"d" * 250] * 16)  # 4,015 bytes


@pytest.fixture
async def client(portal: Any) -> builder.Client:
    """A client with everything that a Linux file system can hold."""
    client = await builder.open_client(portal)
    await client.commit(TREE())
    return client


def TREE() -> dict[bytes, builder.File]:  # noqa: N802 - a constant that is filled in
    chance = random.Random(3)
    tree = {b"top/names/" + name: builder.text(b"content of " + name) for name in NAMES}
    tree |= {
        b"top/big": builder.File(BIG, mode=0o4755, mtime_ns=-2_000_000_000),
        b"top/empty": builder.text(b"", mode=0o600, mtime_ns=0, uid=3_000_000_000),
        b"top/hollow": builder.folder(0o700),
        b"top/dangling": builder.link(b"nowhere/\xff"),
        b"top/" + DEEP + b"/" + b"e" * 60: builder.text(b"deep"),
        b"top/ex%25": builder.text(b"1"),
        b"top/ex%": builder.text(b"2"),
        b"top/cut\xff" + b"\xfe" * 240: builder.text(b"long and bad"),
        b"_coffre-names.txt": builder.text(b"of the client"),
        b"C:/x": builder.text(b"windows"),
        b"top/of windows": builder.File([b"x"], attributes=attributes.write(OF_WINDOWS)),
    }
    for number in range(300):
        tree[b"top/many/%03d" % number] = builder.text(chance.randbytes(chance.randrange(1, 3000)))
    tree[b"top/many/again"] = tree[b"top/many/007"]
    return tree


LEFT_OUT = "Owners, access lists and alternate streams of Windows were left out of: 1."
LEFT_OUT_FRENCH = (
    "Les propriétaires, listes d'accès et flux alternatifs de Windows ont été omis pour : 1."
)


async def test_the_tar_restores_everything(portal: Any, client: Any, tmp_path: Path) -> None:
    async with portal.client(client.token) as api:
        answer = await api.get("/api/v1/plans/documents/archive?format=tar")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-tar"
    (tmp_path / "all.tar").write_bytes(answer.content)
    to = tmp_path / "out"
    to.mkdir()
    done = subprocess.run(
        ["tar", "--warning=no-timestamp", "--numeric-owner", "-xpf", "../all.tar"],
        cwd=to, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    expected = TREE()
    for path in list(expected):
        parts = path.split(b"/")
        for depth in range(1, len(parts)):
            expected.setdefault(b"/".join(parts[:depth]), builder.folder())
    lines = (to / names.NAMES_LIST).read_bytes().split(b"\r\n")
    pairs = [line.split(b"\t") for line in lines if b"\t" in line]
    changed = {name: unquote_to_bytes(path) for name, path in pairs}
    (to / names.NAMES_LIST).unlink()
    assert lines[-4:-1] == [LEFT_OUT.encode(), LEFT_OUT_FRENCH.encode(), b"top/of%20windows"]
    found = set()
    # The deep path is longer than a system call takes: walk by folder descriptors.
    for folder, folders, files, at in os.fwalk(bytes(to)):
        relative = folder[len(bytes(to)) :].strip(b"/")
        for name in [*folders, *files]:
            path = names.clean_path(relative + b"/" + name)
            path = changed.get(path, path)
            found.add(path)
            check(expected[path], name, at)
    assert found == set(expected)


def check(file: builder.File, name: bytes, at: int) -> None:
    """Compares a restored path with what was stored."""
    found = os.stat(name, dir_fd=at, follow_symlinks=False)
    assert found.st_mtime_ns == file.mtime_ns, name
    if os.geteuid() == 0:
        assert (found.st_uid, found.st_gid) == (file.uid, file.gid), name
    if file.target is not None:
        assert os.readlink(name, dir_fd=at) == file.target
        return
    assert stat.S_IMODE(found.st_mode) == file.mode, name
    if file.is_folder:
        assert stat.S_ISDIR(found.st_mode)
        return
    handle = os.open(name, os.O_RDONLY, dir_fd=at)
    with os.fdopen(handle, "rb") as opened:
        assert opened.read() == file.content, name


async def test_the_length_is_known_before_the_first_byte(portal: Any, client: Any) -> None:
    async with portal.client(client.token) as api:
        for path in ("", "top", "top/names", "top/big", "top/dangling", "top/hollow", "top/empty"):
            for form in ("zip", "tar"):
                url = f"/api/v1/plans/documents/archive?path={path}&format={form}"
                answer = await api.get(url)
                assert answer.status_code == 200
                assert "transfer-encoding" not in answer.headers
                assert answer.headers["content-length"] == str(len(answer.content)), url
        # A file that has another length by now is not what was copied: nothing of it is given out.
        await portal.admin.execute(
            "UPDATE catalogue.versions SET size = size + 1 WHERE name = 'big'"
        )
        answer = await api.get("/api/v1/plans/documents/archive?path=top&format=tar")
        assert answer.status_code == 409
        assert answer.json()["type"] == "urn:coffre:problem:restore-point-unproven"


async def test_python_reads_the_tar_too(portal: Any, client: Any) -> None:
    async with portal.client(client.token) as api:
        answer = await api.get("/api/v1/plans/documents/archive?path=top&format=tar")
    with tarfile.open(fileobj=io.BytesIO(answer.content), errors="surrogateescape") as tar:
        members = {os.fsencode(m.name): m for m in tar.getmembers()}
        assert members[b"top/empty"].uid == 3_000_000_000
        assert members[b"top/names/bad\xff\xfe.bin"].size == len(b"content of bad\xff\xfe.bin")
        assert members[b"top"].isdir()
        assert not any("windows" in key for key in members[b"top/of windows"].pax_headers)
        assert b"top/" + DEEP + b"/" + b"e" * 60 in members


async def test_the_zip_holds_everything_under_safe_names(portal: Any, client: Any) -> None:
    async with portal.client(client.token) as api:
        answer = await api.get("/api/v1/plans/documents/archive")
    assert answer.headers["content-disposition"].startswith('attachment; filename="documents.zip"')
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    listed = archive.namelist()
    assert len(set(listed)) == len(listed)
    for name in listed:
        assert not name.startswith("/")
        assert ".." not in name.split("/")
        assert name.isprintable()
        assert "\\" not in name
        assert all(len(part.encode()) <= 255 for part in name.split("/"))
    lines = archive.read(names.NAMES_LIST).decode().partition("\r\n\r\n")[2].splitlines()
    assert lines[-3:] == [LEFT_OUT, LEFT_OUT_FRENCH, "top/of%20windows"]
    pairs = [line.split("\t") for line in lines if "\t" in line]
    changed = {safe: unquote_to_bytes(raw) for safe, raw in pairs}
    expected = TREE()
    seen = set()
    for info in archive.infolist():
        if info.filename == names.NAMES_LIST:
            continue
        name = info.filename.rstrip("/")
        path = changed.get(name, name.encode())
        seen.add(path)
        file = expected.get(path) or builder.folder()
        mode = info.external_attr >> 16
        if file.target is not None:
            assert stat.S_ISLNK(mode)
            assert archive.read(info) == file.target
        elif file.is_folder:
            assert info.is_dir()
        else:
            assert stat.S_IMODE(mode) == file.mode
            assert info.compress_type == zipfile.ZIP_STORED
            assert archive.read(info) == file.content
    assert set(expected) <= seen
    assert b"_coffre-names.txt" in seen


# Around both nights in which clocks change in Paris, and those of New York.
MOMENTS = {
    "2026-03-29T00:59:58": ((3, 29, 1, 59, 58), (3, 28, 20, 59, 58)),
    "2026-03-29T01:00:00": ((3, 29, 3, 0, 0), (3, 28, 21, 0, 0)),
    "2026-07-14T10:30:00": ((7, 14, 12, 30, 0), (7, 14, 6, 30, 0)),
    "2026-10-25T00:59:58": ((10, 25, 2, 59, 58), (10, 24, 20, 59, 58)),
    "2026-10-25T01:00:00": ((10, 25, 2, 0, 0), (10, 24, 21, 0, 0)),
    "2026-11-01T05:59:58": ((11, 1, 6, 59, 58), (11, 1, 1, 59, 58)),
    "2026-11-01T06:00:00": ((11, 1, 7, 0, 0), (11, 1, 1, 0, 0)),
}


async def test_times_in_a_zip_are_the_clients_own(portal: Any) -> None:
    """As its Explorer reads them, on both sides of a change of the clocks; beside them UTC."""
    client = await builder.open_client(portal)
    seconds = {
        moment: int(datetime.fromisoformat(moment + "+00:00").timestamp()) for moment in MOMENTS
    }
    await client.commit(
        {
            b"f/%d" % at: builder.text(b"x", mtime_ns=at * 10**9 + 999_999_999)
            for at in seconds.values()
        }
    )
    async with portal.client(client.token) as api:
        for place, zone in enumerate(("Europe/Paris", "America/New_York")):
            await portal.admin.execute(
                "UPDATE portal.tenants SET timezone = $2 WHERE tenant_id = $1",
                client.tenant_id,
                zone,
            )
            answer = await api.get("/api/v1/plans/documents/archive?path=f")
            archive = zipfile.ZipFile(io.BytesIO(answer.content))
            for moment, local in MOMENTS.items():
                info = archive.getinfo(f"f/{seconds[moment]}")
                assert info.date_time == (2026, *local[place]), (zone, moment)
                assert info.extra.endswith(struct.pack("<i", seconds[moment])), (zone, moment)


async def test_a_page_says_how_large_each_zip_would_be(portal: Any) -> None:
    client = await builder.open_client(portal)
    tree = {
        b"top/%d/%d" % (folder, file): builder.text(b"x" * 3_000)
        for folder in (1, 2)
        for file in range(folder * 40)
    }
    await client.commit({**tree, b"top/hollow": builder.folder(), b"top/alone": builder.text(b"y")})
    async with browser(portal) as page:
        await sign_in(page, client.email, PASSWORD)
        for path in ("", "top", "top/1"):
            shown = (await page.get(f"/plans/{client.plan_id}/files?path={path}")).text
            links = re.findall(r'href="([^"]+format=zip)"[^>]*>([^<]+)<', shown)
            # Without a path the page opens where the tree first parts.
            assert len(links) == {"": 4, "top": 4, "top/1": 1}[path]
            for link, text in links:
                answer = await page.get(html.unescape(link))
                size = Tongue("fr", "Europe/Paris").size(len(answer.content))
                assert f"zip, {size}" in text, link
        # Nobody waits until a tree of thousands is counted: there is no size then.
        many = {b"many/%d" % number: builder.text(b"") for number in range(2_001)}
        await client.commit(many, number=2)
        shown = (await page.get(f"/plans/{client.plan_id}/files")).text
        assert "(zip)" in shown
        assert "zip, " not in shown


async def test_other_programs_accept_the_zip(portal: Any, client: Any, tmp_path: Path) -> None:
    async with portal.client(client.token) as api:
        answer = await api.get("/api/v1/plans/documents/archive?path=/top/many/&format=zip")
        one = await api.get("/api/v1/plans/documents/archive?path=top/big&format=zip")
        hollow = await api.get("/api/v1/plans/documents/archive?path=top/hollow&format=zip")
    (tmp_path / "a.zip").write_bytes(answer.content)
    done = subprocess.run(["unzip", "-tq", tmp_path / "a.zip"], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "many/007" in zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert zipfile.ZipFile(io.BytesIO(one.content)).read("big") == b"".join(BIG)
    assert zipfile.ZipFile(io.BytesIO(hollow.content)).namelist() == ["hollow/"]


def shown(path: bytes) -> str:
    """How a zip is told of a path."""
    return names.ArchivePaths(names.zip_name, for_windows=True).show(path)


@given(st.lists(st.binary(min_size=1, max_size=255), min_size=2, max_size=8))
def test_two_names_never_become_one(raw: list[bytes]) -> None:
    parts = [name.replace(b"/", b"-").replace(b"\0", b"-") for name in raw]
    parts += [shown(part).encode() for part in parts]  # names that look like ours
    distinct = {part for part in parts if part not in (b".", b"..") and len(part) <= 255}
    archive = names.ArchivePaths(names.zip_name, for_windows=True)
    found = [archive.show(part) for part in sorted(distinct)]
    assert len({name.casefold() for name in found}) == len(distinct)
    assert [on_windows(name.encode()).decode() for name in found] == found


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("facture 12:30.txt", "facture 12_30.txt"),
        ("a?b.txt", "a_b.txt"),
        ("CON", "_CON"),
        ("nul", "_nul"),
        ("dot.", "dot_"),
        ("space ", "space_"),
    ],
)
def test_a_zip_calls_names_as_a_restore_on_windows_does(name: str, called: str) -> None:
    assert shown(name.encode()) == called


def test_names_equal_but_for_case_stay_two_files() -> None:
    archive = names.ArchivePaths(names.zip_name, for_windows=True)
    assert archive.show(b"d", "d") == "d"
    assert archive.show(b"d/Facture.txt") == "d/Facture.txt"
    assert archive.show(b"d/facture.TXT").startswith("d/facture.TXT~")
    assert archive.show(b"D", "d").startswith("D~")
    assert archive.show(b"D/x").startswith("D~")
    assert archive.show(b"e/facture.txt") == "e/facture.txt"


@given(st.binary(min_size=1, max_size=60))
def test_names_are_shown_in_one_line_and_saved_under_one_header(raw: bytes) -> None:
    assert "\n" not in names.display(raw)
    assert "\u202e" not in names.display(raw)
    header = names.attachment(raw, ".zip")
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2


async def test_the_manifest_and_the_chunks_bring_back_a_tree(portal: Any, client: Any) -> None:
    key = (await client.keys()).chunk_key
    async with portal.client(client.token) as api:
        answer = await api.get("/api/v1/plans/documents/manifest")
        assert answer.headers["x-coffre-run"] == "1"
        assert answer.headers["x-coffre-chunk-keys"] == key.hex()
        deltas, places = read_manifest(answer.content)
        files = {
            b"/".join(filter(None, (delta.folder, entry.name))): entry
            for delta in deltas
            for entry in delta.upserts
        }
        expected = TREE()
        assert set(expected) <= set(files)
        wanted = sorted(places.values(), key=lambda one: (one.pack_no, one.offset, one.start))
        asked = restores.encode_request(wanted)
        body = await api.post("/api/v1/plans/documents/chunks", content=asked)
        assert body.status_code == 200
        contents = read_chunks(body.content, wanted)
        for path, file in expected.items():
            ids = files[path].chunks
            content = b"".join(contents[ids[at : at + 32]] for at in range(0, len(ids), 32))
            assert content == file.content, path
            assert files[path].target == (file.target or b"")
            assert files[path].mode == file.mode
        one, _ = read_manifest(
            (await api.get("/api/v1/plans/documents/manifest?path=top/names")).content
        )
        assert [d.folder for d in one] == [b"top", b"top/names"]
        assert [e.name for e in one[0].upserts] == [b"names"]
        unlikely = PlacedChunk(bytes(32), 1, 8, 4 << 20, 4 << 20, 0, 0, 0)
        much = restores.encode_request([replace(unlikely, offset=n % 2) for n in range(17)])
        for wrong in (b"", b"short", bytes(32), bytes(61), much):
            refused = await api.post("/api/v1/plans/documents/chunks", content=wrong)
            assert refused.status_code == 422
        # What isn't where it was said to be is found; what isn't there at all costs itself alone.
        moved = [
            replace(one, pack_no=2**40 + n % 2, offset=one.offset + 10**9 * (n % 3))
            for n, frame in enumerate(packs.by_frame(wanted))
            for one in frame
        ]
        asked = restores.encode_request([*moved, unlikely])
        before = fetched_bytes()
        body = await api.post("/api/v1/plans/documents/chunks", content=asked)
        assert body.content.endswith(bytes(5))
        assert read_chunks(body.content[:-5], wanted) == contents
        # Its frame is read once for those that follow each other in it.
        each_once = sum(frame[0].length for frame in packs.by_frame(wanted))
        assert fetched_bytes() - before <= each_once + unlikely.length
        # One place, said to be of two lengths.
        twice = [wanted[0], replace(wanted[0], length=wanted[0].length - 1)]
        asked = restores.encode_request(twice)
        body = await api.post("/api/v1/plans/documents/chunks", content=asked)
        assert read_chunks(body.content, twice) == {
            wanted[0].chunk_id: contents[wanted[0].chunk_id]
        }


async def test_large_folders_and_many_folders_come_whole_and_in_order(portal: Any) -> None:
    client = await builder.open_client(portal)
    tree = {b"large/%05d" % n: builder.text(b"") for n in range(4_100)}
    tree |= {b"many/%03d/%02d" % (n // 30, n % 30): builder.text(b"") for n in range(3_000)}
    tree |= {b"nested/a/b/c/d": builder.folder(), b"nested/a/z": builder.text(b"")}
    await client.commit(tree)
    async with portal.client(client.token) as api:
        deltas, _ = read_manifest((await api.get("/api/v1/plans/documents/manifest")).content)
        tar = (await api.get("/api/v1/plans/documents/archive?format=tar")).content
    listed = [
        b"/".join(filter(None, (delta.folder, entry.name)))
        for delta in deltas
        for entry in delta.upserts
    ]
    assert len(listed) == len(set(listed))
    assert set(listed) == set(tree)
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        order = [member.name.encode() for member in archive.getmembers()]
    assert set(order) == set(tree)
    # Once a folder is left, nothing of it comes any more: its restored time stays.
    left: set[bytes] = set()
    inside: list[bytes] = []
    for path in order:
        assert path.rpartition(b"/")[0] not in left
        while inside and not path.startswith(inside[-1] + b"/"):
            left.add(inside.pop())
        if tree[path].is_folder:
            inside.append(path)


def read_manifest(body: bytes) -> tuple[list[FolderDelta], dict[bytes, PlacedChunk]]:
    """Entries and chunk places of a whole manifest."""
    deltas: list[FolderDelta] = []
    places: dict[bytes, PlacedChunk] = {}
    for part in restores.read_parts(io.BytesIO(body)):
        deltas += part.deltas
        places.update((one.chunk_id, one) for one in part.places)
    return deltas, places


def fetched_bytes() -> float:
    """What was read from the store so far to be recovered."""
    return REGISTRY.get_sample_value("coffre_recovery_bytes_total") or 0.0


def read_chunks(body: bytes, wanted: list[PlacedChunk]) -> dict[bytes, bytes]:
    """The contents of chunks, by id."""
    contents: dict[bytes, bytes] = {}
    frame = memoryview(b"")
    answers = restores.read_chunks(io.BytesIO(body), len(wanted))
    for one, (encoding, payload) in zip(wanted, answers, strict=True):
        if encoding == restores.ALONE:
            contents[one.chunk_id] = payload
            continue
        if payload:
            assert encoding == one.encoding
            frame = packs.unpack_frame(payload, one)
        contents[one.chunk_id] = bytes(packs.cut_out(frame, one))
    return contents
