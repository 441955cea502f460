"""Accounts as operators look after them: their own, and those of a client's people."""

from __future__ import annotations

from uuid import uuid4

from services.portal.rules.log import acts
from tests.portal.acting.world import (
    CLIENT,
    TENANT,
    TENANTS,
    Acting,
    World,
    after,
    asked,
    nobody,
    nothing,
    own,
    page,
)

PAGE = "/clients/{tenant_id}"


async def add_operator(world: World) -> str:
    """The id of another operator."""
    found = uuid4()
    await world.portal.admin.execute(
        """INSERT INTO portal.users (user_id, role, name, email, locale, password_hash, one_time,
           created_at, duty) VALUES ($1, 'operator', 'Hélène', $2, 'fr', '', false, now(),
           'hotline')""",
        found, f"{found}@provider.example",
    )  # fmt: skip
    return str(found)


async def add_administrator(world: World) -> None:
    """The client has a second administrator."""
    await world.portal.admin.execute(
        """INSERT INTO portal.users (user_id, tenant_id, role, name, email, locale, password_hash,
           one_time, created_at) VALUES (gen_random_uuid(), $1, 'administrator', 'Second',
           'second@dupre.example', 'fr', 'x', false, now()) ON CONFLICT DO NOTHING""",
        world.client.tenant_id,
    )  # fmt: skip


async def add_user(world: World) -> str:
    """The id of somebody of the client with an account."""
    found = uuid4()
    await world.portal.admin.execute(
        """INSERT INTO portal.users (user_id, tenant_id, role, name, email, locale, password_hash,
           one_time, created_at) VALUES ($1, $2, 'user', 'Paul', $3, 'fr', 'x', false, now())""",
        found, world.client.tenant_id, f"{found}@dupre.example",
    )  # fmt: skip
    return str(found)


async def make_room(world: World) -> None:
    """The client has seats for some more."""
    await world.portal.admin.execute(
        """UPDATE portal.orders SET after = 50 WHERE tenant_id = $1 AND what = 'seats'""",
        world.client.tenant_id,
    )
    await world.portal.admin.execute(
        "UPDATE portal.tenants SET seats = 50 WHERE tenant_id = $1", world.client.tenant_id
    )


ACTING: Acting = {
    ("POST", PAGE + "/reset"): (
        after(add_administrator, CLIENT + "/reset", email="second@dupre.example"),
        own(acts.PasswordReset),
    ),
    ("POST", PAGE + "/people"): (
        after(make_room, CLIENT + "/people", name="Léa", email="lea@dupre.example"),
        own(acts.UserOpened),
    ),
    ("POST", PAGE + "/people/{user_id}/{change}"): (
        after(add_user, CLIENT + "/people/{}/sign-out"),
        own(acts.UserSignedOut),
    ),
    ("GET", "/operators"): (page("/operators"), nobody(acts.OperatorsListed)),
    ("POST", "/operators"): (
        after(nothing, "/operators", name="Anne", email="anne@provider.example", duty="sales"),
        nobody(acts.OperatorAdded, acts.OperatorsListed),
    ),
    ("POST", "/operators/{user_id}/{change}"): (
        after(add_operator, "/operators/{}/duty", duty="sales"),
        nobody(acts.OperatorChanged),
    ),
    ("POST", TENANTS + "/users"): (
        asked(make_room, "POST", TENANT + "/users", {"name": "Max", "email": "max@dupre.example"}),
        own(acts.UserOpened),
    ),
    ("DELETE", TENANTS + "/users/{user_id}"): (
        asked(add_user, "DELETE", TENANT + "/users/{}"),
        own(acts.UserClosed),
    ),
    ("PATCH", TENANTS + "/users/{user_id}"): (
        asked(add_user, "PATCH", TENANT + "/users/{}", {"name": "Paule"}),
        own(acts.UserChanged),
    ),
    ("POST", TENANTS + "/users/{user_id}/sign-out"): (
        asked(add_user, "POST", TENANT + "/users/{}/sign-out"),
        own(acts.UserSignedOut),
    ),
    ("GET", "/api/v1/operators"): (
        lambda w: w.get(w.operator, "/api/v1/operators"),
        nobody(acts.OperatorsListed),
    ),
    ("POST", "/api/v1/operators"): (
        asked(
            nothing,
            "POST",
            "/api/v1/operators",
            {"name": "B", "email": "b@provider.example", "duty": "hotline"},
        ),
        nobody(acts.OperatorAdded),
    ),
    ("PATCH", "/api/v1/operators/{user_id}"): (
        asked(add_operator, "PATCH", "/api/v1/operators/{}", {"duty": "sales"}),
        nobody(acts.OperatorChanged),
    ),
    ("POST", "/api/v1/operators/{user_id}/reset"): (
        asked(add_operator, "POST", "/api/v1/operators/{}/reset"),
        nobody(acts.OperatorReset),
    ),
    ("DELETE", "/api/v1/operators/{user_id}"): (
        asked(add_operator, "DELETE", "/api/v1/operators/{}"),
        nobody(acts.OperatorClosed),
    ),
}
