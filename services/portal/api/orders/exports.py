"""A month's bills as JSON, and as tables for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from libs.shared.words.foreign import plain
from services.portal.actions.orders.billing import Bill
from services.portal.rules.orders import ledger
from services.portal.rules.orders.ledger import LedgerLine, Rule

Form = Literal["json", "csv", "csv-fr"]

_HEADINGS = (
    "month", "about", "client", "tenant_id", "order_id", "rule", "quantity", "amount", "currency",
    "vat_percent", "closed",
)  # fmt: skip
_FRENCH_HEADINGS = (
    "mois", "concerne", "client", "identifiant_client", "commande", "objet", "quantité",
    "montant_ht", "devise", "taux_tva", "clos",
)  # fmt: skip
_FRENCH_RULES: dict[Rule, str] = {
    "storage-month": "stockage, mois",
    "seats-month": "sièges, mois",
    "seats-entry": "sièges, frais d’entrée",
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class LineShown(BaseModel):
    """A line of a bill, before tax; about: the month that it is for."""

    about: str
    order_id: UUID
    rule: Rule
    quantity: int
    amount: str
    currency: str
    vat_percent: str


class TotalShown(BaseModel):
    """What is due at one rate of tax."""

    currency: str
    vat_percent: str
    net: str
    vat: str
    gross: str


class BillShown(BaseModel):
    """What is due of a client; closed: whether it is final."""

    tenant_id: UUID
    client: str
    closed: bool
    lines: list[LineShown]
    totals: list[TotalShown]


class MonthShown(BaseModel):
    """What is due for a month."""

    month: str
    closed: bool
    clients: list[BillShown]


def answer(month: str, bills: Sequence[Bill], form: Form) -> Response:
    """The answer in that form."""
    if form == "json":
        return JSONResponse(
            {
                "month": month,
                "closed": all(bill.is_closed for bill in bills),
                "clients": [_bill(bill) for bill in bills],
            }
        )
    return Response(
        _table(bills, is_french=form == "csv-fr"),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="coffre-{month}.csv"'},
    )


def _bill(bill: Bill) -> dict[str, Any]:
    return {
        "tenant_id": str(bill.payer.tenant_id),
        "client": bill.payer.name,
        "closed": bill.is_closed,
        "lines": [
            {
                "about": str(line.about),
                "order_id": str(line.order_id),
                "rule": line.rule,
                "quantity": line.quantity,
                "amount": str(line.amount),
                "currency": line.currency,
                "vat_percent": str(line.vat_percent),
            }
            for line in bill.lines
        ],
        "totals": [
            {
                "currency": total.currency,
                "vat_percent": str(total.vat_percent),
                "net": str(total.net),
                "vat": str(total.vat),
                "gross": str(total.gross),
            }
            for total in ledger.sum_up(bill.lines)
        ],
    }


def _table(bills: Sequence[Bill], *, is_french: bool) -> bytes:
    """French: semicolons, decimal commas and a byte order mark, as spreadsheets there expect."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";" if is_french else ",", lineterminator="\r\n")
    writer.writerow(_FRENCH_HEADINGS if is_french else _HEADINGS)
    for bill in bills:
        for line in bill.lines:
            writer.writerow(_row(bill, line, is_french=is_french))
    return text.getvalue().encode("utf-8-sig" if is_french else "utf-8")


def _row(bill: Bill, line: LedgerLine, *, is_french: bool) -> list[object]:
    def number(figure: Decimal) -> str:
        return str(figure).replace(".", ",") if is_french else str(figure)

    yes, no = ("oui", "non") if is_french else ("yes", "no")
    return [
        line.month,
        line.about,
        _inert(bill.payer.name),
        bill.payer.tenant_id,
        line.order_id,
        _FRENCH_RULES[line.rule] if is_french else line.rule,
        line.quantity,
        number(line.amount),
        line.currency,
        number(line.vat_percent),
        yes if bill.is_closed else no,
    ]


def _inert(name: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    name = plain(name)
    return f"'{name}" if name.startswith(_FORMULA) else name
