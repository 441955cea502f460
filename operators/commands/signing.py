"""`login` and `logout`: a token for the commands that follow."""

from __future__ import annotations

from contextlib import suppress
from typing import TextIO
from urllib.parse import urlsplit

import click

from operators import remembered
from operators.commands.shell import answer, app, examples, portal_address
from operators.failures import Failure, NotAuthorised
from operators.portal import Portal
from operators.remembered import SignIn

_HERE = {"localhost", "127.0.0.1", "::1"}


@app.command(epilog=examples("login --portal https://portal.example", "login --email me@example"))
@click.option("--email", prompt="Mail address", metavar="E", help="Of your account.")
@click.option(
    "--password-file",
    type=click.File(encoding="utf-8"),
    help="Its first line is the password (- for standard input); else it is asked for.",
)
def login(email: str, password_file: TextIO | None) -> None:
    """Sign in as an operator; the token is kept for you alone, until it expires."""
    address = portal_address()
    if address.startswith("http://") and urlsplit(address).hostname not in _HERE:
        click.echo("coffre: without https others on the way can read the password.", err=True)
    if password_file is not None:
        password = password_file.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True)
    given = Portal(address).ask("POST", "/tokens", {"email": email, "password": password})
    if given["role"] != "operator":
        with suppress(Failure):
            Portal(address, given["token"]).fetch("DELETE", "/tokens")
        raise NotAuthorised(f"{email} is no operator; clients use the portal's pages.")
    file = remembered.keep(SignIn(address, given["token"], given["expires_at"]))
    shown = {"portal": address, "expires_at": given["expires_at"], "file": str(file)}
    answer(shown, lambda _: click.echo(f"Signed in at {address}; the token is kept in {file}."))


@app.command()
def logout() -> None:
    """End the sign-in that `login` kept."""
    kept = remembered.load()
    if kept is None:
        click.echo("Nobody is signed in.")
        return
    remembered.forget()
    with suppress(NotAuthorised):  # it had ended by itself
        Portal(kept.portal, kept.token).fetch("DELETE", "/tokens")
    click.echo(f"Signed out at {kept.portal}.")
