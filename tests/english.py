"""English words of ours in a text that should be French."""

from __future__ import annotations

import re

_WORDS = re.compile(
    r"\b(?:above|after|again|all|and|are|ask|be|been|before|below|by|call|can't|check|backed|backup"
    r"|could|database|databases|disk|dump|dumps|each|ended|failed|file|files|folder|folders|for"
    r"|from|has|have|held|if|is|isn't|it|its|let|longer|lost|make|may|missing|more|must|next|not"
    r"|nothing|of|or else|other|our|read|restore point|run|runs|server|should|since|so|some|than"
    r"|that|the|their|them|then|there|this|to|took|until|was|were|what|which|whoever|why|with"
    r"|would|written|wrong|you|your)\b",
    re.IGNORECASE,
)
# Commands, settings and addresses are the same in every language; To is a terabyte.
_TECHNICAL = re.compile(r"\d\u00a0To\b|https?://\S+|--[a-z-]+|coffre-agent .*|\b\w+_\w+\b")


def find_english(text: str) -> list[str]:
    """The English words in it."""
    return _WORDS.findall(_TECHNICAL.sub("", text))
