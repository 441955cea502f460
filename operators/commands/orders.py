"""`order …`: more or less volume or seats, seen before it is placed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import click

from operators.commands.shell import (
    answer,
    app,
    examples,
    find_tenant,
    portal,
    print_members,
    print_table,
)
from operators.values import Size

_COUNTS = ("before", "after")


@app.group(no_args_is_help=True)
def order() -> None:
    """Volume and seats, by the month."""


def _wanted(command: Callable[..., None]) -> Callable[..., None]:
    """What an order is for: the new volume, or the new number of seats."""
    command = click.option("--seats", type=click.IntRange(1), help="The new number of users.")(
        command
    )
    command = click.option("--storage", type=Size(), help="The new volume, such as 2TB.")(command)
    return click.argument("named", metavar="TENANT")(command)


def _body(storage: int | None, seats: int | None) -> dict[str, int]:
    if (storage is None) == (seats is None):
        raise click.UsageError("Give either --storage SIZE or --seats N.")
    return {"storage_bytes": storage} if storage is not None else {"seats": int(seats or 0)}


@order.command(epilog=examples("order preview TENANT --storage 2GB"))
@_wanted
def preview(named: str, storage: int | None, seats: int | None) -> None:
    """Show what an order would cost, and from when; nothing is ordered."""
    body = _body(storage, seats)
    asked = portal()
    path = f"/tenants/{find_tenant(asked, named)}/orders/preview"
    answer(asked.ask("POST", path, body), print_order)


@order.command(epilog=examples("order place TENANT --storage 2GB", "order place TENANT --seats 3"))
@_wanted
@click.option("--key", metavar="KEY", help="Orders with one key are one order; else a new one.")
def place(named: str, storage: int | None, seats: int | None, key: str | None) -> None:
    """Order; more takes effect at once, less at the end of the month."""
    body = _body(storage, seats)
    asked = portal()
    path = f"/tenants/{find_tenant(asked, named)}/orders"
    answer(asked.ask("POST", path, body, key=key or str(uuid4())), print_order)


def print_order(told: dict[str, Any]) -> None:
    """An order with what is due by it."""
    print_members(_measured(told))
    click.echo(f"\n{told['sentences']['en']}")
    print_table(("month", "rule", "amount", "currency"), told["lines"])


def _measured(told: dict[str, Any]) -> dict[str, Any]:
    """An order whose numbers say what they count."""
    unit = "_bytes" if told["what"] == "storage" else ""
    return {f"{name}{unit}" if name in _COUNTS else name: one for name, one in told.items()}


@order.command("list", epilog=examples("order list TENANT"))
@click.argument("named", metavar="TENANT")
def list_orders(named: str) -> None:
    """A client's orders."""
    asked = portal()
    answer(asked.ask("GET", f"/tenants/{find_tenant(asked, named)}/orders"), _print_orders)


def _print_orders(told: dict[str, Any]) -> None:
    for what, unit in (("storage", "_bytes"), ("seats", "")):
        placed = [_measured(one) for one in told["orders"] if one["what"] == what]
        click.echo(f"{what}:")
        print_table(("order_id", f"before{unit}", f"after{unit}", "effective_at", "by"), placed)


def _let(named: str, *, allowed: bool) -> None:
    asked = portal()
    asked.ask("PUT", f"/tenants/{find_tenant(asked, named)}/orders/allowed", {"allowed": allowed})
    what = "may order by themselves" if allowed else "can't order by themselves any more"
    answer({"allowed": allowed}, lambda _: click.echo(f"The administrators {what}."))


@order.command(epilog=examples("order allow TENANT"))
@click.argument("named", metavar="TENANT")
def allow(named: str) -> None:
    """Let a client's administrators order by themselves."""
    _let(named, allowed=True)


@order.command(epilog=examples("order forbid TENANT"))
@click.argument("named", metavar="TENANT")
def forbid(named: str) -> None:
    """Have a client's orders placed by the provider alone."""
    _let(named, allowed=False)
