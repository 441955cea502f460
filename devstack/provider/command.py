"""`./run demo`: looks whether it may, has the services rest, plays, and says where to look."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog

from devstack import control, resting, say
from devstack import stack as stacks
from devstack.folder_store import FolderStore
from devstack.portal import Portal
from devstack.postgresql import PostgreSQL
from devstack.processes import StartFailed
from devstack.provider import filling
from devstack.provider.cast import COMPANIES, DAYS
from devstack.provider.people import OPERATORS
from devstack.rabbitmq import RabbitMQ
from devstack.seaweedfs import SeaweedFS
from devstack.servers import Mailbox, Servers, secret
from devstack.stack import SERVICES, Stack
from libs.shared.runtime.http import use_uvloop

SHOWN = COMPANIES[0]
PASSWORD = "provider-password"  # the name of a file
BAR = 24


def run(folder: Path) -> int:
    """Fills the installation that runs in a folder; gives the exit status."""
    told = control.state(folder)
    if told is None or told["state"] != "ready":
        say.failure("Coffre isn't running here. Start it by `./run up`, then try again.")
        return 3
    described = json.loads((folder / "stack.json").read_text())
    if why := find_objection(described):
        say.failure(why)
        return 1
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    stack = find_stack(folder, described)
    password = stacks.readable_secret(folder, PASSWORD)
    began = time.monotonic()
    say.line(f"Playing half a year of a provider with {len(COMPANIES)} clients; the services rest")
    try:
        with resting.services_at_rest(folder):
            doing = filling.fill(stack, password, _Line())
            with asyncio.Runner(loop_factory=use_uvloop()) as runner:
                play = runner.run(doing)
    except StartFailed as failed:
        say.failure(str(failed))
        return 1
    except KeyboardInterrupt:
        say.failure("stopped half way: begin anew with another --dir, or without this one")
        return 130
    say.line()
    seconds = time.monotonic() - began
    say.done(f"{len(COMPANIES)} clients, {play.runs:,} runs in {DAYS} days: {seconds:.0f} s")
    _print_summary(described, password)
    return 0


def find_objection(described: dict[str, Any]) -> str | None:
    """Says why an installation can't be filled, by what `stack.json` says of it; None if it can.

    The demonstration's own client doesn't count.
    """
    if described["clock"]["offset_seconds"]:
        return "the clock of this installation was moved: `./run clock reset` first."
    portal = Portal(described["portal"]["url"], described["operator"]["token"])
    own = described["demo"] and described["demo"]["tenant_id"]
    others = [
        one["name"] for one in portal.ask("GET", "/tenants")["tenants"] if one["tenant_id"] != own
    ]
    if others:
        return (
            f"this installation has clients already ({others[0]}, …). Fill another one:"
            " `./run up --dir FOLDER`, then `./run demo --dir FOLDER`."
        )
    return None


def find_stack(folder: Path, described: dict[str, Any]) -> Stack:
    """The installation that runs in a folder, by what `stack.json` says of it."""
    database, broker = urlsplit(described["postgres"]["dsn"]), urlsplit(described["amqp"]["url"])
    mailbox = described["mailbox"]
    services = described["services"]
    ports = {name: int(urlsplit(services[name]["url"]).port or 0) for name in SERVICES}
    monitors = {name: int(urlsplit(services[name]["monitor_url"]).port or 0) for name in SERVICES}
    store: SeaweedFS | FolderStore
    if "s3" in described:
        s3 = described["s3"]
        store = SeaweedFS(s3["endpoint"], s3["access_key"], s3["secret_key"])
    else:
        store = FolderStore(Path(described["store"].removeprefix("file://")))
    servers = Servers(
        RabbitMQ(broker.port or 0, secret(folder, "amqp-password"), ""),
        PostgreSQL(database.port or 0, secret(folder, "postgres-password")),
        store,
        Mailbox(described["smtp"]["port"], Path(mailbox["dir"]), mailbox["url"]),
    )
    return Stack(folder, servers, ports, monitors)


class _Line:
    """One line that says how far it is; on a terminal it is written over, else now and then."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._next = 0.0

    def __call__(self, share: float, day: str) -> None:
        seconds = time.monotonic() - self._began
        if say.is_terminal():
            done = "█" * round(share * BAR)
            left = f"{seconds / share * (1 - share):.0f} s left" if share > 0.03 else ""
            text = f"  {day}  {done:░<{BAR}}  {share:4.0%}  {seconds:.0f} s  {left}"
            print(f"\r\x1b[K{text}", end="\n" if share >= 1 else "", flush=True)
        elif share >= self._next:
            say.line(f"  {day}  {share:.0%}  {seconds:.0f} s")
            self._next = share + 0.1


def _print_summary(described: dict[str, Any], password: str) -> None:
    operator, portal = described["operator"], described["portal"]["url"]
    reader = next(one for one in SHOWN.people if one.role == "user")
    say.line(f"\n  Portal   {portal}\n  Mailbox  {described['mailbox']['url']}\n")
    rows = [
        (f"Administrator of {SHOWN.name}", SHOWN.administrator.email, password),
        (f"Reader of the same ({reader.name})", reader.email, password),
        ("Operator, who has been there from the start", operator["email"], operator["password"]),
        *((f"Operator, {one.duty} ({one.name})", one.email, password) for one in OPERATORS),
    ]
    for what, email, chosen in rows:
        say.line(f"  {what}")
        say.line(f"     {email}  password {chosen}")
    say.line("\n  Everybody else of a client has that password, too.")
