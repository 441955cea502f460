"""The whole path: a client is opened, copies, is reported, browses, and gets everything back."""

from __future__ import annotations

import asyncio
import io
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from tests.journey.world import Client, World, eventually, text_of
from tests.trees import build_hostile_tree, compare_trees

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(600)]


@pytest.fixture
def client(make_client: Callable[..., Client]) -> Client:
    return make_client()


def test_a_hostile_folder_comes_back_identical(client: Client, tmp_path: Path) -> None:
    client.source.rmdir()
    specials = build_hostile_tree(client.source)

    run = client.run()
    assert run.code == 3 if run.summary["files_not_copied"] else run.code == 0, run.errors
    summary = run.summary
    assert summary["files_total"] > 10
    assert summary["bytes_sent"] > 0

    back = tmp_path / "back"
    restored = client.restore(back)
    assert restored.code == 0, restored.errors + restored.output
    inside = back / str(client.source).lstrip("/")
    assert compare_trees(client.source, inside, ignore=specials) == []

    with client.sign_in() as api:
        answer = api.get(
            "plans/documents/archive", params={"format": "tar", "path": str(client.source)}
        )
        assert answer.status_code == 200, answer.text
        unpacked = tmp_path / "tar"
        unpacked.mkdir()
        subprocess.run(["tar", "-xpf", "-", "-C", unpacked], input=answer.content, check=True)
        assert compare_trees(client.source, unpacked / client.source.name, ignore=specials) == []

        answer = api.get(
            "plans/documents/archive", params={"format": "zip", "path": str(client.source)}
        )
        assert answer.status_code == 200
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.testzip() is None
            names = archive.namelist()
            assert len(names) == len(set(names))
            assert not [n for n in names if n.startswith("/") or ".." in n.split("/")]
            assert [n for n in names if n.endswith("_coffre-names.txt")]


def test_the_second_run_of_an_unchanged_folder_sends_nothing(client: Client) -> None:
    for number in range(300):
        (client.source / f"letter-{number}.txt").write_text(f"Madame, Monsieur {number}")
    assert client.run().code == 0

    async def rows() -> tuple[int, ...]:
        conn = await asyncpg.connect(client.world.stack["postgres"]["dsn"])
        try:
            tables = ("chunks", "packs", "versions", "folders")
            counts = [
                await conn.fetchval(
                    f"SELECT count(*) FROM catalogue.{table} WHERE tenant_id = $1", client.tenant_id
                )
                for table in tables
            ]
            return tuple(counts)
        finally:
            await conn.close()

    before = asyncio.run(rows())
    second = client.run()
    assert second.code == 0, second.errors
    assert second.summary["bytes_sent"] == 0
    assert second.summary["files_new"] == second.summary["files_changed"] == 0
    assert second.summary["files_total"] == 300
    assert asyncio.run(rows()) == before


def test_every_restore_point_can_be_seen_and_restored(client: Client, tmp_path: Path) -> None:
    letter = client.source / "letter.txt"
    gone = client.source / "drafts" / "draft.txt"
    gone.parent.mkdir()
    letter.write_text("first")
    gone.write_text("to be deleted")
    first = client.run().summary
    letter.write_text("second, longer")
    gone.unlink()
    gone.parent.rmdir()
    (client.source / "new.txt").write_text("new")
    assert client.run().code == 0

    with client.sign_in() as api:
        runs = api.get("plans/documents/runs").json()["runs"]
        numbers = sorted(run["number"] for run in runs if run["restore_point"])
        assert len(numbers) == 2
        old, new = numbers

        def names(run: int) -> set[str]:
            answer = api.get(
                "plans/documents/entries", params={"path": str(client.source), "run": run}
            )
            return {entry["name"] for entry in answer.json()["entries"]}

        assert names(old) == {"letter.txt", "drafts"}
        assert names(new) == {"letter.txt", "new.txt"}
        content = api.get("plans/documents/file", params={"path": str(letter), "run": old})
        assert content.text == "first"
        part = api.get(
            "plans/documents/file", params={"path": str(letter)}, headers={"Range": "bytes=8-13"}
        )
        assert (part.status_code, part.text) == (206, "longer")
    back = tmp_path / "back"
    assert (
        client.restore(back, "--run", str(old), "--path", str(client.source / "drafts")).code == 0
    )
    assert (back / str(gone).lstrip("/")).read_text() == "to be deleted"
    assert not (back / str(letter).lstrip("/")).exists()
    assert first["run_id"]


def test_the_report_tells_the_outcome_in_the_clients_language(client: Client) -> None:
    (client.source / "facture.pdf").write_bytes(b"%PDF-1.4 not really")
    assert client.run().code == 0
    report = client.world.mail(client.email, "REUSSIE")
    assert "documents" in str(report["Subject"])
    assert report["Auto-Submitted"] == "auto-generated"
    assert report.get_body(("html",)) is not None
    text = text_of(report)
    assert client.world.stack["portal"]["url"] in text


