"""Everything secret of an installation, made once: a folder for each who may know it.

`SERVICE/` has what that service reads, `admin/` what preparing servers needs, `postgresql/`,
`rabbitmq/` and `seaweedfs/` what each server of a small installation is started with, `watching/`
Grafana's, `public/` what everybody may know. What is there already is kept, so that the same again
changes nothing.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from libs.shared import bus, database, secret_files
from libs.shared.certificates import Notary
from libs.shared.signatures import Signer, public_file

KEEPERS_OF_OBJECTS = ("ingest", "portal", "retention")
SERVERS = ("postgresql", "rabbitmq", "seaweedfs")
CERTIFICATE = "certificate-key.pem"


@dataclass(frozen=True)
class Places:
    """Where the servers of an installation are: host:port, and the name of the database."""

    postgresql: str = "postgresql:5432"
    rabbitmq: str = "rabbitmq:5672"
    management: str = "rabbitmq:15672"
    database: str = "coffre"


def make(folder: Path, places: Places) -> None:
    """Makes what is missing in the folder, each file for its owner alone."""
    known = folder / "admin"
    for name in ("admin", *SERVERS, "watching", "public/senders", *database.SERVICES):
        (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    _part_servers(folder)
    postgresql = _keep(folder / "postgresql" / "password", _password)
    rabbitmq = _keep(folder / "rabbitmq" / "password", _password)
    address = f"{places.postgresql}/{places.database}"
    _put(known / "database-url", f"postgresql://postgres:{postgresql}@{places.postgresql}/postgres")
    _put(known / "broker-url", f"http://coffre:{rabbitmq}@{places.management}")
    owner = _keep(known / "coffre_owner", _password)
    _put(known / "owner-database-url", f"postgresql://coffre_owner:{owner}@{address}")
    for service in database.SERVICES:
        _make_service(folder, service, places)
    master, mails, certificates = (
        _keep(known / name, _key) for name in ("master-key", "mail-key", "certificate-key")
    )
    for service in KEEPERS_OF_OBJECTS:
        _put(folder / service / "master-key", master)
    for service in ("portal", "reporting"):
        _put(folder / service / "mail-key", mails)
    _put(folder / "retention" / "certificate-key", certificates)
    pem = Notary(bytes.fromhex(certificates)).public_pem.decode()
    _put(folder / "public" / CERTIFICATE, pem, 0o644)
    _keep(folder / "portal" / "operator-password", _readable)
    _keep(folder / "watching" / "grafana-password", _readable)
    _keep(folder / "portal" / "operator-token", _password)
    _write_identities(folder)


def _part_servers(folder: Path) -> None:
    """Gives each server its own of the one folder that releases up to 0.3 made for all three.

    That one stays as it is: whoever goes back needs it.
    """
    for server in ("postgresql", "rabbitmq"):
        before, own = folder / "servers" / f"{server}-password", folder / server / "password"
        if before.exists() and not own.exists():
            _put(own, before.read_text())


def _make_service(folder: Path, service: str, places: Places) -> None:
    """A service's own accounts at database, broker and store, and the key of its events."""
    own, known = folder / service, folder / "admin"
    role, account = f"coffre_{service}", bus.account_of(service)
    password = _keep(known / role, _password)
    address = f"{places.postgresql}/{places.database}"
    _put(own / "database-url", f"postgresql://{role}:{password}@{address}")
    password = _keep(known / f"broker-{service}", _password)
    _put(own / "amqp-url", f"amqp://{account}:{password}@{places.rabbitmq}/%2F")
    seed = bytes.fromhex(_keep(own / "event-key", _key))
    sender = public_file(folder / "public" / "senders", service)
    known_keys = sender.read_text().split() if sender.exists() else []
    key = Signer(service, seed).public_key.hex()
    if key not in known_keys:  # beside those before, by which what still waits was signed
        _put(sender, "\n".join([*known_keys, key]) + "\n", 0o644)
    if service in KEEPERS_OF_OBJECTS:
        _keep(own / "s3-secret-key", _password)


def _write_identities(folder: Path) -> None:
    """What SeaweedFS is told of who may do what; it knows no right to delete beside writing."""
    rights = {
        "admin": ["Admin", "Read", "Write", "List"],
        "ingest": ["Read:coffre", "Write:coffre", "List:coffre"],
        "portal": ["Read:coffre", "List:coffre"],
        "retention": ["Read:coffre", "Write:coffre", "List:coffre"],
    }
    _keep(folder / "admin" / "s3-secret-key", _password)
    identities = [
        {
            "name": who,
            "credentials": [
                {
                    "accessKey": f"coffre-{who}",
                    "secretKey": (folder / who / "s3-secret-key").read_text(),
                }
            ],
            "actions": actions,
        }
        for who, actions in rights.items()
    ]
    _put(folder / "seaweedfs" / "s3.json", json.dumps({"identities": identities}, indent=1))


def give_to(folder: Path, uid: int, gid: int) -> None:
    """Has everything belong to the user that containers run as."""
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, uid, gid)


def read_roles(folder: Path) -> Mapping[str, str]:
    """The passwords of the database's roles."""
    return {role: secret_files.read(folder / "admin" / role) for role in database.ROLES}


def read_accounts(folder: Path) -> Mapping[str, str]:
    """The passwords of the broker's accounts, by service."""
    return {
        service: secret_files.read(folder / "admin" / f"broker-{service}")
        for service in database.SERVICES
    }


def _password() -> str:
    return secrets.token_hex(24)


def _key() -> str:
    return secrets.token_hex(32)


def _readable() -> str:
    """A password that a person may have to type."""
    return "-".join(secrets.token_hex(3) for _ in range(4))


def _keep(path: Path, make_one: Callable[[], str]) -> str:
    if not path.exists():
        secret_files.write(path, make_one())
    return secret_files.read(path)


def _put(path: Path, text: str, mode: int = 0o600) -> None:
    """Writes what follows from other secrets; nothing where it says so already."""
    if path.exists() and path.read_text() == text:
        return
    path.unlink(missing_ok=True)
    with open(path, "x", opener=lambda file, flags: os.open(file, flags, mode)) as file:
        file.write(text)
