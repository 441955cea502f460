"""`notice …`: what clients are told of maintenance, of where data is stored, and otherwise."""

from __future__ import annotations

from typing import Any, TextIO

import click

from operators.commands.shell import answer, app, examples, portal, print_members, print_table
from operators.values import Moment

KINDS = ("maintenance", "location", "text")
notice_argument = click.argument("notice_id", metavar="NOTICE", type=click.UUID)


@app.group(no_args_is_help=True)
def notice() -> None:
    """Maintenance, a change of where data is stored, free text. New terms are documents."""


@notice.command(
    epilog=examples(
        "notice draft maintenance --begins 2026-12-05T22:00 --ends 2026-12-06T04:00 --ahead 7 "
        "--title-fr 'Serveurs' --title-en 'Servers' --text-fr fr.txt --text-en en.txt"
    )
)
@click.argument("kind", type=click.Choice(KINDS), metavar="|".join(KINDS))
@click.option("--title-fr", required=True, metavar="T", help="Its title in French.")
@click.option("--title-en", required=True, metavar="T", help="Its title in English.")
@click.option("--text-fr", required=True, type=click.File(encoding="utf-8"), metavar="FILE")
@click.option("--text-en", required=True, type=click.File(encoding="utf-8"), metavar="FILE")
@click.option("--begins", type=Moment(), help="When the window begins, or from when it counts.")
@click.option("--ends", type=Moment(), help="When the window ends.")
@click.option(
    "--ahead", type=click.IntRange(0, 365), default=0, metavar="DAYS", help="Told so long before."
)
@click.option(
    "--client",
    "clients",
    type=click.UUID,
    multiple=True,
    metavar="ID",
    help="Only this client; may be repeated. Without: all.",
)
def draft(
    kind: str,
    title_fr: str,
    title_en: str,
    text_fr: TextIO,
    text_en: TextIO,
    begins: str | None,
    ends: str | None,
    ahead: int,
    clients: tuple[object, ...],
) -> None:
    """Write a notice that nobody is told of yet; read it by `notice show`."""
    body = {
        "kind": kind,
        "title": {"fr": title_fr, "en": title_en},
        "text": {"fr": text_fr.read(), "en": text_en.read()},
        "begins_at": begins,
        "ends_at": ends,
        "ahead_days": ahead,
        "clients": [str(one) for one in clients] or None,
    }
    told = portal().ask("POST", "/notices", body)
    answer(told, lambda found: click.echo(f"Drafted: {found['notice_id']}"))


@notice.command("list")
def list_notices() -> None:
    """Every notice, the newest first."""
    columns = ("notice_id", "kind", "state", "title", "begins_at", "send_at")

    def show(told: dict[str, Any]) -> None:
        rows = [{**one, "title": one["title"]["en"]} for one in told["notices"]]
        print_table(columns, rows, "Nothing was announced yet.")

    answer(portal().ask("GET", "/notices"), show)


@notice.command("show", epilog=examples("notice show NOTICE"))
@notice_argument
def show_notice(notice_id: object) -> None:
    """A notice as clients read it in both languages, and who is to be called."""
    answer(portal().ask("GET", f"/notices/{notice_id}"), _print_notice)


def _print_notice(told: dict[str, Any]) -> None:
    preview, clients, to_call = told.pop("preview"), told.pop("clients"), told.pop("to_call")
    told.pop("title")
    print_members(told)
    for locale, said in preview.items():
        click.echo(f"\n--- {locale}: {said['subject']}")
        for paragraph in (said["lead"], *said["paragraphs"]):
            if paragraph:
                click.echo(f"\n{paragraph}")
    click.echo()
    print_table(("tenant_id", "name", "standing", "told_at", "accepted_at"), clients)
    for one in to_call:
        for mail in one["mails"]:
            if mail["outcome"] == "refused":
                click.echo(f"To be called: {one['name']}, {mail['recipient']}: {mail['answer']}")


def _post(notice_id: object, step: str, sentence: str, body: Any = None) -> None:
    told = portal().ask("POST", f"/notices/{notice_id}/{step}", body)
    answer(told, lambda _: click.echo(sentence))


@notice.command(epilog=examples("notice publish NOTICE"))
@notice_argument
def publish(notice_id: object) -> None:
    """Let clients be told as soon as it is time."""
    _post(notice_id, "publish", "Clients are told as soon as it is time.")


@notice.command(
    epilog=examples("notice withdraw NOTICE --reason-fr 'Reporté' --reason-en 'Put off'")
)
@notice_argument
@click.option("--reason-fr", required=True, metavar="R", help="Why, in French; clients read it.")
@click.option("--reason-en", required=True, metavar="R", help="Why, in English.")
def withdraw(notice_id: object, reason_fr: str, reason_en: str) -> None:
    """Tell whoever was told that it does not happen."""
    body = {"reason": {"fr": reason_fr, "en": reason_en}}
    _post(notice_id, "withdraw", "Whoever was told is told that it does not happen.", body)


@notice.command(epilog=examples("notice send NOTICE CLIENT"))
@notice_argument
@click.argument("client", type=click.UUID)
def send(notice_id: object, client: object) -> None:
    """Write once more to a client whose mail was refused."""
    _post(notice_id, f"clients/{client}/send", "The mail is on its way once more.")


@notice.command("carry-out", epilog=examples("notice carry-out NOTICE"))
@notice_argument
def carry_out(notice_id: object) -> None:
    """Note that a change of location was made, once every client could know long enough."""
    _post(notice_id, "carry-out", "The change is noted as carried out.")
