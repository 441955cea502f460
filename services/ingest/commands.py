"""Argv in: what an operator runs by hand, when the database or the master key is another one."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

from libs.shared import database, keys
from libs.shared.runtime import Command, Commands
from libs.shared.settings import load
from services.ingest import actions
from services.ingest.settings import CommandSettings, FingerprintSettings, RotationSettings

TROUBLES = 3
"""The exit code where something did not come back, or could not be done; 1 is for nothing done."""


def describe_rebuild(parser: ArgumentParser) -> None:
    """Which tenants, how thoroughly, and what it should come to."""
    parser.add_argument("--tenant", type=UUID, help="this tenant only; default: all in the bucket")
    parser.add_argument(
        "--verify", action="store_true", help="read every pack whole, and open all its chunks"
    )
    parser.add_argument(
        "--expect", type=Path, metavar="FILE", help="lines of `fingerprint` that must come again"
    )


async def rebuild(arguments: Namespace) -> int:
    """Brings the catalogue back from bucket and master key; 3 where something did not come back."""
    expected = arguments.expect.read_text().splitlines() if arguments.expect else None
    async with _open_ingest() as resources:
        rebuilt = await actions.rebuild.rebuilding.rebuild(
            resources,
            arguments.tenant,
            verify=arguments.verify,
            say=partial(print, file=sys.stderr),
        )
        troubles = [trouble for each in rebuilt for trouble in each.troubles]
        for each in rebuilt:
            print(actions.rebuild.rebuilding.describe_rebuilt(each))
        if expected is not None:
            lines = [
                str(
                    await actions.rebuild.fingerprints.take_fingerprint(
                        resources.pool, each.tenant_id
                    )
                )
                for each in rebuilt
            ]
            differences = actions.rebuild.rebuilding.compare(expected, lines)
            print("\n".join(differences) or "All is as it was: the fingerprints are equal.")
            troubles += differences
    return TROUBLES if troubles else 0


async def rotate_master_key(_arguments: Namespace) -> int:
    """Wraps all tenants' keys under the new master key; 3 where some could not be."""
    async with keys.open_bucket(load(RotationSettings)) as (objects, ring):
        rotated = await actions.rotating.rotate_master_key(objects, ring)
    print(actions.rotating.describe_rotated(rotated))
    return TROUBLES if rotated.troubles else 0


def describe_tenant(parser: ArgumentParser) -> None:
    """Whose keys."""
    parser.add_argument("tenant", type=UUID, help="the client whose machine was taken over")


async def rotate_tenant_keys(arguments: Namespace) -> int:
    """Gives a tenant new chunk and data keys; 1 where it has none, or they can't be read."""
    async with _open_ingest() as resources:
        try:
            begins_at = await actions.agents.renew_keys(resources, arguments.tenant)
        except (keys.KeysDestroyed, keys.KeysUnreadable) as trouble:
            print(f"Nothing was changed: {trouble}", file=sys.stderr)
            return 1
    print(
        f"New keys are used from {begins_at:%Y-%m-%d %H:%M:%S} UTC on; the old ones go on reading"
        " what they sealed.\nMachines take them up with the next run that they begin then: revoke"
        " the one that was taken over."
    )
    return 0


def describe_fingerprint(parser: ArgumentParser) -> None:
    """Which tenants."""
    parser.add_argument("--tenant", type=UUID, help="this tenant only; default: all")


async def fingerprint(arguments: Namespace) -> None:
    """Prints a line per tenant that is equal for two catalogues which give clients the same."""
    dsn = load(FingerprintSettings).database_url.get_secret_value()
    async with await database.create_pool(dsn, "ingest", max_size=1) as pool:
        only = arguments.tenant
        for tenant_id in [only] if only else await actions.rebuild.fingerprints.list_tenants(pool):
            print(await actions.rebuild.fingerprints.take_fingerprint(pool, tenant_id))


@asynccontextmanager
async def _open_ingest() -> AsyncIterator[actions.resources.Resources]:
    settings = load(CommandSettings)
    dsn = settings.database_url.get_secret_value()
    async with (
        keys.open_bucket(settings) as (objects, ring),
        await database.create_pool(dsn, "ingest", max_size=4) as pool,
    ):
        resources = actions.resources.Resources(pool, objects, ring, timedelta())
        try:
            yield resources
        finally:
            resources.close()


COMMANDS: Commands = [
    Command(
        "rebuild",
        "bring an empty catalogue back from bucket and master key",
        rebuild,
        describe_rebuild,
    ),
    Command(
        "rotate-master-key", "wrap all tenants' keys under a new master key", rotate_master_key
    ),
    Command(
        "rotate-tenant-keys",
        "give a client new keys for what it backs up from now on",
        rotate_tenant_keys,
        describe_tenant,
    ),
    Command(
        "fingerprint",
        "print what two equal catalogues have in common",
        fingerprint,
        describe_fingerprint,
    ),
]
