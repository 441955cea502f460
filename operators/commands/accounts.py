"""`operator …`: the provider's own people, and what each is there for."""

from __future__ import annotations

from typing import Any

import click

from operators.commands.shell import answer, app, examples, portal, print_members, print_table
from operators.failures import UsageError
from operators.portal import Portal

duty_option = click.option(
    "--duty",
    required=True,
    type=click.Choice(["administrator", "sales", "hotline"]),
    help="What they are there for.",
)
email_argument = click.argument("email", metavar="EMAIL")


@app.group(no_args_is_help=True)
def operator() -> None:
    """The provider's operators, by their mail address."""


@operator.command("list")
def list_operators() -> None:
    """Every operator with their duty."""
    columns = ("name", "email", "duty", "locale")
    told = portal().ask("GET", "/operators")
    answer(told, lambda found: print_table(columns, found["operators"]))


@operator.command(
    epilog=examples("operator add anne@provider.example --name 'Anne Roux' --duty hotline")
)
@email_argument
@click.option("--name", required=True, metavar="N", help="As clients read it.")
@duty_option
@click.option("--locale", default="fr", show_default=True, type=click.Choice(["fr", "en"]))
def add(email: str, name: str, duty: str, locale: str) -> None:
    """Let another operator in, by a one-time password that is shown this once."""
    body = {"name": name, "email": email, "duty": duty, "locale": locale}
    answer(portal().ask("POST", "/operators", body), _print_password)


@operator.command(epilog=examples("operator duty anne@provider.example --duty sales"))
@email_argument
@duty_option
def duty(email: str, duty: str) -> None:
    """Give an operator another duty."""
    asked = portal()
    told = asked.ask("PATCH", f"/operators/{_find(asked, email)}", {"duty": duty})
    answer(told, print_members)


@operator.command(epilog=examples("operator reset anne@provider.example"))
@email_argument
def reset(email: str) -> None:
    """Give an operator a new one-time password, signed out everywhere."""
    asked = portal()
    answer(asked.ask("POST", f"/operators/{_find(asked, email)}/reset"), _print_password)


@operator.command(epilog=examples("operator close anne@provider.example"))
@email_argument
def close(email: str) -> None:
    """Take an operator's account away, signed out everywhere at once."""
    asked = portal()
    told = asked.ask("DELETE", f"/operators/{_find(asked, email)}")
    answer(told, lambda _: click.echo(f"The account of {email} is closed."))


def _find(asked: Portal, email: str) -> str:
    """The id of the operator of an address; raises UsageError."""
    for one in asked.ask("GET", "/operators")["operators"]:
        if one["email"].casefold() == email.casefold():
            return str(one["user_id"])
    raise UsageError(f"No operator has the address {email}; see `coffre operator list`.")


def _print_password(told: dict[str, Any]) -> None:
    click.echo(
        f"{told['email']} chooses a password with this one, within a day: {told['password']}"
    )
