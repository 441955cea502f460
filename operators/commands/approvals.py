"""`tenant look` and `approval …`: a client's files, and what takes two operators."""

from __future__ import annotations

from typing import Any

import click

from operators.commands.shell import answer, app, examples, find_tenant, portal, print_table
from operators.commands.tenants import reason_option, tenant, tenant_argument
from operators.values import show

approval_argument = click.argument("approval", metavar="APPROVAL", type=click.UUID)


@tenant.command(epilog=examples("tenant look 'Boulangerie Martin' --reason 'she asked which one'"))
@tenant_argument
@reason_option
def look(named: str, reason: str) -> None:
    """Open a client's files to you for 24 hours, by page and API."""
    asked = portal()
    opened = asked.ask("POST", f"/tenants/{find_tenant(asked, named)}/look", {"reason": reason})
    answer(opened, _print_look)


def _print_look(told: dict[str, Any]) -> None:
    click.echo(f"Open to you until {show('until', told['until'])}; the client reads why.")


@app.group(no_args_is_help=True)
def approval() -> None:
    """What waits for a second operator, where the installation wants two."""


@approval.command("list")
def list_approvals() -> None:
    """What other operators asked for, the oldest first."""
    columns = ("approval_id", "kind", "client", "subject", "reason", "asker", "expires_at")
    told = portal().ask("GET", "/approvals")
    answer(told, lambda found: print_table(columns, found["approvals"], "Nothing waits."))


@approval.command(epilog=examples("approval confirm APPROVAL"))
@approval_argument
def confirm(approval: object) -> None:
    """Do what another operator asked for, in their name."""
    done = portal().ask("POST", f"/approvals/{approval}/confirm")
    # It has the id by which `answer` knows what is yet to be confirmed.
    answer({**done, "approval_id": None}, lambda told: click.echo(f"Done for {told['asker']}."))


@approval.command(epilog=examples("approval decline APPROVAL"))
@approval_argument
def decline(approval: object) -> None:
    """Leave it undone; whoever asked takes it back by this as well."""
    told = portal().ask("POST", f"/approvals/{approval}/decline")
    answer(told, lambda _: click.echo("It is left undone."))
