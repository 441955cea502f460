"""Foreign words, such as names and what programs said, made safe to show."""

from __future__ import annotations

import re

_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def plain(text: str) -> str:
    """Makes a foreign text one line: what would break it or turn it round is spelled, `\\u202e`."""
    return _CONTROLS.sub(_spell, text)


def _spell(found: re.Match[str]) -> str:
    point = ord(found.group())
    named = {9: "\\t", 10: "\\n", 13: "\\r"}
    return named.get(point) or (f"\\x{point:02x}" if point < 256 else f"\\u{point:04x}")


LONGEST = 300
"""How many characters of one foreign text are shown."""

# What mail programs make links of by themselves. A dot is left alone before a number, and before
# the kinds of files that no top-level domain is called after.
_FILES = (
    "7z|avi|bak|bin|bmp|bz2|cfg|conf|csv|dat|db|doc|docm|docx|dwg|eml|exe|gif|gz|htm|html|ibd|ini"
    "|iso|jpeg|jpg|js|json|ldf|lnk|log|mdb|mdf|mp3|mp4|msg|myd|odp|ods|odt|ost|pdf|php|png|ppt"
    "|pptx|pst|rar|rtf|sql|sqlite|svg|tar|tgz|tif|tiff|tmp|txt|vhd|vhdx|vmdk|wal|wav|xls|xlsm"
    "|xlsx|xml|xz|yaml|yml"
)
_LINKED = re.compile(
    r"(?P<slashes>[:\uff1a](?=//|\\\\))"
    r"|(?<![^\W\d_])(?:mailto|tel|sms|callto|skype|sip|sips|xmpp|news|data|file|javascript)"
    r"(?P<scheme>:(?=\S))"
    r"|(?P<share>\\\\(?=\w))"
    r"|(?<=[^\s\[])(?P<at>[@\uff20])(?=\S)"
    r"|(?<![\d.])\d{1,3}\.\d{1,3}\.\d{1,3}(?P<quad>\.)(?=\d{1,3}(?![\d.]))"
    r"|(?<=\w)(?P<dot>[.\u3002\uff0e\uff61])(?=[^\W\d_]|xn--)"
    rf"(?!(?:{_FILES})(?![\w-]))",
    re.IGNORECASE,
)


def inert(text: str, longest: int = LONGEST) -> str:
    """Makes a foreign text plain, of bounded length, and no link: `evil[.]example`, `http[:]//`.

    The middle of a longer one is left out. Whatever a mail program takes for an address gets
    brackets that anybody can take away again.
    """
    if len(text) > longest:
        begin = longest * 2 // 3
        text = text[:begin] + "\u2026" + text[begin + 1 - longest :]
    return _LINKED.sub(_break, plain(text))


def _break(found: re.Match[str]) -> str:
    kind = found.lastgroup or ""
    begin = found.start(kind) - found.start()
    whole, sign = found.group(), found.group(kind)
    return f"{whole[:begin]}[{sign}]{whole[begin + len(sign) :]}"
