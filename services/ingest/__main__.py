"""Ingest: takes copies in from agents, stores them, and says what became of each run."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

from libs.shared import database, keys, runtime, web
from libs.shared.objects import ObjectStore
from libs.shared.settings import BucketSettings, load
from services.ingest import actions, api, consumers, jobs
from services.ingest.settings import (
    CommandSettings,
    FingerprintSettings,
    IngestSettings,
    RotationSettings,
)


def open_bucket(settings: BucketSettings) -> ObjectStore:
    """The bucket that holds everything."""
    return ObjectStore(
        settings.s3_endpoint,
        settings.s3_access_key,
        settings.s3_secret_key.get_secret_value(),
        settings.s3_bucket,
    )


async def serve() -> None:
    """Runs until SIGTERM."""
    settings = load(IngestSettings)
    actions.give_memory_back()
    objects = open_bucket(settings)
    ring = keys.open_ring(objects, settings.master_key_file, settings.master_key_previous_file)
    async with runtime.Service("ingest", settings, pool_size=20) as service:
        ingest = actions.Ingest(
            service.pool, objects, ring, timedelta(seconds=settings.lease_seconds)
        )
        app = web.create_app(
            "ingest",
            title="Coffre: agent protocol",
            ready=[*service.checks(), web.Check("storage", objects.check)],
            routers=api.ROUTERS,
            bodies=api.limit_bodies(settings.max_file_bytes),
            openapi_url="/v1/openapi.json",
            agents_at="/v1/",
        )
        app.state.ingest = ingest
        try:
            await service.run(
                app,
                loops=[
                    partial(jobs.close_abandoned_runs, ingest),
                    partial(jobs.tell_ends, ingest),
                    partial(jobs.write_lists, ingest),
                    partial(jobs.make_names_findable, ingest),
                ],
                handlers=consumers.HANDLERS,
            )
        finally:
            ingest.close()
            await objects.close()


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
    settings = load(CommandSettings)
    dsn = settings.database_url.get_secret_value()
    objects = open_bucket(settings)
    ring = keys.open_ring(objects, settings.master_key_file, settings.master_key_previous_file)
    pool = await database.create_pool(dsn, "ingest", max_size=4)
    ingest = actions.Ingest(pool, objects, ring, timedelta())
    try:
        rebuilt = await actions.rebuild(
            ingest, arguments.tenant, verify=arguments.verify, say=partial(print, file=sys.stderr)
        )
        troubles = [trouble for each in rebuilt for trouble in each.troubles]
        for each in rebuilt:
            print(actions.describe_rebuilt(each))
        if expected is not None:
            lines = [str(await actions.take_fingerprint(pool, each.tenant_id)) for each in rebuilt]
            differences = actions.compare(expected, lines)
            print("\n".join(differences) or "All is as it was: the fingerprints are equal.")
            troubles += differences
    finally:
        ingest.close()
        await pool.close()
        await objects.close()
    return 3 if troubles else 0


def describe_rotation(_parser: ArgumentParser) -> None:
    """Nothing but settings: the new key and the previous one."""


async def rotate_master_key(_arguments: Namespace) -> int:
    """Wraps all tenants' keys under the new master key; 3 where some could not be."""
    settings = load(RotationSettings)
    objects = open_bucket(settings)
    ring = keys.open_ring(objects, settings.master_key_file, settings.master_key_previous_file)
    try:
        rotated = await actions.rotate_master_key(objects, ring)
    finally:
        await objects.close()
    print(actions.describe_rotated(rotated))
    return 3 if rotated.troubles else 0


def describe_fingerprint(parser: ArgumentParser) -> None:
    """Which tenants."""
    parser.add_argument("--tenant", type=UUID, help="this tenant only; default: all")


async def fingerprint(arguments: Namespace) -> None:
    """Prints a line per tenant that is equal for two catalogues which give clients the same."""
    dsn = load(FingerprintSettings).database_url.get_secret_value()
    pool = await database.create_pool(dsn, "ingest", max_size=1)
    try:
        only = arguments.tenant
        for tenant_id in [only] if only else await actions.list_tenants(pool):
            print(await actions.take_fingerprint(pool, tenant_id))
    finally:
        await pool.close()


if __name__ == "__main__":
    runtime.main(
        "ingest",
        serve,
        [
            runtime.Command(
                "rebuild",
                "bring an empty catalogue back from bucket and master key",
                describe_rebuild,
                rebuild,
            ),
            runtime.Command(
                "rotate-master-key",
                "wrap all tenants' keys under a new master key",
                describe_rotation,
                rotate_master_key,
            ),
            runtime.Command(
                "fingerprint",
                "print what two equal catalogues have in common",
                describe_fingerprint,
                fingerprint,
            ),
        ],
    )
