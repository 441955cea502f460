"""Golden mails: what each kind looks like, in both languages, as text and as HTML.

`python -m tests.reporting.goldens` writes tests/reporting/golden anew; look at what changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from libs.shared.events import Locale
from tests.reporting import specimens
from tests.reporting.conftest import lay_out

FOLDER = Path(__file__).parent / "golden"
LOCALES: tuple[Locale, ...] = get_args(Locale)


def render_all() -> Mapping[str, str]:
    """The name of each file, and what stands in it."""
    files = {}
    for name in specimens.SPECIMENS:
        for locale in LOCALES:
            laid = lay_out(specimens.write(name, locale))
            files[f"{name}.{locale}.txt"] = f"Subject: {laid.subject}\n\n{laid.content.text}"
            files[f"{name}.{locale}.html"] = laid.content.html
    return files


def main() -> None:
    for old in FOLDER.iterdir():
        old.unlink()
    for name, text in render_all().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