def test_a_folder_that_is_gone_fails_the_run_and_tells_the_client(client: Client) -> None:
    (client.source / "a").write_text("a")
    assert client.run().code == 0
    client.write_config(folders=[client.source / "no-such-folder"])
    failed = client.run()
    assert failed.code == 1
    assert failed.summary["outcome"] == "failed"
    client.world.mail(client.email, "ECHEC")
    with client.sign_in() as api:
        listed = api.get("plans/documents/entries", params={"path": str(client.source)})
        assert [entry["name"] for entry in listed.json()["entries"]] == ["a"]


def test_an_ended_subscription_accepts_and_gives_back_nothing(client: Client) -> None:
    (client.source / "a").write_text("a")
    assert client.run().code == 0
    with client.sign_in() as client_api, client.world.operator() as operator:
        answer = operator.post(f"tenants/{client.tenant_id}/end", json={"reason": "contract ended"})
        assert answer.status_code in {200, 202, 204}, answer.text
        eventually(
            lambda: client_api.get("plans/documents/archive?format=tar").status_code == 403,
            "end of recovery",
        )
    (client.source / "b").write_text("b")

    def refused() -> bool:
        return "subscription-ended" in client.run().output

    eventually(refused, "refusal of the run")
    assert client.run().code == 1

    async def due() -> object:
        conn = await asyncpg.connect(client.world.stack["postgres"]["dsn"])
        try:
            return await conn.fetchval(
                "SELECT due_at - ended_at FROM retention.destructions WHERE tenant_id = $1",
                client.tenant_id,
            )
        finally:
            await conn.close()

    term = eventually(lambda: asyncio.run(due()), "destruction date")
    assert getattr(term, "days", None) == 30


def test_what_a_stranger_asks_for_does_not_exist(make_client: Callable[..., Client]) -> None:
    owner, stranger = make_client("Garage Le Goff"), make_client("Étude Morvan")
    (owner.source / "secret.txt").write_text("salaires")
    assert owner.run().code == 0
    with owner.sign_in() as api:
        plan = api.get("plans").json()["plans"][0]["plan_id"]
    with stranger.sign_in() as api:
        assert api.get("plans").json()["plans"] == []
        for route in (
            "runs",
            "entries",
            f"file?path={owner.source}/secret.txt",
            "archive?format=tar",
        ):
            answer = api.get(f"plans/{plan}/{route}")
            assert answer.status_code == 404, route
            assert answer.headers["content-type"] == "application/problem+json"


def sign_in(page: Any, email: str, password: str) -> None:
    page.fill("#email", email)
    page.fill("#password", password)
    page.click("button.main")


def test_a_client_signs_in_browses_and_downloads_with_a_browser(
    client: Client, tmp_path: Path, world: World
) -> None:
    from playwright.sync_api import expect, sync_playwright

    folder = client.source / "compta"
    folder.mkdir()
    (folder / "bilan 2026.txt").write_text("tout va bien")
    (folder / "<img src=x onerror=alert(1)>.html").write_text("<script>alert(1)</script>")
    assert client.run().code == 0
    client.world.mail(client.email, "REUSSIE")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(locale="fr-FR")
        alerts: list[str] = []
        page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
        page.goto(world.stack["portal"]["url"])
        sign_in(page, client.email, "not the password")
        expect(page.get_by_role("alert")).to_be_visible()
        sign_in(page, client.email, client.password)
        page.get_by_role("link", name="documents").first.click()
        page.get_by_role("link", name="Parcourir").first.click()
        for part in str(folder).strip("/").split("/"):
            page.get_by_role("link", name=part, exact=True).last.click()
        with page.expect_download() as download:
            page.get_by_role("link", name="Télécharger bilan 2026.txt").click()
        saved = tmp_path / "saved"
        download.value.save_as(saved)
        assert saved.read_text() == "tout va bien"
        with page.expect_download() as download:
            page.get_by_role("link", name="Télécharger <img").click()
        assert alerts == []
        page.get_by_role("button", name="Se déconnecter").click()
        expect(page.locator("#email")).to_be_visible()
        browser.close()


def test_the_tar_of_a_folder_is_a_plain_tar(client: Client) -> None:
    (client.source / "a.txt").write_text("a")
    (client.source / "empty").mkdir()
    assert client.run().code == 0
    with client.sign_in() as api:
        answer = api.get(
            "plans/documents/archive", params={"format": "tar", "path": str(client.source)}
        )
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        names = {name.rstrip("/") for name in archive.getnames()}
    assert names == {"source", "source/a.txt", "source/empty"}


def test_without_a_token_nobody_gets_anything(world: World) -> None:
    with httpx2.Client(base_url=world.stack["portal"]["url"]) as api:
        assert api.get("/api/v1/plans").status_code == 401
    with httpx2.Client(base_url=world.stack["ingest"]["url"]) as api:
        answer = api.post("/v1/runs", json={}, headers={"Authorization": "Bearer nonsense"})
        assert answer.status_code == 401
        assert answer.json()["type"]
