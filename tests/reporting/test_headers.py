"""Headers that carry names: what was written is what every reader decodes, on short lines."""

from __future__ import annotations

import email
import email.policy
import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr

import pytest

from libs.shared.words.tongue import NBSP
from services.reporting.mail import compose
from services.reporting.mail.rendering import Rendered

FIRST = (
    "Zoé|Jean-Loup|Anne\u2011Maëlle|Éloïse|O'Neil|D’Arcy|Noël|J. P.|Ælfric|Siân|Léa-Œnone|William"
)
LAST = "Lefèvre|de La Tour-d’Auvergne|Nguyễn|Øster|Smith-Jones|Gößwein|St. John|Çelik|Brown, Jr."
KIND = "Société|Étude|SARL|Cabinet d'Électricité|Bros.|Ltd|& Associés|(Île-de-France)|n° 4|Cie +"
FIRM = "Générale|Martin & Fils|Pâtisserie «\u00a0L’Œuf\u00a0»|Hôtel Àcôté|Baker's|100 % Vélo|A/B"
PLAN = (
    "documents|Comptabilité|Vidéos de l’été|pièces jointes 2026|srv=data|mails?|Œuvres|_tmp_|a  b"
)
WORDS = "[REUSSIE] de|[SUCCEEDED]|[ECHEC]|[REUSSIE AVEC RESERVES]|[Hotline] [ECHEC] -|FAILED"

CONTENT = compose.encode(Rendered("text", "<p>text</p>"))


def choose(dice: random.Random, *lists: str) -> str:
    """Some words of each, as long as it comes, with one blank between."""
    return " ".join(
        dice.choice(words.split("|")) for words in lists for _ in range(dice.randint(1, 3))
    )


def decode_old(text: str) -> str:
    return str(make_header(decode_header(text)))


def decode_new(text: str) -> str:
    return str(email.policy.default.header_factory("Subject", text))


def read(raw: bytes, decode: Callable[[str], str]) -> dict[str, tuple[str, str]]:
    """Takes addresses apart first, and decodes their words then, as RFC 2047 says."""
    message: Message = email.message_from_bytes(raw)

    def address(text: str) -> tuple[str, str]:
        name, spec = parseaddr(text.replace("\r\n", ""))
        return decode(name), spec

    return {
        "From": address(message["From"]),
        "To": address(message["To"]),
        "Subject": (decode(message["Subject"].replace("\r\n", "")), ""),
    }


@pytest.mark.parametrize("mails", [400, pytest.param(3_400, marks=pytest.mark.long)])
def test_names_are_read_as_they_were_written(mails: int) -> None:
    dice = random.Random(14)
    wrong, long = [], []
    for number in range(mails):  # three names each
        person, firm = choose(dice, FIRST, LAST)[:80].strip(), choose(dice, KIND, FIRM)
        provider = choose(dice, FIRM, KIND)[:80].strip()
        subject = f"{choose(dice, WORDS)} «{NBSP}{choose(dice, PLAN)}{NBSP}», {firm}"[:250]
        raw = compose.compose(
            f'"{provider}" <coffre@sauvegardes.example>',
            "jeanne.de-la-tour@lefevre-associes.example",
            person,
            subject,
            CONTENT,
            message_id="<x@p.example>",
            written_at=datetime(2026, 11, 23, tzinfo=UTC),
        )
        if number % 10 == 0:
            raw = compose.shorten(raw, "note", 3)
        said = {
            "From": (provider, "coffre@sauvegardes.example"),
            "To": (person, "jeanne.de-la-tour@lefevre-associes.example"),
            "Subject": (subject, ""),
        }
        for found in (read(raw, decode_old), read(raw, decode_new)):
            wrong += [(said[name], found[name]) for name in said if found[name] != said[name]]
        long += [line for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n") if len(line) > 76]
    assert not wrong, (len(wrong), wrong[:5])
    assert not long, (len(long), long[:5])
