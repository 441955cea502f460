"""The whole path: a client is opened, copies, is reported, browses, and gets everything back."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import httpx2
import pytest

from devstack import mails
from tests.trees import build_hostile_tree, compare_trees
from tests.world.clients import PASSWORD
from tests.world.machines import Machine, summary_of
from tests.world.running import Installation
from tests.world.waiting import wait_for

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(600)]


def give_names_back(unpacked: Path) -> None:
    """Calls what an archive could not safely name as its own list says that it was called."""
    told = (unpacked / "_coffre-names.txt").read_bytes().partition(b"\r\n\r\n")[2]
    changed = [line.split(b"\t") for line in told.splitlines()]
    for name, original in sorted(changed, key=lambda line: -line[0].count(b"/")):
        folder = unpacked / os.fsdecode(name.rpartition(b"/")[0])
        last = unquote_to_bytes(original).rpartition(b"/")[2]
        times = folder.stat()
        (folder / os.fsdecode(name.rpartition(b"/")[2])).rename(folder / os.fsdecode(last))
        os.utime(folder, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_a_hostile_folder_comes_back_identical(machine: Machine, tmp_path: Path) -> None:
    machine.source.rmdir()
    specials = build_hostile_tree(machine.source)

    ran = machine.agent("run", "documents", "--json")
    summary = summary_of(ran)
    assert ran.returncode == (3 if summary["files_not_copied"] else 0), ran.stderr
    assert summary["files_total"] > 10
    assert summary["bytes_sent"] > 0

    back = tmp_path / "back"
    machine.client.restore(machine, back)
    inside = back / str(machine.source).lstrip("/")
    assert compare_trees(machine.source, inside, ignore=specials) == []

    with machine.client.sign_in() as api:
        answer = api.get(
            "plans/documents/archive", params={"format": "tar", "path": str(machine.source)}
        )
        assert answer.status_code == 200, answer.text
        unpacked = tmp_path / "tar"
        unpacked.mkdir()
        subprocess.run(["tar", "-xpf", "-", "-C", unpacked], input=answer.content, check=True)
        give_names_back(unpacked)
        assert compare_trees(machine.source, unpacked / machine.source.name, ignore=specials) == []

        answer = api.get(
            "plans/documents/archive", params={"format": "zip", "path": str(machine.source)}
        )
        assert answer.status_code == 200
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.testzip() is None
            names = archive.namelist()
            assert len(names) == len(set(names))
            assert not [n for n in names if n.startswith("/") or ".." in n.split("/")]
            assert [n for n in names if n.endswith("_coffre-names.txt")]


def test_the_second_run_of_an_unchanged_folder_sends_nothing(machine: Machine) -> None:
    for number in range(300):
        (machine.source / f"letter-{number}.txt").write_text(f"Madame, Monsieur {number}")
    machine.run()

    def rows() -> list[int]:
        return [
            machine.client.house.query(
                f"SELECT count(*) FROM catalogue.{table} WHERE tenant_id = $1",
                machine.client.tenant_id,
            )[0][0]
            for table in ("chunks", "packs", "versions", "folders")
        ]

    before = rows()
    second = machine.run()
    assert second["bytes_sent"] == 0
    assert second["files_new"] == second["files_changed"] == 0
    assert second["files_total"] == 300
    assert rows() == before


def test_every_restore_point_can_be_seen_and_restored(machine: Machine, tmp_path: Path) -> None:
    letter = machine.source / "letter.txt"
    gone = machine.source / "drafts" / "draft.txt"
    gone.parent.mkdir()
    letter.write_text("first")
    gone.write_text("to be deleted")
    first = machine.run()
    letter.write_text("second, longer")
    gone.unlink()
    gone.parent.rmdir()
    (machine.source / "new.txt").write_text("new")
    machine.run()

    with machine.client.sign_in() as api:

        def points() -> list[int] | None:
            runs = api.get("plans/documents/runs").json()["runs"]
            numbers = sorted(run["number"] for run in runs if run["restore_point"])
            return numbers if len(numbers) == 2 else None

        old, new = wait_for("both restore points in the portal", points)

        def names(run: int) -> set[str]:
            answer = api.get(
                "plans/documents/entries", params={"path": str(machine.source), "run": run}
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
    drafts = str(machine.source / "drafts")
    machine.client.restore(machine, back, "--run", str(old), "--path", drafts)
    assert (back / str(gone).lstrip("/")).read_text() == "to be deleted"
    assert not (back / str(letter).lstrip("/")).exists()
    assert first["run_id"]


def test_the_report_tells_the_outcome_in_the_clients_language(machine: Machine) -> None:
    (machine.source / "facture.pdf").write_bytes(b"%PDF-1.4 not really")
    machine.run()
    report = machine.client.house.mail(machine.client.email, "REUSSIE")
    assert "documents" in str(report["Subject"])
    assert report["Auto-Submitted"] == "auto-generated"
    assert report.get_body(("html",)) is not None
    assert machine.client.house.url("portal") in mails.text(report)


def test_a_folder_that_is_gone_fails_the_run_and_tells_the_client(machine: Machine) -> None:
    (machine.source / "a").write_text("a")
    machine.run()
    source = machine.source
    machine.plans["documents"]["folders"] = [str(source / "no-such-folder")]
    assert machine.run(expect=1)["outcome"] == "failed"
    machine.client.house.mail(machine.client.email, "ECHEC")
    with machine.client.sign_in() as api:
        listed = api.get("plans/documents/entries", params={"path": str(source)})
        assert [entry["name"] for entry in listed.json()["entries"]] == ["a"]


def test_an_ended_subscription_accepts_and_gives_back_nothing(machine: Machine) -> None:
    (machine.source / "a").write_text("a")
    machine.run()
    with machine.client.sign_in() as client_api, machine.client.house.operator() as operator:
        answer = operator.post(
            f"tenants/{machine.client.tenant_id}/end", json={"reason": "contract ended"}
        )
        assert answer.status_code in {200, 202, 204}, answer.text
        wait_for(
            "the end of recovery",
            lambda: client_api.get("plans/documents/archive?format=tar").status_code == 403,
        )
    (machine.source / "b").write_text("b")

    def refused() -> bool:
        return "subscription-ended" in machine.agent("run", "documents", "--json").stdout

    wait_for("the refusal of the run", refused)
    machine.run(expect=1)
    due = "SELECT due_at - ended_at AS term FROM retention.destructions WHERE tenant_id = $1"
    [[term]] = wait_for(
        "the date of destruction",
        lambda: machine.client.house.query(due, machine.client.tenant_id) or None,
    )
    assert term.days == 30


def test_what_a_stranger_asks_for_does_not_exist(make_machine: Callable[..., Machine]) -> None:
    owner, stranger = make_machine("Garage Le Goff"), make_machine("Étude Morvan")
    (owner.source / "secret.txt").write_text("salaires")
    owner.run()
    with owner.client.sign_in() as api:
        plan = api.get("plans").json()["plans"][0]["plan_id"]
    with stranger.client.sign_in() as api:
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
    machine: Machine, tmp_path: Path, installation: Installation
) -> None:
    from playwright.sync_api import expect, sync_playwright

    folder = machine.source / "compta"
    folder.mkdir()
    (folder / "bilan 2026.txt").write_text("tout va bien")
    (folder / "<img src=x onerror=alert(1)>.html").write_text("<script>alert(1)</script>")
    machine.run()
    machine.client.house.mail(machine.client.email, "REUSSIE")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(locale="fr-FR")
        alerts: list[str] = []
        page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
        page.goto(installation.url("portal"))
        sign_in(page, machine.client.email, "not the password")
        expect(page.get_by_role("alert")).to_be_visible()
        sign_in(page, machine.client.email, PASSWORD)
        page.get_by_role("link", name="documents").first.click()
        page.get_by_role("link", name="Parcourir").first.click()
        # It opens where the plan's tree first parts.
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


def test_the_tar_of_a_folder_is_a_plain_tar(machine: Machine) -> None:
    (machine.source / "a.txt").write_text("a")
    (machine.source / "empty").mkdir()
    machine.run()
    with machine.client.sign_in() as api:
        answer = api.get(
            "plans/documents/archive", params={"format": "tar", "path": str(machine.source)}
        )
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        names = {name.rstrip("/") for name in archive.getnames()}
    assert names == {"source", "source/a.txt", "source/empty"}


def test_without_a_token_nobody_gets_anything(installation: Installation) -> None:
    with httpx2.Client(base_url=installation.url("portal"), timeout=60) as api:
        assert api.get("/api/v1/plans").status_code == 401
    with httpx2.Client(base_url=installation.url("ingest"), timeout=60) as api:
        answer = api.post("/v1/runs", json={}, headers={"Authorization": "Bearer nonsense"})
        assert answer.status_code == 401
        assert answer.json()["type"]
