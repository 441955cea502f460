"""Several files of a folder as one archive: whole, safe, bounded, and one's own."""

from __future__ import annotations

import io
import re
import tarfile
import zipfile
from typing import Any

import pytest

from libs.shared import bucket, clock
from libs.shared.database import transaction
from services.portal import store
from services.portal.rules.files import names
from tests.portal import builder
from tests.portal.test_pages import PASSWORD, browser, form_token, sign_in

ARCHIVE = "/api/v1/plans/documents/archive"
ODD = b"<b>\xff &%41.txt"
PICKED = [ODD, b"sub", b"..link", b"a.txt"]


@pytest.fixture
async def client(portal: Any) -> builder.Client:
    """A folder with awkward names, a folder below it, a link; a second day."""
    client = await builder.open_client(portal)
    await client.commit(
        {
            b"srv/a.txt": builder.text(b"first"),
            b"srv/" + ODD: builder.text(b"odd one"),
            b"srv/sub/deep/x": builder.text(b"deep"),
            b"srv/..link": builder.link(b"a.txt"),
            b"srv/left.txt": builder.text(b"left out"),
        }
    )
    await client.commit({b"srv/a.txt": builder.text(b"second")}, 2)
    return client


def asked(*chosen: bytes, **more: Any) -> dict[str, Any]:
    return {"path": "srv", "names": [names.quoted(name) for name in chosen], **more}


async def test_what_was_picked_comes_and_nothing_else(portal: Any, client: Any) -> None:
    async with portal.client(client.token) as api:
        answer = await api.post(ARCHIVE, json=asked(*PICKED, run=1))
        assert answer.status_code == 200, answer.text
        assert int(answer.headers["content-length"]) == len(answer.content)
        told = (await api.post(ARCHIVE + "/size", json=asked(*PICKED, run=1))).json()
        assert told == {"names": 4, "size": len(answer.content)}
        packed = zipfile.ZipFile(io.BytesIO(answer.content))
        assert packed.testzip() is None
        inside = {name: packed.read(name) for name in packed.namelist() if name[-1] != "/"}
        changed = next(name for name in inside if name.startswith("_coffre"))
        assert names.quoted(ODD) in inside.pop(changed).decode()
        assert inside.pop("a.txt") == b"first"
        assert inside.pop("sub/deep/x") == b"deep"
        assert inside.pop("..link") == b"a.txt"
        assert list(inside.values()) == [b"odd one"]

        answer = await api.post(ARCHIVE, json=asked(*PICKED, *PICKED, format="tar"))
        with tarfile.open(fileobj=io.BytesIO(answer.content), encoding="utf-8") as tar:
            assert {one.name.encode("utf-8", "surrogateescape") for one in tar} == {
                ODD, b"sub", b"sub/deep", b"sub/deep/x", b"..link", b"a.txt"
            }  # fmt: skip
            member = tar.extractfile("a.txt")
            assert member is not None
            assert member.read() == b"second"


def test_the_log_names_some_of_many() -> None:
    assert names.display_some([b"a", b"b\xff"], 10) == r"a/b\xff"
    many = names.display_some([b"f%d" % number for number in range(1_000)], 50)
    assert many.startswith("f0/f1/f2")
    assert many.endswith("/…")
    assert len(many) <= 52
    assert len(names.display_some([b"x" * 255], 50)) == 51
    assert names.display_some([b"a/b", b"c", b"d/e"], 6) == "a/b//…"


async def test_what_can_not_be_selected_is_refused(portal: Any, client: Any) -> None:
    stranger = await builder.open_client(portal, "eve@stranger.example", "Stranger", plan="other")
    plan = f"/api/v1/plans/{client.plan_id}/archive"
    async with portal.client(client.token) as api, portal.client(stranger.token) as theirs:
        for chosen, status in (
            ([], 422), ([b"none"], 404), ([b"a.txt", b"none"], 404), ([b"sub/deep"], 404),
            ([b".."], 404), ([b""], 404), ([b"f%d" % number for number in range(1_001)], 422),
            ([b"f%d" % number for number in range(200_000)], 413),
        ):  # fmt: skip
            answer = await api.post(ARCHIVE, json=asked(*chosen))
            assert answer.status_code == status, (chosen[:3], answer.text)
        for way in (ARCHIVE, plan, plan + "/size"):
            assert (await theirs.post(way, json=asked(b"a.txt"))).status_code == 404
        gone = asked(b"a.txt", run=99)
        assert (await api.post(ARCHIVE, json=gone)).status_code == 404
        await portal.admin.execute(
            "UPDATE portal.tenants SET subscription = 'suspended' WHERE tenant_id = $1",
            client.tenant_id,
        )
        for way in (ARCHIVE, ARCHIVE + "/size"):
            assert (await api.post(way, json=asked(b"a.txt"))).status_code == 403
    async with portal.operator() as operator:
        assert (await operator.post(plan, json=asked(b"a.txt"))).status_code == 403


