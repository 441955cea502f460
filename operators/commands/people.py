"""`user …` and `machine …`: a client's people and machines, when one of them is lost."""

from __future__ import annotations

from typing import Any

import click

from operators.commands.shell import answer, app, examples, find_tenant, portal, print_table
from operators.commands.tenants import tenant_argument
from operators.failures import UsageError
from operators.portal import Portal
from operators.values import show

email_argument = click.argument("email", metavar="EMAIL")


@app.group(no_args_is_help=True)
def user() -> None:
    """A client's people with an account, by their mail address."""


@user.command("list")
@tenant_argument
def list_users(named: str) -> None:
    """Everybody of a client with an account."""
    asked = portal()
    told = asked.ask("GET", f"/tenants/{find_tenant(asked, named)}")
    answer(told, lambda found: print_table(("name", "email", "role", "locale"), found["people"]))


@user.command("sign-out", epilog=examples("user sign-out TENANT claire@martin.example"))
@tenant_argument
@email_argument
def sign_out(named: str, email: str) -> None:
    """End all sign-ins of somebody at once, and the tokens of their programs."""
    asked = portal()
    told = asked.ask("POST", f"{_find_user(asked, named, email)}/sign-out")
    answer(told, lambda _: click.echo(f"{email} is signed out everywhere."))


@user.command("reset", epilog=examples("user reset claire@martin.example --reason 'she called'"))
@email_argument
@click.option("--reason", default="", metavar="R", help="Why, for a second operator.")
@click.option("--forget-second-factors", is_flag=True, help="They were lost: take them away.")
def reset(email: str, reason: str, *, forget_second_factors: bool) -> None:
    """Mail somebody a one-time password; the present one ends at once, with all sign-ins."""
    body = {"email": email, "reason": reason, "forget_second_factors": forget_second_factors}
    told = portal().ask("POST", "/administrators/reset", body)
    answer(told, lambda _: click.echo(f"A one-time password for {email} is on its way."))


@app.group(no_args_is_help=True)
def machine() -> None:
    """A client's machines, by their id or their name."""


@machine.command("list")
@tenant_argument
def list_machines(named: str) -> None:
    """Every machine that has joined, and which were withdrawn."""
    asked = portal()
    told = asked.ask("GET", f"/tenants/{find_tenant(asked, named)}/machines")
    columns = ("agent_id", "hostname", "platform", "last_run_at", "revoked_at")
    answer(told, lambda found: print_table(columns, found["machines"]))


@machine.command("revoke", epilog=examples("machine revoke 'Boulangerie Martin' srv-compta"))
@tenant_argument
@click.argument("which", metavar="MACHINE")
def revoke(named: str, which: str) -> None:
    """Let a machine send nothing any more, at once; what it backed up stays."""
    asked = portal()
    path = f"/tenants/{find_tenant(asked, named)}/machines"
    agent_id = _choose(which, asked.ask("GET", path)["machines"])
    told = asked.ask("POST", f"/agents/{agent_id}/revoke")
    answer(told, _print_withdrawn)


def _print_withdrawn(told: dict[str, Any]) -> None:
    click.echo(f"Withdrawn since {show('effective_since', told['effective_since'])}.")


def _choose(which: str, machines: list[dict[str, Any]]) -> str:
    """The id of one machine; raises UsageError for none, and for several of one name."""
    found = [one for one in machines if which == str(one["agent_id"])] or [
        one
        for one in machines
        if one["hostname"].casefold() == which.casefold() and one["revoked_at"] is None
    ]
    if len(found) == 1:
        return str(found[0]["agent_id"])
    how = "Several machines are" if found else "No machine is"
    raise UsageError(f"{how} called {which}; give an id of `coffre machine list`.")


def _find_user(asked: Portal, named: str, email: str) -> str:
    """The path of somebody of a client; raises UsageError."""
    path = f"/tenants/{find_tenant(asked, named)}"
    for one in asked.ask("GET", path)["people"]:
        if one["email"].casefold() == email.casefold():
            return f"{path}/users/{one['user_id']}"
    raise UsageError(f"Nobody of this client has the address {email}; see `coffre user list`.")
