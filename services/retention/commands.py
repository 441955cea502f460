"""Argv in: what an operator asks retention, or tells it, by hand."""

from __future__ import annotations

import json
import secrets
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from uuid import UUID

from libs.shared import certificates, clock, database, keys, secret_files, timekeeping
from libs.shared.database import Pool
from libs.shared.errors import Conflict, NotFound
from libs.shared.runtime import Command, Commands, describe_clock, tell_clock
from libs.shared.settings import load
from libs.shared.words.explanations import say
from services.retention import actions, rules, store
from services.retention.actions.resources import Resources
from services.retention.settings import CommandSettings, DatabaseSettings

DISAGREEMENTS = 3
"""The audit's exit code where it found something; 1 is for what could not be compared."""


def describe_audit(parser: ArgumentParser) -> None:
    """The audit's arguments."""
    parser.add_argument("--repair", action="store_true", help="mend what can safely be mended")
    parser.add_argument("--tenant", metavar="TENANT", type=UUID, help="this client only")
    parser.add_argument("--json", action="store_true", help="one object a line")


async def audit(arguments: Namespace) -> int:
    """Compares catalogue and bucket, tenant by tenant; exits with 3 where they disagree."""
    found = unrepaired = 0
    async with _open_resources() as resources:
        tenants = await _choose_tenants(resources, arguments.tenant)
        now = await _check_time(resources) if arguments.repair else clock.now()
        store_now = await resources.objects.date()
        for tenant in tenants:
            async for one in actions.audit.repairing.audit_tenant(
                resources, tenant.tenant_id, now, store_now, repair=arguments.repair
            ):
                found += 1
                unrepaired += not one.repaired
                _print_disagreement(one, as_json=arguments.json)
        if not arguments.json:
            print(
                f"{len(tenants)} clients compared: "
                + (f"{found} disagreements, {found - unrepaired} repaired." if found else "clean.")
            )
    return DISAGREEMENTS if found else 0


async def _choose_tenants(resources: Resources, wanted: UUID | None) -> list[store.tenants.Tenant]:
    async with database.acquire(resources.pool) as conn:
        tenants = await store.tenants.list_all(conn)
    chosen = [one for one in tenants if wanted in (None, one.tenant_id)]
    if wanted is not None and not chosen:
        raise NotFound("tenant")
    return chosen


def _print_disagreement(one: rules.audit.Disagreement, *, as_json: bool) -> None:
    if as_json:
        shown = {
            "tenant_id": str(one.tenant_id),
            "kind": one.kind,
            "sentence": one.sentence,
            "pack_id": one.pack_id.hex(),
            "repaired": one.repaired,
        }
        print(json.dumps(shown, ensure_ascii=False))
    else:
        print(f"{one.tenant_id} {one.kind}: {one.sentence} {one.repaired}".rstrip())


async def list_holds(_arguments: Namespace) -> None:
    """Prints the unusual runs that hold their plan's expiry."""
    async with await _create_pool(load(DatabaseSettings)) as pool, database.acquire(pool) as conn:
        holds = await store.expiry.holds.list_holds(conn)
    for hold in holds:
        name = f"{hold.plan_name or '?'} of client {hold.tenant_id}"
        why = say(hold.reason)
        print(f"{hold.plan_id} run {hold.number}, since {hold.held_at:%Y-%m-%d}: {why}; {name}")
    if not holds:
        print("No plan's expiry is held.")


def describe_clear(parser: ArgumentParser) -> None:
    """Clearing names a plan and wants a reason."""
    parser.add_argument("plan", metavar="PLAN", type=UUID)
    parser.add_argument("--reason", required=True, help="kept with the hold")


async def clear_holds(arguments: Namespace) -> None:
    """Lets a plan's versions expire again."""
    async with (
        await _create_pool(load(DatabaseSettings)) as pool,
        database.transaction(pool) as conn,
    ):
        runs = await actions.expiry.clear_holds(conn, arguments.plan, arguments.reason)
    print(f"{arguments.plan}: run {', '.join(map(str, runs))} holds nothing any more.")


def describe_key(parser: ArgumentParser) -> None:
    """Where both halves of the key are written to."""
    parser.add_argument("--private", type=Path, required=True, help="new file, 0600: retention's")
    parser.add_argument("--public", type=Path, required=True, help="new file: the portal gives it")


async def make_certificate_key(arguments: Namespace) -> None:
    """Makes the key that signs certificates; never in the place of one that is there."""
    seed = secrets.token_bytes(32)
    try:
        secret_files.write(arguments.private, seed.hex() + "\n")
        with arguments.public.open("xb") as file:
            file.write(certificates.Notary(seed).public_pem)
    except FileExistsError as error:
        raise Conflict(f"{error.filename} is there already; move it away first.") from None
    print(f"{arguments.private} signs, and {arguments.public} is for everybody.")


async def look_at_clock(arguments: Namespace) -> None:
    """Says whether the time is believed, or believes it; the store is asked as well."""
    async with _open_resources() as resources:
        await tell_clock(resources.pool, arguments, resources.objects.date)


async def _check_time(resources: Resources) -> datetime:
    return await timekeeping.check_time(resources.pool, resources.objects.date)


@asynccontextmanager
async def _open_resources() -> AsyncIterator[Resources]:
    settings = load(CommandSettings)
    async with (
        await _create_pool(settings) as pool,
        keys.open_bucket(settings) as (objects, ring),
    ):
        yield Resources(pool, objects, ring, settings.limits)


async def _create_pool(settings: DatabaseSettings) -> Pool:
    return await database.create_pool(settings.database_url.get_secret_value(), "retention")


COMMANDS: Commands = [
    Command("audit", "compare catalogue and bucket; 3: they disagree", audit, describe_audit),
    Command("holds", "list the unusual runs that hold expiry", list_holds),
    Command("clear", "let a plan's versions expire again", clear_holds, describe_clear),
    Command("certificate-key", "make the key of certificates", make_certificate_key, describe_key),
    Command("clock", "is the time believed, by which is deleted?", look_at_clock, describe_clock),
]
