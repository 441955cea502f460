"""Names as a file system gives them, made safe for a page, an address, a header, a zip."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

from libs.shared.catalogue import terms
from libs.shared.catalogue.terms import UNSEEN
from libs.shared.filenames import on_windows

display = terms.display
fold = terms.fold

NAMES_LIST = "_coffre-names.txt"
"""The file of a zip that says which names were changed."""

_ZIP_NAME_MAX_BYTES = 255
_ZIP_CUT_BYTES = 200


@lru_cache(maxsize=256)  # each row of a folder has the folder's path in several addresses
def quoted(path: bytes) -> str:
    """A path for an address: its raw bytes, percent-encoded, slashes kept."""
    return quote_from_bytes(path, safe="/")


def query_bytes(query: bytes, key: bytes) -> bytes | None:
    """The raw bytes of a query's first member of that name; a plus is a space, as forms do."""
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        if name == key:
            return unquote_to_bytes(value.replace(b"+", b" "))
    return None


def clean_path(path: bytes) -> bytes:
    """A path relative to the plan's root: no leading, trailing or double slashes."""
    return b"/".join(part for part in path.split(b"/") if part)


def parent(path: bytes) -> bytes:
    """The folder that a path lies in, `b""` for the root."""
    return path.rpartition(b"/")[0]


def last(path: bytes) -> bytes:
    """The last component of a path."""
    return path.rpartition(b"/")[2]


def crumbs(path: bytes) -> list[tuple[str, str]]:
    """(name to show, path for an address) of each folder on the way."""
    parts = path.split(b"/") if path else []
    return [
        (display(part), quoted(b"/".join(parts[: depth + 1]))) for depth, part in enumerate(parts)
    ]


def attachment(name: bytes, suffix: str = "") -> str:
    """A Content-Disposition that saves under the given name and never opens (RFC 6266, 8187)."""
    shown = UNSEEN.sub("_", name.decode("utf-8", "replace")).replace("/", "_").replace("\\", "_")
    shown = shown.strip(" .") or "coffre"
    shown = shown.encode()[: 255 - len(suffix)].decode("utf-8", "ignore") + suffix
    plain = re.sub(r"[^A-Za-z0-9 ._()\[\]+=,@-]", "_", shown)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(shown, safe='')}"


def checksum_line(digest: str, name: bytes) -> bytes:
    """A line as `sha256sum` writes it: with a backslash before where the name had to be escaped."""
    written = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    begin = b"\\" if written != name else b""
    return begin + digest.encode() + b"  " + written + b"\n"


class ArchivePaths:
    """The paths of one archive, as an unpacker may safely be told them; two never become one.

    clean: makes a name of a name. What would meet a symlink where case doesn't count is called
    otherwise, so that nothing is ever unpacked through a link. for_windows: two names of a folder
    are never one where case doesn't count."""

    def __init__(self, clean: Callable[[bytes], str], *, for_windows: bool = False) -> None:
        self._clean = clean
        self._links: set[int] = set()
        self._folders: set[int] = set()
        self._renamed: dict[bytes, str] = {}
        # The names so far in the folders above what comes next, as each comes before what is in it.
        self._taken: list[tuple[bytes, set[int]]] | None = [] if for_windows else None

    def show(self, path: bytes, kind: str = "f") -> str:
        """A path of the archive, folders before what is in them; as text, bytes in surrogates."""
        folded = hash(_fold_case(path))
        if folded in (self._folders if kind == "l" else self._links) or self._passes_link(path):
            name = last(path)
            self._renamed[path] = f"%{name[0]:02X}" + self._clean(name[1:]) if name else ""
        if kind == "l":
            self._links.add(folded)
        elif kind == "d":
            self._folders.add(folded)
        if self._taken is not None:
            self._take_name(path, self._taken)
        parts = path.split(b"/")
        safe = [
            self._renamed.get(b"/".join(parts[: place + 1])) or self._clean(part)
            if self._renamed
            else self._clean(part)
            for place, part in enumerate(parts)
        ]
        if safe[0].casefold() == NAMES_LIST:
            safe[0] = "%5F" + NAMES_LIST[1:]
        return "/".join(safe)

    def _take_name(self, path: bytes, taken: list[tuple[bytes, set[int]]]) -> None:
        """Call what has another's name in its folder otherwise."""
        folder = parent(path)
        while taken and taken[-1][0] and not (folder + b"/").startswith(taken[-1][0] + b"/"):
            taken.pop()
        if not taken or taken[-1][0] != folder:
            taken.append((folder, set()))
        names = taken[-1][1]
        name = plain = self._renamed.get(path) or self._clean(last(path))
        tries = 0
        while hash(_fold_case(name.encode("utf-8", "surrogateescape"))) in names:
            tries += 1
            digest = hashlib.sha256(b"%d/%s" % (tries, path)).hexdigest()[:16]
            head = plain.encode("utf-8", "surrogateescape")[:_ZIP_CUT_BYTES]
            name = self._renamed[path] = f"{head.decode('utf-8', 'ignore')}~{digest}"
        names.add(hash(_fold_case(name.encode("utf-8", "surrogateescape"))))

    def _passes_link(self, path: bytes) -> bool:
        """Whether a name has a link before one of its backslashes, which separate on Windows."""
        return any(
            hash(_fold_case(path[:at])) in self._links
            for at in range(path.rfind(b"/") + 1, len(path))
            if path[at : at + 1] == b"\\"
        )


