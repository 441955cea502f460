"""A gitignore pattern as a regular expression of bytes, with the meaning that git gives it.

After `dir.c` and `wildmatch.c` of git: parse_path_pattern, match_basename, match_pathname, dowild.
git compares bytes: a `?` is one byte, and so is a member of a set.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

_CLASS = re.compile(rb"\[:([^\]]*):\]")
_SPECIAL = re.compile(rb"[*?\[\\]")
_CLASSES = {
    b"alnum": rb"0-9A-Za-z",
    b"alpha": rb"A-Za-z",
    b"blank": rb" \t",
    b"cntrl": rb"\x00-\x1f\x7f",
    b"digit": rb"0-9",
    b"graph": rb"!-~",
    b"lower": rb"a-z",
    b"print": rb" -~",
    b"punct": rb"!-/:-@\[-`{-~",
    b"space": rb" \t-\r",
    b"upper": rb"A-Z",
    b"xdigit": rb"0-9A-Fa-f",
}
_FOLDED_CLASSES = {**_CLASSES, b"upper": _CLASSES[b"alpha"], b"lower": _CLASSES[b"alpha"]}


class MatchesNothing(ValueError):
    """git would take the pattern and never find anything by it; says why."""


@dataclass(frozen=True)
class Glob:
    """What a pattern asks of an entry.

    has_path: it is asked about the whole path inside the plan's folder, else about the name.
    last: a pattern without folders that holds for each name of what it matches.
    places: the folders above it, one by one, each a name or a pattern; None: any folder.
    """

    is_negated: bool
    folders_only: bool
    has_path: bool
    source: bytes
    last: bytes
    places: tuple[bytes, ...] | None

    @cached_property
    def regex(self) -> re.Pattern[bytes]:
        """To be asked with `fullmatch`."""
        return re.compile(self.source, re.DOTALL)


def trimmed(line: bytes) -> bytes:
    """A line without the blanks at its end, but for one after a backslash."""
    bare = line.rstrip(b" ")
    if bare == line:
        return line
    backslashes = len(bare) - len(bare.rstrip(b"\\"))
    return line[: len(bare) + backslashes % 2]


def glob_of(line: bytes, is_folded: bool = False) -> Glob | None:
    """What a line of a .gitignore asks; None for a comment or an empty one.

    is_folded: what is compared was made lower case. Raises MatchesNothing.
    """
    pattern = trimmed(line)
    if not pattern or pattern.startswith(b"#"):
        return None
    is_negated = pattern.startswith(b"!")
    pattern = pattern[is_negated:]
    folders_only = pattern.endswith(b"/")
    pattern = pattern.removesuffix(b"/")
    has_path = b"/" in pattern
    pattern = pattern.removeprefix(b"/")
    if not pattern:
        raise MatchesNothing("it names nothing")
    wild = _SPECIAL.search(pattern)
    # What comes before the first wildcard is compared by itself, so that what follows begins anew.
    fixed = pattern if wild is None else pattern[: wild.start()]
    rest = pattern[len(fixed) :]
    classes = _FOLDED_CLASSES if is_folded else _CLASSES
    source = re.escape(fixed) + _translated(rest, has_path, classes)
    last, places = _placed(pattern, fixed, rest, has_path)
    return Glob(is_negated, folders_only, has_path, source, last, places)


def _placed(
    pattern: bytes, fixed: bytes, rest: bytes, has_path: bool
) -> tuple[bytes, tuple[bytes, ...] | None]:
    if not has_path:
        return pattern, None
    *above, last = pattern.split(b"/")
    opening = pattern.find(b"[")
    has_odd_slash = opening >= 0 and b"/" in pattern[opening:]
    is_torn = rest.startswith(b"**") and bool(fixed) and not fixed.endswith(b"/")
    if has_odd_slash or is_torn:
        return b"*", None
    if b"\\" in pattern or b"**" in pattern:
        return last, None
    return last, tuple(above)


def _translated(pattern: bytes, has_path: bool, classes: dict[bytes, bytes]) -> bytes:
    """A pattern from its first wildcard on; in a path, only `**` goes past a slash."""
    parts: list[bytes] = []
    at = 0
    while at < len(pattern):
        character = pattern[at : at + 1]
        if character == b"*":
            end = at
            while pattern[end : end + 1] == b"*":
                end += 1
            part, at = _stars(pattern, at, end, has_path)
            parts.append(part)
        elif character == b"?":
            parts.append(b"[^/]")
            at += 1
        elif character == b"[":
            part, at = _set(pattern, at + 1, classes)
            parts.append(part)
        else:
            at += character == b"\\"
            if at == len(pattern):
                raise MatchesNothing("its last backslash has nothing to protect")
            parts.append(re.escape(pattern[at : at + 1]))
            at += 1
    return b"".join(parts)


def _stars(pattern: bytes, start: int, end: int, has_path: bool) -> tuple[bytes, int]:
    """(what some stars match, where the pattern goes on)."""
    following = pattern[end:]
    is_alone = (start == 0 or pattern[start - 1 : start] == b"/") and (
        not following or following.startswith((b"/", b"\\/"))
    )
    if not has_path or end - start == 1 or not is_alone:
        return b"[^/]*", end
    if following.startswith(b"/"):
        return b"(?:.*/)?", end + 1
    return b".*", end


def _set(pattern: bytes, at: int, classes: dict[bytes, bytes]) -> tuple[bytes, int]:
    """(a set such as `[a-z]`, where the pattern goes on); `at` is behind its opening bracket."""
    is_negated = pattern[at : at + 1] in (b"!", b"^")
    at += is_negated
    members: list[bytes] = []
    before: int | None = None
    start = at
    while at == start or pattern[at : at + 1] != b"]":
        if (named := _CLASS.match(pattern, at)) is not None:
            members.append(_class(named[1], classes))
            at, before = named.end(), None
            continue
        is_range = (
            pattern[at : at + 1] == b"-"
            and before is not None
            and pattern[at + 1 : at + 2] not in (b"", b"]")
        )
        member, at = _member(pattern, at + is_range)
        if is_range and before is not None:
            if before <= member:
                members.append(b"\\x%02x-\\x%02x" % (before, member))
            before = None
        else:
            members.append(b"\\x%02x" % member)
            before = member
    inside = b"".join(members)
    if is_negated:
        return b"[^/" + inside + b"]", at + 1
    return (b"(?!/)[" + inside + b"]" if inside else b"(?!)"), at + 1


def _class(name: bytes, classes: dict[bytes, bytes]) -> bytes:
    if name not in classes:
        raise MatchesNothing(f"there is no class [:{name.decode('utf-8', 'replace')}:]")
    return classes[name]


def _member(pattern: bytes, at: int) -> tuple[int, int]:
    """(a member of a set, where the set goes on)."""
    at += pattern[at : at + 1] == b"\\"
    if at >= len(pattern):
        raise MatchesNothing("its [ has no ]")
    if pattern[at] >= 0x80:
        raise MatchesNothing("a set of [ ] can only hold plain letters, as git compares bytes")
    return pattern[at], at + 1
