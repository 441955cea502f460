"""A restore point that expires while it is read: nobody takes half of it for the whole."""

from __future__ import annotations

from typing import Any

import pytest

from libs.shared import catalogue
from services.portal.actions.files import browsing
from services.portal.actions.files.browsing import AskedPlace
from services.portal.rules.log.chain import Actor
from tests.portal import builder
from tests.portal.test_pages import PASSWORD, browser, form_token, sign_in


async def test_a_walk_over_an_expired_restore_point_does_not_end_well(portal: Any) -> None:
    client = await builder.open_client(portal)
    await client.commit({b"a/%d" % n: builder.text(b"%d" % n) for n in range(3)})
    await client.commit({b"a/9": builder.text(b"nine")}, number=2)
    pool = portal.parts.pool
    reader = Actor(client.tenant_id, None, "Camille", "127.0.0.1")
    place = await browsing.find_place(pool, AskedPlace(reader, str(client.plan_id), b"", 1))
    assert [folders async for folders in browsing.walk(pool, place, catalogue.ROWS)]
    await portal.admin.execute(
        "DELETE FROM catalogue.runs WHERE tenant_id = $1 AND number = 1", client.tenant_id
    )
    for in_order in (False, True):
        with pytest.raises(catalogue.PointExpired):
            [_ async for _ in browsing.walk(pool, place, catalogue.ROWS, in_order=in_order)]


async def test_who_comes_for_an_expired_restore_point_is_told_and_led_on(portal: Any) -> None:
    client = await builder.open_client(portal)
    await client.commit({b"a/1": builder.text(b"one")})
    await client.commit({b"a/2": builder.text(b"two")}, number=2)
    await portal.admin.execute(
        "DELETE FROM catalogue.runs WHERE tenant_id = $1 AND number = 1", client.tenant_id
    )
    here = f"/plans/{client.plan_id}"
    async with browser(portal) as page:
        await sign_in(page, client.email, PASSWORD)
        led = await page.get(here + "/files?run=1&path=a")
        assert (led.status_code, "ou plus\u00a0: voici le premier" in led.text) == (200, True)
        assert "run=2&amp;path=a/2" in led.text
        token = form_token(led.text)
        ticked = {"form_token": token, "path": "a", "run": "1", "pick": ["1"]}
        for answer in (
            await page.get(here + "/files?run=3"),
            await page.get(here + "/file?run=1&path=a/1"),
            await page.get(f"/api/v1{here}/file?run=1&path=a/1"),
            await page.get(f"/api/v1{here}/archive?run=1&path=a"),
            await page.post(here + "/selection", data=ticked),
        ):
            assert (answer.status_code, "choisissez-en un autre" in answer.text) == (404, True)
