"""What operators do for all clients, by page: notices, billing, prices, events, destructions."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID, uuid4

from services.portal.rules.log import acts
from tests.portal.acting import destruction, notices
from tests.portal.acting.world import (
    AT_PARKED,
    CLIENT,
    REASON,
    Acting,
    World,
    after,
    nobody,
    nothing,
    own,
    page,
)

PAGE = "/clients/{tenant_id}"
TEXTS = {"title_fr": "Lieu", "title_en": "Place", "text_fr": "Ici", "text_en": "Here"}


async def put_prices(world: World) -> Any:
    """The price lists that count, put once more."""
    shown = await world.desk.get("/prices")
    fields = dict(re.findall(r'name="([\w-]+)" value="([^"]*)"', shown.text))
    return await world.desk.post("/prices", data=fields)


async def draft_notice(world: World) -> str:
    """The path of a notice that nobody is told of."""
    found = uuid4()
    await world.portal.admin.execute(
        """INSERT INTO portal.notices (notice_id, kind, title_fr, title_en, text_fr, text_en,
           ahead, everybody, drafted_at, drafted_by)
           VALUES ($1, 'text', 'a', 'a', 'a', 'a', '0', true, now(), 'Anne')""",
        found,
    )  # fmt: skip
    return f"/notices/{found}"


async def send_again(world: World) -> Any:
    """Writes once more to a client that was told."""
    path = await draft_notice(world)
    notice_id = UUID(path.rpartition("/")[2])
    await world.portal.admin.execute(
        "UPDATE portal.notices SET published_at = now(), published_by = 'Anne'"
        " WHERE notice_id = $1",
        notice_id,
    )
    await world.portal.admin.execute(
        "INSERT INTO portal.notice_clients VALUES ($1, $2, 1, gen_random_uuid(), now())",
        notice_id, world.client.tenant_id,
    )  # fmt: skip
    return await world.send(world.desk, f"{path}/clients/{world.client.tenant_id}/send")


async def destroy_by_page(world: World) -> Any:
    """A destruction that waits is held."""
    await destruction.due(world)
    return await world.send(world.desk, "/destructions/{tenant}/hold", **REASON)


async def certificate_by_page(world: World) -> Any:
    """A certificate, as a file."""
    await destruction.certify(world)
    return await world.get(world.desk, CLIENT + "/certificate")


ACTING: Acting = {
    ("GET", "/notices"): (page("/notices"), nobody(acts.NoticesListed)),
    ("POST", "/notices/new"): (
        after(nothing, "/notices/new", kind="text", ahead_days="0", **TEXTS),
        nobody(acts.NoticeDrafted),
    ),
    ("GET", "/notices/{notice_id}"): (
        lambda w: notices.step(w, "", w.reads_by, by=w.desk, root="/notices"),
        nobody(acts.NoticeViewed),
    ),
    ("POST", "/notices/{notice_id}/{step}"): (
        after(draft_notice, "{}/publish"),
        nobody(acts.NoticePublished),
    ),
    ("POST", "/notices/{notice_id}/clients/{tenant_id}/send"): (
        send_again,
        own(acts.NoticeSentAgain),
    ),
    ("GET", "/billing/{month}"): (page("/billing/2026-10"), nobody(acts.BillingViewed)),
    ("GET", "/billing/{month}/export"): (
        page("/billing/2026-10/export"),
        nobody(acts.BillingExported),
    ),
    ("POST", "/billing/{month}/close"): (
        after(nothing, "/billing/{month}/close"),
        nobody(acts.MonthClosed),
    ),
    ("GET", "/prices"): (page("/prices"), nobody(acts.PricesViewed)),
    ("POST", "/prices"): (put_prices, nobody(acts.PricesViewed, acts.PricesPut)),
    ("GET", "/parked"): (page("/parked"), nobody(acts.ParkedListed)),
    ("GET", "/parked/{service}/{event_id}"): (
        page(AT_PARKED.removeprefix("/api/v1")),
        nobody(acts.ParkedViewed),
    ),
    ("POST", "/parked/{service}/{event_id}/{decision}"): (
        after(nothing, AT_PARKED.removeprefix("/api/v1") + "/replay", **REASON),
        nobody(acts.ParkedDecided),
    ),
    ("GET", "/destructions"): (page("/destructions"), nobody(acts.DestructionsListed)),
    ("POST", "/destructions/{tenant_id}/{decision}"): (
        destroy_by_page,
        own(acts.DestructionHeld),
    ),
    ("GET", PAGE + "/certificate"): (certificate_by_page, own(acts.CertificateRead)),
}
