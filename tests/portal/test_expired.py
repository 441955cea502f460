"""A restore point that expires while it is read: nobody takes half of it for the whole."""

from __future__ import annotations

from typing import Any

import pytest

from libs.shared import catalogue
from services.portal.actions.files import browsing
from services.portal.actions.files.browsing import AskedPlace
from services.portal.rules.log.chain import Actor
from tests.portal import builder


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
