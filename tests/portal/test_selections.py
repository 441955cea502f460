"""Several files of a folder as one archive: whole, safe, bounded, and one's own."""

from __future__ import annotations

import io
import tarfile
import zipfile
from typing import Any

import pytest

from libs.shared import bucket
from services.portal.rules.files import names
from tests.portal import builder
from tests.portal.test_pages import PASSWORD, browser, form_token, sign_in

ARCHIVE = "/api/v1/plans/documents/archive"
ODD = b"<b>\xff &%41.txt"
PICKED = [ODD, b"sub", b"..link", b"a.txt"]


@pytest.fixture
async def client(portal: Any) -> builder.Client:
    """A folder with awkward names, a folder below it, a link."""
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
