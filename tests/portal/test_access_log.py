"""Who looked at what: every route leaves its act in the log, or says why there is none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import fields, replace
from typing import Any
from uuid import UUID

import pytest

from services.portal.__main__ import build
from services.portal.actions.resources import DOWNLOADS_OF_USER
from services.portal.rules.log import acts
from services.portal.rules.log.acts import ACTS, Act
from services.portal.rules.log.chain import NOBODY
from tests.portal import examples
from tests.portal.acting import (
    choices,
    clients,
    copies,
    credentials,
    desk,
    destruction,
    documents,
    incidents,
    leaving,
    machines,
    notices,
    office,
    orders,
    overages,
    parked,
    people,
    recipients,
    reductions,
    staff,
)
from tests.portal.acting.world import PLAN, Acting, Left, World, open_world, own
from tests.portal.test_openapi import check
from tests.routes import list_routes

NOTHING_OF_ANYBODY = {
    ("GET", "/health/live"): "says only that the process is alive",
    ("GET", "/health/ready"): "says how database and broker are",
    ("*", "/static"): "our own stylesheet",
    ("GET", "/brand.css"): "our provider's colours",
    ("GET", "/brand/logo"): "our provider's logo",
    ("GET", "/legal/{page}"): "what everybody may read",
    ("GET", "/sign-in"): "an empty form",
    ("GET", "/forgotten"): "an empty form",
    ("GET", "/sign-in/second"): "an empty form, and a challenge for a passkey",
    ("GET", "/account/second-factor"): "what the reader has of their own",
    ("GET", "/account/sessions"): "the same",
    ("GET", "/account/tokens"): "the same",
    ("GET", "/api/v1/sessions"): "the same",
    ("GET", "/api/v1/tokens/personal"): "the same",
    ("GET", "/api/v1/second-factors"): "the same",
    ("GET", "/api/v1/openapi.json"): "how the API is called",
    ("GET", "/api/v1/notices/current"): "what the provider tells everybody",
    ("GET", "/language/{locale}"): "a cookie for a page of nobody",
    ("GET", "/.well-known/coffre-certificate-key.pem"): "our own public key",
    ("GET", "/password"): "an empty form, with the reader's own address",
    ("GET", "/pulse"): "says only that something has changed",
    ("GET", "/billing"): "leads to a month",
    ("GET", "/clients/new"): "an empty form",
    ("GET", "/notices/new"): "an empty form",
    ("GET", "/account"): "the reader's own name, address and language",
    ("GET", "/agent"): "what everybody may install",
    ("GET", "/agent/{name}"): "the same",
    ("GET", "/v1/{path:path}"): "the agents' address, for who has this one",
    ("POST", "/v1/{path:path}"): "the same",
    ("PUT", "/v1/{path:path}"): "the same",
}
OWN = (
    "/api/v1/sessions",
    "/api/v1/tokens/personal",
    "/api/v1/second-factors",
    "/api/v1/notices/current",
)
"""Of these, what answers is shown as an example, though it leaves no act."""
# In this order: the last ones take something away.
ACTING: Acting = {
    **copies.ACTING,
    **incidents.ACTING,
    **recipients.ACTING,
    **choices.ACTING,
    **people.ACTING,
    **reductions.ACTING,
    **overages.ACTING,
    **machines.ACTING,
    **clients.ACTING,
    **documents.ACTING,
    **notices.ACTING,
    **parked.ACTING,
    **orders.ACTING,
    **desk.ACTING,
    **staff.ACTING,
    **office.ACTING,
    **destruction.ACTING,
    **credentials.ACTING,
    **leaving.ACTING,
}


@pytest.fixture
async def world(portal: Any) -> AsyncIterator[World]:
    async with open_world(portal) as opened:
        yield opened


async def test_every_route_leaves_its_act(world: World) -> None:
    assert list_routes(build(world.portal.parts)) == {*ACTING, *NOTHING_OF_ANYBODY}
    shown = examples.Examples()
    answers = []
    for route, (call, expected) in ACTING.items():
        before = await world.heads()
        answer = await call(world)
        assert answer.status_code < 400, (route, answer.text)
        assert await left(world, before) == expected, route
        if route[1].startswith("/api/"):
            shown.take(route, answer)
            answers.append((route, answer))
        if route == ("POST", "/api/v1/tokens/personal"):
            for path in OWN:
                shown.take(("GET", path), await world.api.get(path))
    if not examples.FILE.exists():
        told = json.dumps(shown.found, indent=1, ensure_ascii=False, sort_keys=True)
        examples.FILE.write_text(told + "\n", encoding="utf-8")
    document = build(world.portal.parts).openapi()
    for route, answer in answers:
        check_answer(document, route, answer)
    kept = json.loads(examples.FILE.read_text(encoding="utf-8"))
    differing = list(examples.differences(kept, shown.found))
    assert not differing, ("delete examples.json and run this again", differing)
    assert {kind for _, expected in ACTING.values() for _, kind in expected} | ELSEWHERE == set(
        ACTS
    )


def check_answer(document: dict[str, Any], route: tuple[str, str], answer: Any) -> None:
    """Raises where an answer is not what OpenAPI tells of it."""
    method, path = route
    responses = document["paths"].get(path, {}).get(method.lower(), {}).get("responses", {})
    told = responses.get(str(answer.status_code), {}).get("content", {}).get("application/json")
    if told is not None and answer.headers.get("content-type") == "application/json":
        check(document, told["schema"], answer.json(), f"{method} {path}")


ELSEWHERE = {
    acts.SecondFactorRemoved,  # these in test_factors
    acts.RecoveryCodeUsed,
    acts.RecoveryCodesMade,
    acts.FileViewed,  # of a HEAD, below
    acts.SignInRefused,  # below
    acts.OrderTookEffect,  # in a job, in test_orders
    acts.OrderKept,
    acts.ClientErased,  # in tests/destruction
    acts.ApprovalAsked,  # where an installation wants it, in test_approvals
    acts.SubscriptionEndAnnounced,  # the same route with a day
    acts.OperatorTokenInstalled,  # at the start of the process
}


async def left(world: World, before: dict[UUID, int]) -> list[Left]:
    """Which acts came to which chain since then, each with the fields that it has."""
    rows = await world.portal.admin.fetch("SELECT * FROM portal.access_log ORDER BY at, number")
    known = {kind.code: kind for kind in ACTS}
    found = []
    for row in rows:
        if row["number"] > before.get(row["tenant_id"], 0):
            kind = known[row["act"]]
            assert {field.name for field in fields(kind)} == set(json.loads(row["fields"]))
            chain = {world.client.tenant_id: "own", NOBODY: "nobody"}
            found.append((chain.get(row["tenant_id"], "another"), kind))
    return found


async def test_routes_that_are_of_nobody_leave_nothing(world: World) -> None:
    before = await world.heads()
    for method, path in NOTHING_OF_ANYBODY:
        address = "/static/coffre.css" if method == "*" else path
        address = address.replace("{locale}", "fr").replace("{page}", "terms")
        status = {
            "/legal/{page}": 404,
            "/brand/logo": 404,
            "/agent/{name}": 404,
            "/v1/{path:path}": 421,
            "/billing": 404,
            "/clients/new": 404,
            "/notices/new": 404,
        }.get(path, 200)
        answer = await world.page.request(method.replace("*", "GET"), address)
        assert answer.status_code in (status, 303), path
    assert await left(world, before) == []


async def test_what_answers_to_get_answers_to_head_and_leaves_its_act(world: World) -> None:
    for path in ("/account", "/static/coffre.css", "/health/live"):
        assert (await world.page.head(path)).status_code == 200, path
    assert (await world.api.head("/api/v1/tokens")).status_code == 405
    assert (await world.api.head(world.at(f"{PLAN}/archive?path=nowhere"))).status_code == 404
    assert (await world.program.head(world.at(f"{PLAN}/archive"))).status_code == 401
    # Nothing is held by what nobody read.
    for _ in range(2 * DOWNLOADS_OF_USER):
        for read in ("file?path=srv/a", "archive", "manifest"):
            assert (await world.api.head(world.at(f"{PLAN}/{read}"))).status_code == 200
    for (method, path), (call, expected) in ACTING.items():
        whole = await call(world)
        if method != "GET":
            continue
        before = await world.heads()
        head = await call(replace(world, reads_by="HEAD"))
        assert (head.status_code, head.content) == (200, b""), path
        # The log is longer by the line of who looked at it before.
        is_log = "log" in path.split("/")
        lengths = () if is_log else ("content-length",)
        for name in ("content-type", "content-disposition", *lengths):
            assert head.headers.get(name) == whole.headers.get(name), (path, name)
        assert await left(world, before) == VIEWED.get(path, expected), path


VIEWED = {
    plan + read: own(kind)
    for plan in (PLAN, desk.FILES)
    for read, kind in (
        ("/file", acts.FileViewed),
        ("/checksum", acts.FileViewed),
        ("/archive", acts.FolderViewed),
    )
}
"""What is noted otherwise where nothing was handed over."""


async def test_a_restore_is_in_the_log_once_and_not_with_each_of_its_requests(
    world: World,
) -> None:
    before = await world.heads()
    chunks = world.at(PLAN + "/chunks")
    for _ in range(3):  # three workers at once, again and again
        await asyncio.gather(*(world.api.post(chunks, content=world.asked) for _ in range(3)))
    assert await left(world, before) == own(acts.RestoreRead)
    async with world.portal.client(await world.portal.sign_in(world.client.email)) as next_one:
        before = await world.heads()
        await next_one.post(chunks, content=world.asked)
    assert await left(world, before) == own(acts.RestoreRead)


async def test_what_is_refused_to_a_stranger_is_no_act(world: World) -> None:
    token = await world.portal.sign_in(world.other)
    before = await world.heads()
    async with world.portal.client(token) as stranger:
        for method, path in ACTING:
            if path.startswith(PLAN):
                answer = await stranger.request(method, world.at(path + "?path=srv/a"))
                assert answer.status_code in (404, 422), path
    assert await left(world, before) == []


def test_the_list_of_acts_is_closed() -> None:
    def leaves(kind: type[Act]) -> list[type[Act]]:
        below = kind.__subclasses__()
        return [one for sub in below for one in leaves(sub)] if below else [kind]

    assert set(leaves(Act)) == set(ACTS)
    assert len({kind.code for kind in ACTS}) == len(ACTS)
