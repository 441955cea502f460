"""What commits bring is found by a part of its name, soon after, by its owner alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from libs.shared import catalogue, database
from libs.shared.catalogue import Cursor, Search, terms
from libs.shared.crashpoints import EXIT_CODE
from libs.shared.entries import FolderDelta
from tests.world.agents import Agent, folder, link
from tests.world.house import House
from tests.world.tenants import Tenant


async def settle(service: House) -> None:
    """Waits until nothing is due any more."""
    deadline = time.monotonic() + 60
    while (await service.fetch("SELECT count(*) FROM ingest.names_due"))[0][0]:
        assert time.monotonic() < deadline, "names stay due"
        time.sleep(0.05)


async def find(
    pool: Any, tenant_id: UUID, text: str | bytes, after: Cursor | None = None,
    limit: int = 50, **more: Any,
) -> tuple[list[catalogue.Found], Cursor | None]:  # fmt: skip
    raw = text.encode() if isinstance(text, str) else text
    async with database.tenant_transaction(pool, tenant_id) as conn:
        wanted = Search(terms.fold(raw), **more)
        return await catalogue.search(conn, tenant_id, wanted, after, limit)


async def paths(pool: Any, tenant_id: UUID, text: str | bytes, **more: Any) -> list[bytes]:
    found, _ = await find(pool, tenant_id, text, **more)
    return sorted(one.path for one in found)


async def test_a_file_is_found_wherever_and_whatever_became_of_it(
    agent: Agent, stranger: Agent, ingest: House, portal_pool: Any
) -> None:
    plan, other = await agent.declare(), await agent.declare("photos")
    tenant_id = agent.tenant.tenant_id
    x, y = b"x", b"yy"
    accounts = "Comptabilité".encode()
    awkward = [b"bad\xffname.txt", b"line\nname", "\u202ename.exe".encode(), b"name%_'--"]
    await agent.copy(
        plan,
        FolderDelta(b"", [folder(b"srv")], []),
        FolderDelta(b"srv", [folder(accounts), folder(b"old"), link(b"ln", b"x")], []),
        FolderDelta(
            b"srv/" + accounts,
            [agent.file("Facture n°12 - Été.pdf".encode(), x), agent.file(b"index.html", x)],
            [],
        ),
        FolderDelta(b"srv/old", [agent.file(name, x) for name in [*awkward, b"index.html"]], []),
        contents=[x, y],
    )  # fmt: skip
    await agent.copy(other, FolderDelta(b"", [agent.file(b"facture.jpg", x)], []), contents=[x])
    # A file grows; a folder goes with all that is in it.
    await agent.copy(
        plan,
        FolderDelta(b"srv/" + accounts, [agent.file(b"index.html", y)], []),
        FolderDelta(b"srv", [], [b"old"]),
        contents=[y],
    )
    await settle(ingest)

    bill = "srv/Comptabilité/Facture n°12 - Été.pdf".encode()
    assert await paths(portal_pool, tenant_id, "FACTURE") == [b"facture.jpg", bill]
    assert await paths(portal_pool, tenant_id, "facture", plan_id=UUID(plan)) == [bill]
    assert await paths(portal_pool, tenant_id, "ete.pd") == [bill]
    assert await paths(portal_pool, tenant_id, "fa") == [b"facture.jpg", bill]
    assert await paths(portal_pool, tenant_id, "ct") == []  # too short for the middle of a name
    assert await paths(portal_pool, tenant_id, "compta") == [b"srv/" + accounts]
    assert await paths(portal_pool, tenant_id, "ln") == [b"srv/ln"]
    assert await paths(portal_pool, tenant_id, "nowhere to be found") == []
    assert await paths(portal_pool, tenant_id, "facturex") == []

    pages, _ = await find(portal_pool, tenant_id, "index")
    shown = {one.path: one for one in pages}
    kept, gone = shown["srv/Comptabilité/index.html".encode()], shown[b"srv/old/index.html"]
    assert (kept.entry.size, kept.last_point, kept.is_deleted) == (2, 2, False)
    assert (gone.entry.size, gone.last_point, gone.is_deleted) == (1, 1, True)
    assert await paths(portal_pool, tenant_id, "index", deleted=True) == [b"srv/old/index.html"]
    assert len(await paths(portal_pool, tenant_id, "index", deleted=False)) == 1
    below: dict[str, Any] = {"plan_id": UUID(plan), "below": b"/srv/old/"}
    assert await paths(portal_pool, tenant_id, "index", **below) == [b"srv/old/index.html"]
    assert await paths(portal_pool, tenant_id, "index", plan_id=UUID(plan), below=b"srv/o") == []

    hostile = sorted(b"srv/old/" + name for name in awkward)
    assert await paths(portal_pool, tenant_id, "name", **below) == hostile
    assert await paths(portal_pool, tenant_id, b"\xffname") == [b"srv/old/bad\xffname.txt"]
    assert await paths(portal_pool, tenant_id, r"d\xffn") == [b"srv/old/bad\xffname.txt"]
    assert await paths(portal_pool, tenant_id, "e%_") == [b"srv/old/name%_'--"]

    theirs = stranger.tenant.tenant_id
    assert await paths(portal_pool, theirs, "index") == []
    async with database.tenant_transaction(portal_pool, theirs) as conn:
        assert await catalogue.search(conn, tenant_id, Search("index")) == ([], None)
    # However often a path changed, its name is kept once.
    bundles = await ingest.fetch(
        "SELECT folder_id, names FROM catalogue.bundles WHERE tenant_id = $1", tenant_id
    )
    kept_names = [(row["folder_id"], name) for row in bundles for name in row["names"].split(b"\0")]
    assert len(kept_names) == len(set(kept_names)) == 12
    # An unchanged run leaves nothing to do.
    await agent.copy(plan, contents=[])
    assert not await ingest.fetch("SELECT FROM ingest.names_due")


async def test_pages_follow_each_other_and_miss_nothing(
    agent: Agent, ingest: House, portal_pool: Any
) -> None:
    plan = await agent.declare()
    tenant_id = agent.tenant.tenant_id
    expected = set()
    for night in range(3):
        here = b"night%d" % night
        names = [b"photo %04d.jpg" % number for number in range(90)]
        expected |= {here + b"/" + name for name in names}
        await agent.copy(
            plan,
            FolderDelta(b"", [folder(here)], []),
            FolderDelta(here, [agent.file(name, b"x") for name in names], []),
            contents=[b"x"],
        )
    await agent.copy(plan, FolderDelta(b"night1", [], [b"photo 0007.jpg"]), contents=[])
    await settle(ingest)

    async def read(limit: int, **more: Any) -> list[bytes]:
        seen: list[bytes] = []
        after = None
        while True:
            found, after = await find(portal_pool, tenant_id, "OTO 0", after, limit, **more)
            seen += [one.path for one in found]
            if after is None:
                return seen

    for limit in (1, 7, 50, 1000):
        seen = await read(limit)
        assert len(seen) == len(expected), limit
        assert set(seen) == expected
    assert seen[0].startswith(b"night2/")  # what came last comes first
    assert await read(10, deleted=True) == [b"night1/photo 0007.jpg"]
    assert len(await read(10, deleted=False)) == len(expected) - 1


async def test_a_file_that_comes_back_after_its_versions_went_is_found_once(
    agent: Agent, ingest: House, portal_pool: Any
) -> None:
    plan = await agent.declare()
    tenant_id = agent.tenant.tenant_id
    bill = agent.file(b"facture.pdf", b"x")
    await agent.copy(plan, FolderDelta(b"", [bill], []), contents=[b"x"])
    await settle(ingest)
    await agent.copy(plan, FolderDelta(b"", [], [b"facture.pdf"]), contents=[])
    await settle(ingest)
    await ingest.fetch(
        "DELETE FROM catalogue.versions WHERE tenant_id = $1 AND last_run IS NOT NULL", tenant_id
    )
    await agent.copy(plan, FolderDelta(b"", [bill], []), contents=[b"x"])
    await settle(ingest)
    found, after = await find(portal_pool, tenant_id, "facture")
    assert ([(one.path, one.last_point) for one in found], after) == ([(b"facture.pdf", 3)], None)


async def test_a_page_without_result_reads_on_before_it_comes_back_empty(
    agent: Agent, ingest: House, portal_pool: Any
) -> None:
    plan = await agent.declare()
    tenant_id = agent.tenant.tenant_id
    delta = FolderDelta(b"", [agent.file(b"needle", b"x")], [])
    await agent.copy(plan, delta, contents=[b"x"])
    await settle(ingest)

    async def bury(below: int) -> None:
        """Puts bundles before it that have all its terms, in different names."""
        await ingest.fetch(
            """
            INSERT INTO catalogue.bundles SELECT tenant_id, n, plan_id, folder_id,
                convert_to('needl', 'UTF8') || '\\x00'::bytea || convert_to('edle', 'UTF8')
            FROM catalogue.bundles, generate_series(1, $2::integer) AS n
            WHERE tenant_id = $1 AND bundle_no = 0 ON CONFLICT DO NOTHING
            """,
            tenant_id,
            below,
        )
        await ingest.fetch(
            "UPDATE catalogue.terms SET places = $2 WHERE tenant_id = $1",
            tenant_id,
            terms.pack_places(range(below + 1)),
        )
        await ingest.fetch(
            "UPDATE catalogue.bundle_counts SET bundles = $2 WHERE tenant_id = $1",
            tenant_id,
            below + 1,
        )

    await bury(1_999)
    found, after = await find(portal_pool, tenant_id, "needle")
    assert ([one.path for one in found], after) == ([b"needle"], None)
    await bury(2_000)
    found, after = await find(portal_pool, tenant_id, "needle")
    assert (found, after) == ([], Cursor(0, 0))
    found, after = await find(portal_pool, tenant_id, "needle", after)
    assert ([one.path for one in found], after) == ([b"needle"], None)


async def test_a_crash_neither_loses_nor_doubles_a_name(own_ingest: Callable[..., House]) -> None:
    service = own_ingest(COFFRE_CRASHPOINT="ingest.in_add_names")
    tenant = Tenant(service)
    await tenant.becomes("active")
    agent = await tenant.enrol()
    plan = await agent.declare()
    delta = FolderDelta(b"", [agent.file(b"lost and found", b"x")], [])
    await agent.copy(plan, delta, contents=[b"x"])
    await agent.client.aclose()
    assert service.died("ingest") == EXIT_CODE
    service.start("ingest", COFFRE_CRASHPOINT="")
    await settle(service)
    dsn = service.dsn("portal")
    pool = await database.create_pool(dsn, "portal", max_size=1)
    assert await paths(pool, tenant.tenant_id, "st and f") == [b"lost and found"]
    assert (await service.fetch("SELECT count(*) FROM catalogue.bundles"))[0][0] == 1
    await pool.close()
