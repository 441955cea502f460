"""What a name can be found by: the terms that ingest writes and a search asks for.

People search for what they see, so terms are made of the name as it is shown, without case and
accents. All of it is pure; the tables are those of 0003_names.sql.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Iterable, Sequence
from functools import lru_cache
from sys import byteorder

BUNDLE_NAMES = 32
SHELF_BUNDLES = 4096

# A folder is found by those above it, but not by a thousand of them.
DEEPEST_TERM = 24
_TERMS_ASKED = 12

# Characters that a page or a listing can't show as they are: they move the cursor, reorder the
# line or can't be seen.
UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f"
    "\ufeff\ufff0-\ufffb\U000e0000-\U000e0fff\udc80-\udcff]"
)
# What Unicode holds for letters and signs of their own, and people's keyboards don't have.
_TYPED = str.maketrans(
    {
        "œ": "oe",
        "æ": "ae",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "ħ": "h",
        "\u0131": "i",  # without its dot
        "ł": "l",
        "ŧ": "t",
        "þ": "th",
        **dict.fromkeys("\u2018\u2019\u02bc", "'"),
        **dict.fromkeys("\u201c\u201d", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
    }
)
_UNSEEN_IN_BUNDLE = re.compile(UNSEEN.pattern.replace("\0-", "\x01-"))
# Of a bundle's bytes, where letters and accents stand apart: those of accents from U+0300 to U+033F
# are 0xCC and one more, the kind that never begins a character; what begins others is `_OTHER`.
_OTHER = b"\x01"
_PLAIN = b"\0" + bytes(range(0x20, 0x7F))
_FOLDED = bytes(byte if byte in _PLAIN else _OTHER[0] for byte in range(256)).lower()
_ACCENTS = b"\xcc" + bytes(range(0x80, 0xC0))
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def display(name: bytes) -> str:
    """A name or path for people's eyes: what can't be shown stands as an escape, `\\xff`."""
    return UNSEEN.sub(_escape, name.decode("utf-8", "surrogateescape"))


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def fold(name: bytes) -> str:
    """A name as it is compared: as it is shown, without case, accents and ligatures."""
    if name.isascii():
        text = name.decode("ascii")
        return text.lower() if text.isprintable() else display(name).lower()
    text = unicodedata.normalize("NFKD", display(name)).casefold().translate(_TYPED)
    return "".join(filter(_is_no_mark, text))


def _is_no_mark(character: str) -> bool:
    return not unicodedata.combining(character)


def below(folder_id: int) -> bytes:
    """The term of everything that lies in or below a folder; no text makes the same."""
    return b"\0\0%d" % folder_id


def list_terms(names: Iterable[bytes], above: Sequence[int]) -> set[bytes]:
    """The terms of a bundle; `above` are its folder and those above, from the root down."""
    found: set[str] = set()
    for name in names:
        text = fold(name)
        found.update([text[at : at + 3] for at in range(len(text) - 2)])
        found.update(("\0" + text[:1], "\0" + text[:2]))
    terms = {term.encode() for term in found}
    terms.update(map(below, above[:DEEPEST_TERM]))
    return terms


@lru_cache(maxsize=256)  # asked again for each of thousands of bundles
def words(text: str) -> tuple[str, ...]:
    """What a name must contain, in any order, to be found by a folded text.

    Where no word has three letters, it is the text as it stands."""
    found = tuple(dict.fromkeys(text.split()))
    return found if any(len(word) >= 3 for word in found) else (text,)


def asked_terms(text: str) -> list[bytes]:
    """The terms that a name has which has a folded text's words, or begins with a short one."""
    if len(text) < 3:
        return [b"\0" + text.encode()]
    terms = [word[at : at + 3] for word in words(text) for at in range(len(word) - 2)]
    if len(terms) > _TERMS_ASKED:
        # Each place once would ask for much that one in three tells already.
        terms = [terms[len(terms) * number // _TERMS_ASKED] for number in range(_TERMS_ASKED)]
    return list({term.encode() for term in terms})


def matches(name: bytes, text: str) -> bool:
    """Whether a name contains all words of a folded text, or begins with it where that is short."""
    return _fits(fold(name), text, words(text))


def _fits(folded: str, text: str, wanted: Sequence[str]) -> bool:
    if len(text) < 3:
        return folded.startswith(text)
    return all(word in folded for word in wanted)


def find_names(packed: bytes, text: str) -> list[tuple[int, bytes]]:
    """The names of a bundle that match, with their numbers from 0."""
    wanted = words(text)
    folded = _fold_bundle(packed)
    # Most bundles have none, which is told at once: 32 names cost little more than one. Of two
    # frequent words most have both, in different names: looked at are those that have one.
    if not all(word in folded for word in wanted):
        return []
    if len(text) < 3:
        shown = folded.split("\0")
        numbers = [number for number, one in enumerate(shown) if _fits(one, text, wanted)]
    else:
        numbers = _find_all(folded, wanted)
    names = packed.split(b"\0") if numbers else []
    return [(number, names[number]) for number in numbers]


def _find_all(folded: str, wanted: Sequence[str]) -> list[int]:
    """The numbers of the names that contain all the words."""
    longest = max(wanted, key=len)
    numbers = []
    at = folded.find(longest)
    while at >= 0:
        begin = folded.rfind("\0", 0, at) + 1
        end = folded.find("\0", at + 1)
        end = len(folded) if end < 0 else end
        if all(folded.find(word, begin, end) >= 0 for word in wanted):
            numbers.append(folded.count("\0", 0, begin))
        at = folded.find(longest, end)
    return numbers


def _fold_bundle(packed: bytes) -> str:
    """All names of a bundle as `fold` makes each of them."""
    if packed.isascii():
        plain = packed
    else:
        try:
            text = packed.decode()
        except UnicodeDecodeError:
            text = _show_bundle(packed)
        plain = unicodedata.normalize("NFKD", text).encode()
    folded = plain.translate(_FOLDED, _ACCENTS)
    if _OTHER not in folded:
        return folded.decode("ascii")
    text = unicodedata.normalize("NFKD", _show_bundle(packed)).casefold().translate(_TYPED)
    return "".join(filter(_is_no_mark, text))


def _show_bundle(packed: bytes) -> str:
    """All names of a bundle, NUL between them, as `display` shows each."""
    return _UNSEEN_IN_BUNDLE.sub(_escape, packed.decode("utf-8", "surrogateescape"))


def pack_places(places: Iterable[int]) -> bytes:
    """Places on a shelf as the table keeps them."""
    packed = array("H", places)
    if byteorder == "little":
        packed.byteswap()
    return packed.tobytes()


def unpack_places(packed: bytes) -> array[int]:
    """Places on a shelf, ascending."""
    places = array("H", packed)
    if byteorder == "little":
        places.byteswap()
    return places
