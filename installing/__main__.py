"""`python -m installing secrets FOLDER`, then `prepare FOLDER`: what services need to start.

`store FOLDER` makes the folder where objects lie, for who has no S3 store.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import get_args

from installing import secrets, servers
from libs.shared import logs
from libs.shared.objects.folder import FolderStore, FolderUnfit
from libs.shared.objects.s3 import Addressing
from libs.shared.secret_files import SecretFileInvalid


def main() -> int:
    """Runs one command; 0 done, 1 failed with a sentence, 2 wrong usage."""
    told = build_parser().parse_args()
    logs.configure("installing", "json")
    try:
        if told.command == "secrets":
            return _make_secrets(told)
        if told.command == "store":
            return _make_store(told)
        asyncio.run(servers.prepare(told.folder, told.database, _store(told), told.wait, print))
    except (servers.NotPrepared, SecretFileInvalid, FolderUnfit, OSError) as trouble:
        print(trouble, file=sys.stderr)
        return 1
    return 0


def _make_secrets(told: argparse.Namespace) -> int:
    places = secrets.Places(told.postgresql, told.rabbitmq, told.management, told.database)
    secrets.make(told.folder, places)
    if told.owner:
        uid, _, gid = told.owner.partition(":")
        secrets.give_to(told.folder, int(uid), int(gid or uid))
    print(
        f"The secrets are in {told.folder}. Keep admin/master-key in two places that don't burn"
        " together: without it nothing that is stored can be read.\n"
        f"The first operator's password is in {told.folder / 'portal' / 'operator-password'}."
    )
    return 0


def _make_store(told: argparse.Namespace) -> int:
    folder = told.folder.resolve()
    FolderStore(folder).ensure()
    print(f"The store is ready: give ingest, portal and retention COFFRE_STORE=file://{folder}")
    return 0


def _store(told: argparse.Namespace) -> servers.Store | None:
    if not told.s3_endpoint:
        return None
    return servers.Store(
        told.s3_endpoint, told.bucket, told.access_key, told.region or None, told.addressing
    )


def build_parser() -> argparse.ArgumentParser:
    """The commands and what each takes."""
    usual = secrets.Places()
    parser = argparse.ArgumentParser(prog="python -m installing", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    making = commands.add_parser(
        "secrets", help="make what is missing of an installation's secrets"
    )
    making.add_argument("--postgresql", default=usual.postgresql, metavar="HOST:PORT")
    making.add_argument("--rabbitmq", default=usual.rabbitmq, metavar="HOST:PORT")
    making.add_argument("--management", default=usual.management, metavar="HOST:PORT")
    making.add_argument("--owner", metavar="UID:GID", help="who containers run as; needs root")
    preparing = commands.add_parser(
        "prepare", help="make roles, schemas, accounts, queues and the bucket; migrate"
    )
    preparing.add_argument(
        "--s3-endpoint", default="", metavar="URL", help="none where the store is a folder"
    )
    preparing.add_argument("--bucket", default="coffre")
    preparing.add_argument("--access-key", default="coffre-admin", help="of who may make a bucket")
    preparing.add_argument("--region", default="", help="unless the store names it")
    preparing.add_argument("--addressing", default="auto", choices=get_args(Addressing))
    preparing.add_argument("--wait", type=float, default=120, metavar="SECONDS")
    storing = commands.add_parser("store", help="make a folder in which objects are stored")
    storing.add_argument("folder", type=Path)
    for command in (making, preparing):
        command.add_argument("folder", type=Path)
        command.add_argument("--database", default=usual.database)
    return parser


if __name__ == "__main__":
    sys.exit(main())
