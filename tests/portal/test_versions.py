"""Every version of a file comes back; a folder shows what was deleted, and any day as it was."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from libs.shared.errors import InvalidRequest
from services.portal.rules.files.moments import read_moment
from tests.portal import builder
from tests.portal.test_files import query
from tests.portal.test_pages import PASSWORD, browser, sign_in

ODD = b"odd\xff\nname.txt"


@pytest.fixture
async def client(portal: Any) -> builder.Client:
    """Three nights: a file changes, is away, and comes again; another is deleted for good."""
    client = await builder.open_client(portal)
    await client.commit(
        {b"srv/" + ODD: builder.text(b"first"), b"srv/gone/old.txt": builder.text(b"old")}, 1
    )
    await client.commit({b"srv/" + ODD: builder.text(b"second one")}, 2, [b"srv/gone"])
    await client.commit({b"other": builder.text(b"x")}, 3, [b"srv/" + ODD])
    await client.commit({b"srv/" + ODD: builder.text(b"third")}, 4, [b"other"])
    return client


async def test_each_version_comes_back(portal: Any, client: Any) -> None:
    url = f"/api/v1/plans/documents/history?{query(b'srv/' + ODD)}"
    async with portal.client(client.token) as api:
        answer = await api.get(url)
        assert answer.status_code == 200, answer.text
        versions = answer.json()["versions"]
        assert answer.json()["path"] == r"srv/odd\xff\nname.txt"
        assert [(v["first_run"], v["last_run"], v["size"]) for v in versions] == [
            (4, 4, 5), (2, 2, 10), (1, 1, 5)
        ]  # fmt: skip
        assert [v["removed_at"] for v in versions] == [None, "2026-11-25T01:14:00Z", None]
        contents = [(await api.get(version["links"]["file"])).content for version in versions]
        assert contents == [b"third", b"second one", b"first"]
        newest = (await api.get(url + "&limit=1")).json()
        assert (len(newest["versions"]), newest["next"]) == (1, 4)
        older = (await api.get(url + "&limit=2&before=4")).json()
        assert ([v["first_run"] for v in older["versions"]], older["next"]) == ([2, 1], None)
        for wrong in (b"srv/none", b"", b"srv/gone/old.txt/x"):
            answer = await api.get(f"/api/v1/plans/documents/history?{query(wrong)}")
            assert answer.status_code == 404, wrong
            assert answer.headers["content-type"] == "application/problem+json"


async def test_a_folder_shows_what_was_deleted_and_any_day(portal: Any, client: Any) -> None:
    base = "/api/v1/plans/documents/entries"
    async with portal.client(client.token) as api:

        async def names(more: str) -> list[tuple[str, bool]]:
            answer = await api.get(f"{base}?path=srv&{more}")
            assert answer.status_code == 200, answer.text
            return [(e["name"], e.get("deleted", False)) for e in answer.json()["entries"]]

        odd = r"odd\xff\nname.txt"
        assert await names("run=4") == [(odd, False)]
        assert await names("run=4&deleted=1") == [("gone", True), (odd, False)]
        assert await names("run=3&deleted=1") == [("gone", True), (odd, True)]
        [gone, _] = (await api.get(f"{base}?path=srv&deleted=1")).json()["entries"]
        assert (gone["run"], gone["last_seen_at"]) == (1, "2026-11-23T01:14:00Z")
        inside = (await api.get(gone["links"]["self"])).json()["entries"]
        assert [entry["name"] for entry in inside] == ["old.txt"]

        async def run_at(at: str) -> int:
            answer = await api.get(f"{base}?at={at}")
            assert answer.status_code == 200, answer.text
            return int(answer.json()["run"])

        assert await run_at("2026-11-23") == 1
        assert await run_at("2026-11-24T01:14:00Z") == 2
        assert await run_at("2026-11-24T03:13:00%2B02:00") == 1
        assert await run_at("2026-11-24T02:14") == 2  # in the client's time zone, Paris
        assert await run_at("2030-01-01") == 4
        assert (await api.get(f"{base}?at=2026-11-22")).status_code == 404
        for wrong in ("yesterday", "2026-13-01", "2026-11-24T99:00"):
            assert (await api.get(f"{base}?at={wrong}")).status_code == 422
        file = f"/api/v1/plans/documents/file?{query(b'srv/' + ODD, at='2026-11-24')}"
        assert (await api.get(file)).content == b"second one"


async def test_pages_show_versions_deleted_files_and_days(portal: Any, client: Any) -> None:
    files = f"/plans/{client.plan_id}/files"
    async with browser(portal) as page:
        await sign_in(page, client.email, PASSWORD)
        plain = (await page.get(f"{files}?path=srv")).text
        assert "<bdi>gone</bdi>" not in plain
        shown = (await page.get(f"{files}?path=srv&deleted=1")).text
        assert "<bdi>gone</bdi></a>" in shown
        assert "sauvegardé pour la dernière fois le 23/11/2026 02:14" in shown
        links = [unescape(link) for link in re.findall(r'href="([^"]+)"', shown)]
        [into] = [link for link in links if link == f"{files}?path=srv/gone&run=1&deleted=1"]
        assert "old.txt" in (await page.get(into)).text
        [history] = [link for link in links if "/versions?" in link]
        versions = (await page.get(history)).text
        assert r"Versions de odd\xff\nname.txt" in versions
        assert "Supprimé, constaté le 25/11/2026 02:14" in versions
        downloads = [
            unescape(link) for link in re.findall(r'href="(/api/[^"]+/file\?[^"]+)"', versions)
        ]
        contents = [(await page.get(link)).content for link in downloads]
        assert contents == [b"third", b"second one", b"first"]
        day = (await page.get(f"{files}?at=2026-11-25")).text
        assert "other" in day
        assert 'value="2026-11-25"' in day
        early = unescape((await page.get(f"{files}?at=2020-01-01")).text)
        assert "La première sauvegarde date du 23/11/2026\u00a0: choisissez un jour" in early
        assert 'min="2026-11-23"' in early
        lost = await page.get(f"{files}?path=srv/gone&at=2026-11-24")
        assert lost.status_code == 404
        assert "«\u00a0srv/gone\u00a0» n’existait pas le 24/11/2026 02:14" in unescape(lost.text)
        [last] = re.findall(r'href="([^"]+)">Voir la dernière version', lost.text)
        assert "old.txt" in (await page.get(unescape(last))).text
        assert (await page.get(f"{files}?path=srv/never&run=1")).status_code == 404
        assert (await page.get(f"{files}?at=rubbish")).status_code == 422
        await client.commit({b"srv/gone": builder.text(b"a file now")}, 5)
        other = unescape((await page.get(f"{files}?path=srv/gone&run=5")).text)
        assert "«\u00a0srv/gone\u00a0» était un fichier et non un dossier" in other
        [there] = re.findall(r'href="([^"]+)">Voir le fichier', other)
        assert "a file now" in (await page.get(there)).text
        before = await page.get(f"/plans/{client.plan_id}/file?path=srv/gone&run=1")
        assert before.headers["location"] == f"{files}?path=srv/gone&run=1"
    acts = await portal.admin.fetch("SELECT act FROM portal.access_log")
    assert "history-listed" in [row["act"] for row in acts]


@pytest.mark.parametrize("text", ["", "now", "2026-02-30", "2026-11-22T", "T", "99999-01-01"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        read_moment(text, "Europe/Paris")


def test_a_day_ends_when_the_clients_day_does() -> None:
    def said(text: str, zone: str = "Europe/Paris") -> str:
        return read_moment(text, zone).isoformat()

    assert said("2026-11-22") == "2026-11-22T22:59:59.999999+00:00"
    assert said("2026-10-25") == "2026-10-25T22:59:59.999999+00:00"  # a day of 25 hours
    assert said("2026-11-22T10:00", "America/New_York") == "2026-11-22T15:00:00+00:00"
    assert said("2026-11-22T10:00:00+05:00") == "2026-11-22T05:00:00+00:00"
