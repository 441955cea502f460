"""Stories of recovery in a browser: by folders, through time, by name, several at once."""

from __future__ import annotations

import asyncio
import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import expect

from libs.shared import database as databases
from libs.shared.events import RunJudged
from libs.shared.reasons import Reason
from services.ingest import store
from services.ingest.actions import names as names_job
from tests.portal import builder
from tests.portal.browsing import EACH_PAGE_ONCE, PageOf, Screen, check_page, follow

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = b"<img src=x onerror=alert(1)>.txt"
REVERSED = b"\xe2\x80\xaegpj.exe"
LONGEST = b"x" * 251 + b".txt"
ODD = [HOSTILE, REVERSED, LONGEST, b"caf\xe9.txt"]


def png(colour: bytes) -> bytes:
    """A small picture of one colour."""

    def part(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    rows = b"".join(b"\0" + colour * 64 for _ in range(48))
    head = struct.pack(">IIBBBBB", 64, 48, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + part(b"IHDR", head)
        + part(b"IDAT", zlib.compress(rows))
        + part(b"IEND", b"")
    )


PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]>>endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF\n"
)
SCRIPT = (
    b"<html><script>document.title='taken';top.location='/account'</script><h1>Bonjour</h1></html>"
)
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(stage: Any) -> AsyncIterator[builder.Client]:
    """Four nights of an office: a file changes, another goes, the last night but one is unusual."""
    client = await builder.open_client(stage, name="Étude Lefèvre")
    home = b"srv/data/Comptabilit\xc3\xa9/"
    tree = {
        home + b"2026/janvier/seul/relev\xc3\xa9.txt": builder.text(b"releve"),
        **{home + b"f%d.txt" % number: builder.text(b"f%d" % number) for number in (1, 2, 10)},
        home + b"ancien.txt": builder.text(b"ancien"),
        home + b"photo.png": builder.File([png(b"\x10\x80\x60")]),
        home + b"contrat.pdf": builder.File([PDF]),
        home + b"page.html": builder.text(SCRIPT),
        home + b"dessin.svg": builder.text(SVG),
        **{b"srv/data/Divers/" + name: builder.text(b"x") for name in ODD},
        **{b"srv/data/Beaucoup/b%03d" % number: builder.text(b"y") for number in range(130)},
    }
    await client.commit(tree)
    await client.commit(
        {home + b"f2.txt": builder.text(b"f2, plus long")}, 2, [home + b"ancien.txt"]
    )
    await client.commit({home + b"f1.txt": builder.text(b"chiffre")}, 3)
    await client.commit({home + b"neuf.txt": builder.text(b"neuf")}, 4)
    dump = {"name": "compta", "succeeded": True, "guaranteed": True, "size_bytes": 1}
    for number in range(1, 5):
        at = builder.NOW + timedelta(days=number)
        more: dict[str, Any] = {"started_at": at, "finished_at": at, "dumps": [dump]}
        await client.add_run(
            number, "succeeded_with_warnings" if number == 2 else "succeeded", **more
        )
    failed = builder.NOW + timedelta(days=5)
    await client.add_run(5, "failed", started_at=failed, finished_at=failed)
    [run_id] = [
        row["run_id"]
        for row in await stage.admin.fetch(
            "SELECT run_id FROM portal.runs WHERE tenant_id = $1 AND number = 3", client.tenant_id
        )
    ]
    judged = RunJudged(
        tenant_id=client.tenant_id, run_id=run_id, plan_id=client.plan_id, number=3,
        verdicts=(Reason("mass-change"),), figures=(), judged_at=builder.NOW,
    )  # fmt: skip
    await builder.hear(stage, judged)
    pool = await databases.create_pool(stage.ingest_dsn, "ingest", max_size=1)
    async with databases.transaction(pool) as conn:
        place = store.plans.CommitPlace(client.tenant_id, client.plan_id, 0)
        await store.rebuild.note_all_names(conn, place)
    while await names_job.add_due_names(pool):
        pass
    await pool.close()
    yield client


