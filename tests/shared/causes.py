"""The page of all causes, from the table that mails and pages speak from.

`python -m tests.shared.causes` writes docs/causes.md again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from libs.shared.events import Locale
from libs.shared.reasons import CODES, Kind
from libs.shared.words import catalogues, explanations

FILE = Path(__file__).parents[2] / "docs" / "causes.md"

INTRODUCTION = """\
# Causes

Each failure and each warning has a code.
A mail, a page of the portal and the agent's JSON name it; here stands what it means and what to do about it, for the client, for the technician at the machine, and for the provider's hotline.
“…” stands where a mail names the folder, the program, the size or the time in question.

*Chaque échec et chaque réserve a un code.
Un courriel, une page du portail et le JSON de l’agent l’indiquent ; voici ce qu’il veut dire et ce qu’il faut faire, pour le client, pour le technicien devant la machine et pour l’assistance du prestataire.
« … » remplace le dossier, le programme, la taille ou la durée en question.*

This page is written by `python -m tests.shared.causes`, from the sentences in `libs/shared/words/sentences` and their French.
"""  # noqa: E501 - a sentence a line

TITLES: dict[Kind, str] = {
    "run": "Why a run failed · Pourquoi une sauvegarde a échoué",
    "warning": "What a run warns of · Réserves d’une sauvegarde",
    "file": "Why a file was not backed up · Pourquoi un fichier n’a pas été sauvegardé",
    "dump": "What became of a dump · Ce qu’il est advenu d’un export de base de données",
    "restore": "Why a restore ended · Pourquoi une récupération s’est arrêtée",
    "unrestored": "What a restore left out · Ce qu’une récupération n’a pas pu remettre",
    "hold": "Why nothing of a plan expires · Pourquoi plus rien n’expire",
    "destruction": "What a destruction waits for · Ce qu’attend une destruction",
}
ROWS = {
    "cause": "**Cause**",
    "client": "Client",
    "technician": "Technician · Technicien",
    "hotline": "Hotline · Assistance",
}
_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_PLACE = re.compile(r"\{\w+\}")


def page() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *_list_sections()])


def _list_sections() -> Iterator[str]:
    for kind, title in TITLES.items():
        yield f"## {title}\n"
        for code, meaning in CODES.items():
            if meaning.kinds[0] == kind:
                yield f"### {code}\n"
                yield "| | English | français |\n|---|---|---|"
                yield from _list_rows(code)
                yield ""


def _list_rows(code: str) -> Iterator[str]:
    found = explanations.EXPLANATIONS[code]._asdict()
    for who, title in ROWS.items():
        if found[who]:
            yield f"| {title} | {_say(found[who], 'en')} | {_say(found[who], 'fr')} |"


def _say(phrase: str, locale: Locale) -> str:
    """A sentence with dots where a mail names something."""
    said = catalogues.load(locale).gettext(explanations.without_detail(phrase))
    return _PLACE.sub("…", _OPTIONAL.sub(r"\1", said)).replace("|", "\\|")


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
