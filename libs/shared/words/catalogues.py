"""Translations: the phrases that everybody says, and those of one service beside them."""

from __future__ import annotations

import functools
import io
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

from libs.shared.events import Locale

COMMON = Path(__file__).parent / "locales"


@functools.cache
def load(locale: Locale, *folders: Path) -> Translations:
    """Reads a locale's catalogues, `common.po` and all in the given `locales` folders, once.

    A locale without any is that of the phrases themselves: English.
    """
    found = Translations()
    for number, path in enumerate(
        path
        for folder in (COMMON, *folders)
        for path in sorted((folder / locale / "LC_MESSAGES").glob("*.po"))
    ):
        compiled = _compile(path, locale)
        # The first brings the language's rule for plurals with it.
        found = compiled if number == 0 else found.merge(compiled)
    return found


def _compile(path: Path, locale: Locale) -> Translations:
    compiled = io.BytesIO()
    with path.open("rb") as source:
        write_mo(compiled, read_po(source, locale=locale, abort_invalid=True))
    compiled.seek(0)
    return Translations(compiled)