async def speak(office: builder.Client, locale: str) -> None:
    """The language that the reader chose."""
    await office.portal.admin.execute(
        "UPDATE portal.users SET locale = $2 WHERE email = $1", office.email, locale
    )


HOME = "srv/data/Comptabilit%C3%A9"


def pages_of(office: builder.Client) -> list[str]:
    """Every page of recovery."""
    plan = f"/plans/{office.plan_id}"
    return [
        "/search",
        "/search?q=f1+txt",
        f"{plan}/files",
        f"{plan}/files?path={HOME}&deleted=1",
        f"{plan}/files?path={HOME}&run=1&month=2026-11",
        f"{plan}/files?path=srv/data/Divers",
        f"{plan}/files?path={HOME}/neuf.txt&run=1",
        f"{plan}/files?at=2026-01-01",
        f"{plan}/versions?path={HOME}/f2.txt",
        f"{plan}/file?path={HOME}/photo.png&run=4",
        f"{plan}/file?path={HOME}/page.html&run=1",
    ]


@pytest.mark.parametrize("screen", EACH_PAGE_ONCE)
async def test_every_page_is_for_everybody(
    office: builder.Client, page_of: PageOf, screen: Screen
) -> None:
    await speak(office, screen.locale[:2])
    page = await page_of(office.email, screen.width, screen.locale, dark=screen.dark)
    troubles = []
    for address in screen.shows(pages_of(office)):
        await page.goto(address)
        try:
            await check_page(page)
        except AssertionError as trouble:
            troubles.append(trouble.args)
    assert troubles == []


async def test_a_file_of_before_is_found_by_folders_and_time(
    office: builder.Client, page_of: PageOf
) -> None:
    await speak(office, "fr")
    page = await page_of(office.email, 360, scripts=False)
    await page.goto("/search")
    await follow(page.get_by_role("link", name="documents"))
    # It opens where there is something to choose.
    assert await page.locator("nav.path [aria-current=page]").inner_text() == "data"
    await follow(page.get_by_role("link", name="Comptabilité").first)
    names = await page.locator("td.path a").all_inner_texts()
    assert names[0] == "2026 / janvier / seul"
    assert [name for name in names if name[0] == "f"] == ["f1.txt", "f2.txt", "f10.txt"]
    assert "était inhabituelle" in await page.locator("main").inner_text()
    await follow(page.get_by_role("link", name="Voir la dernière sauvegarde d’avant"))
    banner = page.locator(".then")
    assert "24/11/2026 02:14" in await banner.inner_text()
    await follow(page.get_by_role("link", name="f1.txt", exact=True))
    assert await page.locator("pre.preview").inner_text() == "f1"
    await page.go_back()
    await page.get_by_text("Choisir un jour").click()
    await follow(page.get_by_role("link", name="lundi 23 novembre"))
    assert "23/11/2026 02:14" in await page.locator(".then").inner_text()
    await follow(page.get_by_role("link", name="ancien.txt", exact=True))
    assert await page.locator("pre.preview").inner_text() == "ancien"
    await follow(page.get_by_role("link", name="Toutes les versions").first)
    assert "Supprimé, constaté le 24/11/2026 02:14" in await page.locator("main").inner_text()


async def test_large_folders_come_page_by_page_and_in_any_order(
    office: builder.Client, page_of: PageOf
) -> None:
    await speak(office, "en")
    page = await page_of(office.email, locale="en-GB", scripts=False)
    await page.goto(f"/plans/{office.plan_id}/files?path=srv/data/Beaucoup")
    assert await page.locator("td.path").count() == 100
    await follow(page.get_by_role("link", name="Next page"))
    assert await page.locator("td.path a").all_inner_texts() == [
        f"b{number}" for number in range(100, 130)
    ]
    await follow(page.get_by_role("link", name="Name"))
    await speak(office, "fr")
    assert await page.locator("td.path a").first.inner_text() == "b129"
    assert await page.locator("th[aria-sort=descending]").count() == 1


