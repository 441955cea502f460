"""Every phrase that the house says, found in templates and code, and what the catalogues hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[1]
WORDS = ROOT / "libs" / "shared" / "words"
SERVICES = {name: ROOT / "services" / name for name in ("portal", "reporting")}
KEYWORDS: dict[str, Any] = {"_": None, "N_": None, "say": None, "count": (1, 2)}

Phrase = str | tuple[str, ...]


def find_phrases(folder: Path) -> set[Phrase]:
    """Single phrases as text, those with a plural as (one, many)."""
    return {
        tuple(message) if isinstance(message, tuple) else message
        for _, _, message, _, _ in extract_from_dir(
            folder,
            [("templates/**", "jinja2.ext:babel_extract"), ("**.py", "python")],
            {"templates/**": {"silent": "false", "trimmed": "false"}},
            keywords=KEYWORDS,
        )
    }


def read_catalogue(folder: Path, name: str) -> Mapping[Phrase, Phrase]:
    """The French of each phrase in `<name>.po`."""
    path = folder / "locales" / "fr" / "LC_MESSAGES" / f"{name}.po"
    with path.open("rb") as source:
        messages = list(read_po(source, locale="fr", abort_invalid=True))
    assert not [each.id for each in messages if each.fuzzy and each.id]
    # Of two that stand for the same phrase the reader takes the first, without a word.
    assert len(re.findall(r"^msgid ", path.read_text("utf-8"), re.MULTILINE)) == len(messages)
    return {each.id: each.string for each in messages if each.id}