async def test_a_form_of_ticked_files_is_ours_alone(portal: Any, client: Any) -> None:
    here = f"/plans/{client.plan_id}/selection"
    async with browser(portal) as page:
        await sign_in(page, client.email, PASSWORD)
        token = form_token((await page.get("/account")).text)
        ticked = {"form_token": token, "path": "srv", "run": "1", "pick": [names.quoted(ODD)]}
        answer = await page.post(here, data=ticked)
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["content-type"] == "application/zip"
        assert "coché" in (await page.post(here + "/size", data=ticked)).text
        statuses = []
        for wrong in ({"form_token": "0" * 64}, {"pick": []}, {"pick": "none"}, {"run": "99"}):
            answer = await page.post(here, data={**ticked, **wrong})
            statuses.append(answer.status_code)
        assert statuses == [403, 422, 404, 404]


@pytest.mark.parametrize(("ticks", "status"), [(140_000, 400), (1_000_000, 413)])
async def test_a_form_of_more_than_anybody_ticks_is_refused_whole(
    portal: Any, client: Any, ticks: int, status: int
) -> None:
    here = f"/plans/{client.plan_id}/selection"
    async with browser(portal) as page:
        await sign_in(page, client.email, PASSWORD)
        token = form_token((await page.get("/account")).text)
        body = f"form_token={token}&path=srv&run=1".encode() + b"&pick=a" * ticks
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        for way in (here, f"{here}/keep"):
            answer = await page.post(way, content=body, headers=form)
            assert answer.status_code == status
        assert "Rien n’est sélectionné" in (await page.get("/selection")).text


MANY = "/api/v1/archive"


def places(*wanted: tuple[str, str, int | None], **more: Any) -> dict[str, Any]:
    return {
        "places": [{"plan": plan, "path": path, "run": run} for plan, path, run in wanted], **more
    }  # fmt: skip


def unpack(answer: Any) -> dict[str, bytes]:
    assert answer.status_code == 200, answer.text
    packed = zipfile.ZipFile(io.BytesIO(answer.content))
    assert packed.testzip() is None
    return {name: packed.read(name) for name in packed.namelist() if name[-1] != "/"}


async def test_places_of_many_folders_and_days_come_as_one(portal: Any, client: Any) -> None:
    other = await client.add_machine("srv-2", "photos")
    await other.commit({b"srv/A.txt": builder.text(b"of another plan")})
    wanted = (
        ("documents", "srv/sub/deep/x", 1), ("documents", "srv/a.txt", 1),
        ("documents", "srv/sub", 1), ("documents", "srv/a.txt", 1),
    )  # fmt: skip
    async with portal.client(client.token) as api:
        answer = await api.post(MANY, json=places(*wanted))
        assert unpack(answer) == {"a.txt": b"first", "sub/deep/x": b"deep"}
        assert answer.headers["x-coffre-run"] == "1"
        assert "srv.zip" in answer.headers["content-disposition"]
        deep = places(wanted[0], ("documents", "srv/left.txt", 1))
        assert unpack(await api.post(MANY, json=deep)).keys() == {"sub/deep/x", "left.txt"}

        wide = places(*wanted, ("documents", "srv/a.txt", None), ("photos", "", None))
        answer = await api.post(MANY, json=wide)
        assert int(answer.headers["content-length"]) == len(answer.content)
        told = (await api.post(MANY + "/size", json=wide)).json()
        assert told == {"names": 4, "size": len(answer.content)}
        assert unpack(answer) == {
            "documents 2026-11-23 02.14/srv/a.txt": b"first",
            "documents 2026-11-23 02.14/srv/sub/deep/x": b"deep",
            "documents 2026-11-24 02.14/srv/a.txt": b"second",
            "photos 2026-11-23 02.14/srv/A.txt": b"of another plan",
        }
        answer = await api.post(MANY, json={**wide, "format": "tar"})
        with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
            found = {one.name for one in tar if one.isfile()}
            assert len(found) == 4
        stranger = await builder.open_client(portal, "eve@stranger.example", "Stranger", plan="p")
        async with portal.client(stranger.token) as theirs:
            plan = str(client.plan_id)
            for way in (MANY, MANY + "/size"):
                answer = await theirs.post(way, json=places((plan, "srv/a.txt", 1)))
                assert answer.status_code == 404
        for wrong, status in (
            (places(), 422), (places(*[("documents", f"srv/{n}", 1) for n in range(1_001)]), 422),
            (places(("documents", "none", 1)), 404), (places(("documents", "srv/a.txt", 9)), 404),
            (places(*[("documents", f"srv/{n}", 1) for n in range(10_000)]), 422),
        ):  # fmt: skip
            answer = await api.post(MANY, json=wrong)
            assert answer.status_code == status, answer.text


