"""Names and links that would lead whoever unpacks an archive out of it, on any system."""

from __future__ import annotations

import io
import tarfile
import unicodedata
import zipfile
from itertools import product

import pytest

from services.portal.rules.files import names
from tests.hostile.counting import Campaign
from tests.portal.builder import folder, link, open_client, text
from tests.portal.conftest import Portal, portal

__all__ = ["portal"]

OUTSIDE = [
    b"..\\..\\x", b"\\\\server\\share\\x", b"C:x", b"c:\\windows\\x", b"Z:", b"a\\..\\..\\b",
    b"..\\", b"\\x", b"_coffre-names.txt", b"%5C", b"..%5C..%5Cx", b"C%3Ax",
]  # fmt: skip


def list_names(form: str, content: bytes) -> dict[str, bool]:
    """The names in an archive, and whether each is a link."""
    if form == "zip":
        archive = zipfile.ZipFile(io.BytesIO(content))
        return {
            one.filename.rstrip("/"): one.external_attr >> 28 == 0o12 for one in archive.infolist()
        }
    with tarfile.open(fileobj=io.BytesIO(content), errors="surrogateescape") as tar:
        return {one.name: one.issym() for one in tar.getmembers()}


def folded(name: str) -> str:
    """As a file system that does not tell letters' cases apart sees it."""
    return unicodedata.normalize("NFC", name).casefold()


@pytest.mark.parametrize("form", ["zip", "tar"])
async def test_no_name_leads_out(portal: Portal, campaign: Campaign, form: str) -> None:
    client = await open_client(portal)
    tree = {b"deep/" + name: text(name) for name in OUTSIDE}
    tree |= {b"C:/Users/x": text(b"of a drive"), b"fine": text(b"fine")}
    tree[names.NAMES_LIST.encode()] = text(b"not the archive's own")
    await client.commit(tree)
    campaign.tried("archives: names that lead out", 2 * len(tree))
    async with portal.client(client.token) as api:
        answer = await api.get(f"/api/v1/plans/documents/archive?format={form}")
    found = list_names(form, answer.content)
    for name in found:
        assert form == "tar" or "\\" not in name
        assert not name.startswith(("/", "\\"))
        for part in name.replace("\\", "/").split("/"):
            assert part not in ("", ".", "..")
            assert part[1:2] != ":", name
    assert "fine" in found
    assert len([name for name in found if name.startswith("deep/")]) == len(OUTSIDE)
    assert names.NAMES_LIST in found
    assert len(found) == len(tree) + 1, "two are called the same"


@pytest.mark.parametrize("form", ["zip", "tar"])
async def test_nothing_is_unpacked_through_a_link(
    portal: Portal, campaign: Campaign, form: str
) -> None:
    client = await open_client(portal)
    tree = {
        b"Door": link(b"/etc"), b"door": folder(), b"door/passwd": text(b"evil"),
        b"ROOM": folder(), b"ROOM/shadow": text(b"evil"), b"room": link(b"/etc"),
        b"caf\xc3\xa9": link(b"/etc"), b"cafe\xcc\x81": folder(), b"cafe\xcc\x81/x": text(b"evil"),
        b"plain": link(b"/etc"), b"plain\\passwd": text(b"evil"),
        b"%64oor": folder(), b"%64oor/passwd": text(b"as the folder beside Door is then called"),
    }  # fmt: skip
    await client.commit(tree)
    campaign.tried("archives: links beside folders that differ by case", 7)
    async with portal.client(client.token) as api:
        answer = await api.get(f"/api/v1/plans/documents/archive?format={form}")
    found = list_names(form, answer.content)
    links = {folded(name) for name, is_link in found.items() if is_link}
    assert len(links) == 4
    assert "plain" in links
    assert len(found) == len(tree) + 1, "two are called the same"
    for name, is_link in found.items():
        if not is_link:
            above = [folded(name[:at]) for at, one in enumerate(name + "/") if one in "/\\"]
            assert links.isdisjoint(above), name


def test_a_tar_changes_no_name_that_leads_nowhere(campaign: Campaign) -> None:
    """Such names are on every Linux machine, and come back as they were."""
    usual = [
        rb"dev-disk-by\x2dlabel-data.mount",
        b"My%20File.pdf",
        b"100%25.txt",
        b"12:30.txt",
        b"a\\",
    ]
    assert [names.tar_name(name).encode() for name in usual] == usual
    parts = ["..", "\\", "C:", "%", "25", "5C", "3A", "x"]
    tried = ["".join(chosen) for length in range(1, 6) for chosen in product(parts, repeat=length)]
    spelled = {name.encode() for name in tried}
    campaign.tried("archives: names of a tar, spelled from dangerous parts", len(spelled))
    assert len({names.tar_name(name) for name in spelled}) == len(spelled)


@pytest.mark.parametrize("form", ["zip", "tar"])
async def test_names_that_no_agent_could_send(
    portal: Portal, campaign: Campaign, form: str
) -> None:
    """Whoever can write them to the database is told by the proof; and no archive takes them."""
    client = await open_client(portal)
    await client.commit({b"a/b": text(b"content")})
    for name in ("../../x", "..", ".", "", "/etc/passwd"):
        await portal.admin.execute(
            "UPDATE catalogue.versions SET name = $1::text::bytea WHERE kind = 'f'", name
        )
        campaign.tried("archives: names that no agent could send")
        async with portal.client(client.token) as api:
            answer = await api.get(f"/api/v1/plans/documents/archive?format={form}")
        assert answer.status_code == 409
    assert not any(names.is_name(name) for name in (b"../x", b"..", b".", b"", b"a\0"))