def _fold_case(path: bytes) -> str:
    text = path.replace(b"\\", b"/").decode("utf-8", "surrogateescape")
    return unicodedata.normalize("NFC", text).casefold()


def display_some(names: Sequence[bytes], most: int) -> str:
    """The first names, parted by slashes, within so many characters; one at least, cut if need be.

    Paths are parted by two slashes. What is left out is told by an ellipsis at the end."""
    parted = "//" if any(b"/" in name for name in names) else "/"
    shown = parted.join(display(name) for name in names)
    if len(shown) <= most:
        return shown
    end = shown.rfind(parted, 1, most)
    return shown[:end] + parted + "…" if end > 0 else shown[:most] + "…"


def is_name(name: bytes) -> bool:
    """Whether an entry may be called so; whatever else is said of one comes from no agent."""
    return name not in (b"", b".", b"..") and b"/" not in name and b"\0" not in name


_LOOKS_ESCAPED = re.compile("%(?=[0-9A-F]{2})")
_LOOKS_CUT = re.compile("~(?=[0-9a-f]{16}$)")
_DRIVE = re.compile("^([A-Za-z]):")
_ESCAPED_FIRST = re.compile("%[0-9A-F]{2}")  # as Shown calls what would meet a link
_ESCAPES = {"%5C": "\\", "%3A": ":", "%25": "%"}
_ESCAPE = re.compile("|".join(_ESCAPES))


def zip_name(name: bytes) -> str:
    """A name as a zip can hold it.

    What is no UTF-8, can't be seen, or would mean something to an unpacker stands as `%XX`; what
    Windows can't hold is called as our own restore calls it there."""
    text = name.decode("utf-8", "surrogateescape")
    # Names that look like our own escapes are escaped too, or they could meet another.
    text = _LOOKS_CUT.sub("%7E", _LOOKS_ESCAPED.sub("%25", text))
    text = UNSEEN.sub(_percent, text).replace("\\", "%5C")
    text = on_windows(text.encode()).decode()
    if len(text.encode()) <= _ZIP_NAME_MAX_BYTES:
        return text
    head = text.encode()[:_ZIP_CUT_BYTES].decode("utf-8", "ignore")
    return f"{head}~{hashlib.sha256(name).hexdigest()[:16]}"


def tar_name(name: bytes) -> str:
    """A name as a tar holds it: byte by byte, but where it would lead an unpacker elsewhere.

    Backslashes separate and drives lead away on Windows alone: `system-a\\x2db.mount` stays as it
    is, `..\\x` and `C:x` don't; nor does what one of these would then be called."""
    text = name.decode("utf-8", "surrogateescape")
    if not _must_change(text):
        return text
    text = _LOOKS_ESCAPED.sub("%25", text).replace("\\", "%5C")
    return _DRIVE.sub(r"\1%3A", text)


def _must_change(text: str) -> bool:
    while True:
        parts = text.split("\\")
        if _DRIVE.match(text) or (len(parts) > 1 and (".." in parts or not parts[0])):
            return True
        if _ESCAPED_FIRST.match(text):
            return True
        before = text
        text = _ESCAPE.sub(lambda found: _ESCAPES[found[0]], text)
        if text == before:
            return False


def _percent(match: re.Match[str]) -> str:
    raw = match.group().encode("utf-8", "surrogateescape")
    return "".join(f"%{byte:02X}" for byte in raw)