async def test_what_is_ticked_here_and_there_is_kept_until_it_is_taken(
    portal: Any, client: Any
) -> None:
    plan = client.plan_id
    async with browser(portal) as page, browser(portal) as theirs:
        await sign_in(page, client.email, PASSWORD)
        token = {"form_token": form_token((await page.get("/selection")).text)}
        folder = {**token, "path": "srv", "run": "1", "next": f"/plans/{plan}/files?path=srv"}
        keep = f"/plans/{plan}/selection/keep"
        answer = await page.post(keep, data={**folder, "pick": ["a.txt", "sub"]})
        assert (answer.status_code, answer.headers["location"]) == (303, folder["next"])
        assert "2 fichiers et dossiers" in (await page.get(folder["next"])).text
        found = {**token, "next": "//elsewhere.example"}
        answer = await page.post(
            "/selection/keep", data={**found, "pick": [f"{plan}/2/srv/left.txt", f"{plan}/1/srv"]}
        )
        assert answer.headers["location"] == "/"
        shown = (await page.get("/selection")).text
        assert "4 fichiers et dossiers" in shown
        inside = unpack(await page.post("/selection", data=token))
        assert inside["documents 2026-11-24 02.14/srv/left.txt"] == b"left out"
        assert len(inside) == 6 + 1  # of one folder as it was, and of another day; the odd name

        stranger = await builder.open_client(portal, "eve@stranger.example", "Stranger", plan="p")
        await sign_in(theirs, stranger.email, PASSWORD)
        own = {"form_token": form_token((await theirs.get("/selection")).text)}
        for way in (keep, "/selection/keep"):
            picked = {**folder, **own, "pick": [f"{plan}/1/srv" if way[1] == "s" else "a.txt"]}
            assert (await theirs.post(way, data=picked)).status_code == 404
        assert (await theirs.post("/selection", data=own)).status_code == 422
        await theirs.post("/selection/drop", data={**own, "all": "yes"})

        boxes = dict(re.findall(r'name="pick" value="(\S+)" aria-label="Cocher ([^"]+)"', shown))
        ids = {name: one for one, name in boxes.items()}
        assert ids.keys() == {"a.txt", "sub", "left.txt", "srv"}
        await page.post("/selection/drop", data={**token, "pick": [ids["srv"], ids["sub"]]})
        await portal.admin.execute(
            "DELETE FROM catalogue.runs WHERE tenant_id = $1 AND number = 1", client.tenant_id
        )
        assert "n’est plus conservé" in (await page.get("/selection")).text
        assert unpack(await page.post("/selection", data=token)) == {"left.txt": b"left out"}
        await portal.admin.execute(
            "INSERT INTO portal.selected SELECT user_id, gen_random_uuid(), tenant_id, plan_id,"
            " number, path, added_at FROM portal.selected, generate_series(1, 499)"
        )
        answer = await page.post(keep, data={**folder, "run": "2", "pick": ["a.txt"]})
        assert answer.status_code == 422
        async with transaction(portal.parts.pool) as conn:
            await store.files.prune_selected(conn, clock.now())
        assert "Rien n’est sélectionné" in (await page.get("/selection")).text
        await portal.admin.execute(
            "UPDATE portal.tenants SET subscription = 'suspended' WHERE tenant_id = $1",
            client.tenant_id,
        )
        assert (await page.get("/selection")).status_code == 403
        assert (await page.post("/selection", data=token)).status_code == 403


async def test_a_damaged_pack_ends_a_selection_before_a_wrong_byte(
    portal: Any, client: Any
) -> None:
    rows = await portal.admin.fetch("SELECT pack_id FROM catalogue.packs")
    for row in rows:
        key = bucket.key_of_pack(client.tenant_id, row["pack_id"])
        content = bytearray(await portal.parts.objects.get(key))
        content[40] ^= 1
        await portal.parts.objects.put(key, bytes(content))
    async with portal.client(client.token) as api:
        answer = await api.post(ARCHIVE, json=asked(b"a.txt", run=1))
        assert answer.status_code == 502
        assert answer.json()["type"].endswith(":damaged")
        preview = await api.get("/api/v1/plans/documents/preview?path=srv/a.txt&run=1")
        assert preview.status_code == 502
    doubted = await portal.events("storage.doubted.v1")
    assert {one["pack_id"] for one in doubted} <= {row["pack_id"].hex() for row in rows}
    assert doubted