async def test_several_files_are_ticked_and_come_as_one_zip(
    office: builder.Client, page_of: PageOf
) -> None:
    page = await page_of(office.email)
    await page.goto(f"/plans/{office.plan_id}/files?path=srv/data/Divers")
    whole = await page.get_by_role("link", name="Télécharger ce dossier").get_attribute("href")
    answer = await page.request.get(str(whole))
    assert len(zipfile.ZipFile(io.BytesIO(await answer.body())).namelist()) == 6
    for box in await page.locator("input[name=pick]").all():
        await box.check()
    await page.get_by_text("4 cochés\xa0: zip").wait_for()
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="Télécharger ce qui est coché (zip)").click()
    packed = zipfile.ZipFile(await (await waiting.value).path())
    assert packed.testzip() is None
    assert LONGEST.decode() in packed.namelist()
    assert len(packed.namelist()) == 5  # with the list of names that were changed


async def test_names_are_found_while_they_are_typed(
    office: builder.Client, page_of: PageOf
) -> None:
    page = await page_of(office.email)
    await page.goto("/search")
    await page.get_by_label("Rechercher par nom").press_sequentially("txt neuf", delay=5)
    await page.locator("#results").get_by_role("link", name="neuf.txt", exact=True).wait_for()
    await page.wait_for_url(lambda url: url.endswith("q=txt%20neuf&deleted="))
    await expect(page.locator("#results td.path")).to_have_count(1, timeout=60_000)
    # Beside the files of a folder as well, which stay where they are.
    await page.goto(f"/plans/{office.plan_id}/files")
    await page.get_by_text("Rechercher, fichiers supprimés").click()
    await page.get_by_label("Rechercher par nom").press_sequentially("txt neuf", delay=5)
    await page.locator("#results").get_by_role("link", name="neuf.txt", exact=True).wait_for()
    assert page.url.endswith("/files")


async def test_what_is_stored_never_acts_in_the_portal(
    office: builder.Client, page_of: PageOf
) -> None:
    page = await page_of(office.email)
    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.message))
    plan = f"/plans/{office.plan_id}"
    for name in ("page.html", "dessin.svg"):
        await page.goto(f"{plan}/file?path={HOME}/{name}&run=1")
        assert "script" in await page.locator("pre.preview").inner_text()
        await page.goto(f"/api/v1{plan}/preview?path={HOME}/{name}&run=1")
        assert await page.evaluate("document.contentType") == "text/plain"
        assert await page.evaluate("origin") == "null"
    await page.goto(f"{plan}/file?path={HOME}/photo.png")
    assert await page.evaluate("document.querySelector('.preview img').naturalWidth") == 64
    await page.goto(f"{plan}/files?path=srv/data/Divers")
    shown = await page.locator("td.path a").all_inner_texts()
    assert HOSTILE.decode() in shown
    assert asked == []
    answer = await page.request.get(f"/api/v1{plan}/preview?path={HOME}/contrat.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    policy = "sandbox allow-scripts; default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["content-security-policy"] == policy
    await page.goto(f"{plan}/file?path={HOME}/contrat.pdf")
    async with page.expect_popup() as opened:
        await page.get_by_role("link", name="Ouvrir le PDF").click()
    viewer = await opened.value
    while len(viewer.frames) < 3:
        await viewer.wait_for_event("frameattached")
    # The plug-in answers: where it is kept from running, nothing does, and its page stays empty.
    async with asyncio.timeout(60):
        assert await viewer.frames[-1].evaluate("document.cookie") == ""
    await viewer.close()
    assert answer.headers["x-content-type-options"] == "nosniff"
    none = await page.request.get(f"/api/v1{plan}/preview?path=srv/data/Divers")
    assert none.status == 404
    told = await page.request.get(f"/api/v1{plan}/checksum?path={HOME}/neuf.txt")
    digest = hashlib.sha256(b"neuf").hexdigest()
    assert await told.text() == f"{digest}  neuf.txt\n"
