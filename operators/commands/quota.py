"""`quota …`: how much is held of what is contracted, and what is done where it is too much."""

from __future__ import annotations

from typing import Any

import click

from operators.commands.orders import print_order
from operators.commands.shell import answer, app, examples, find_tenant, portal, print_members
from operators.commands.tenants import reason_option, tenant_argument
from operators.values import Moment


@app.group(no_args_is_help=True)
def quota() -> None:
    """Volumes, overage cases, blocks; TENANT is an id or the exact name."""


@quota.command("show", epilog=examples("quota show TENANT --json"))
@tenant_argument
def show_quota(named: str) -> None:
    """What is held, what is contracted, whether growth is blocked, and the open case."""
    asked = portal()
    answer(asked.ask("GET", f"/tenants/{find_tenant(asked, named)}/quota"), _print_quota)


def _print_quota(told: dict[str, Any]) -> None:
    print_members(told)
    if told["case"] is not None:
        click.echo("\nOver the contracted volume:")
        print_members(told["case"])


def _decide(named: str, decision: str, body: dict[str, Any]) -> None:
    asked = portal()
    path = f"/tenants/{find_tenant(asked, named)}/quota/{decision}"
    answer(asked.ask("POST", path, body), print_members)


@quota.command(
    epilog=examples("quota extend TENANT --until 2027-01-31T18:00 --reason 'order on its way'")
)
@tenant_argument
@click.option("--until", type=Moment(), required=True, help="The new deadline.")
@reason_option
def extend(named: str, until: str, reason: str) -> None:
    """Give the client more time to correct an open case."""
    _decide(named, "extend", {"until": until, "reason": reason})


@quota.command(epilog=examples("quota block TENANT --reason R"))
@tenant_argument
@reason_option
def block(named: str, reason: str) -> None:
    """Stop growth at what is held now; recovery and runs that don't grow go on."""
    _decide(named, "block", {"reason": reason})


@quota.command(epilog=examples("quota unblock TENANT --reason R"))
@tenant_argument
@reason_option
def unblock(named: str, reason: str) -> None:
    """Let a client grow again."""
    _decide(named, "unblock", {"reason": reason})


@quota.command(
    epilog=examples("quota revise TENANT --clause 'article 7.3' --reason 'over since October'")
)
@tenant_argument
@click.option("--clause", required=True, metavar="C", help="Of the contract, which allows it.")
@reason_option
def revise(named: str, clause: str, reason: str) -> None:
    """Order the next size in the provider's name; the client is mailed price and clause."""
    asked = portal()
    path = f"/tenants/{find_tenant(asked, named)}/quota/revise"
    answer(asked.ask("POST", path, {"reason": reason, "clause": clause}), print_order)
