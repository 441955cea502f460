"""What operators announce to clients."""

from __future__ import annotations

from typing import Any

from services.portal.rules.log import acts
from tests.portal.acting.world import Acting, World, nobody, own

NOTICE: dict[str, Any] = {
    "kind": "location",
    "title": {"fr": "Lieu", "en": "Place"},
    "text": {"fr": "Nouveau lieu", "en": "A new place"},
    "begins_at": "2099-01-01T00:00:00Z",
}
PATH = "/api/v1/notices/{notice_id}"


async def step(
    world: World, name: str, method: str = "POST", *, by: Any = None, root: str = "", **more: Any
) -> Any:
    """One step of the newest notice; what a step needs was done to it by others."""
    admin = world.portal.admin
    if name == "/withdraw":
        await world.operator.post("/api/v1/notices", json=NOTICE)
    newest = await admin.fetchval(
        "SELECT notice_id FROM portal.notices ORDER BY drafted_at DESC LIMIT 1"
    )
    if name.endswith("/send"):
        await admin.execute(
            """INSERT INTO portal.notice_clients SELECT $1, tenant_id, 1, gen_random_uuid(), now()
               FROM portal.tenants ON CONFLICT DO NOTHING""",
            newest,
        )
    if name == "/carry-out":
        await admin.execute(
            """UPDATE portal.notices SET begins_at = now(), ahead = interval '0'
               WHERE notice_id = $1""",
            newest,
        )
        await admin.execute(
            """INSERT INTO portal.notice_mails
               SELECT mailing_id, tenant_id, 'a@b.example', 'accepted', '', now()
               FROM portal.notice_clients WHERE notice_id = $1""",
            newest,
        )
    where = f"{root or '/api/v1/notices'}/{newest}{name}"
    return await (by or world.operator).request(method, where, **more)


ACTING: Acting = {
    ("POST", "/api/v1/notices"): (
        lambda w: w.operator.post("/api/v1/notices", json=NOTICE),
        nobody(acts.NoticeDrafted),
    ),
    ("GET", "/api/v1/notices"): (
        lambda w: w.get(w.operator, "/api/v1/notices"),
        nobody(acts.NoticesListed),
    ),
    ("GET", PATH): (lambda w: step(w, "", w.reads_by), nobody(acts.NoticeViewed)),
    ("POST", PATH + "/publish"): (
        lambda w: step(w, "/publish"),
        nobody(acts.NoticePublished),
    ),
    ("POST", PATH + "/clients/{tenant_id}/send"): (
        lambda w: step(w, f"/clients/{w.client.tenant_id}/send"),
        own(acts.NoticeSentAgain),
    ),
    ("POST", PATH + "/carry-out"): (
        lambda w: step(w, "/carry-out"),
        nobody(acts.NoticeCarriedOut),
    ),
    ("POST", PATH + "/withdraw"): (
        lambda w: step(w, "/withdraw", json={"reason": NOTICE["title"]}),
        nobody(acts.NoticeDrafted, acts.NoticeWithdrawn),
    ),
}
