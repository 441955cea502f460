"""What a plan wants left out, and the marks by which folders ask for it themselves."""

from __future__ import annotations

from dataclasses import dataclass

from agent.config import Plan

CACHE_TAG = b"CACHEDIR.TAG"
# https://bford.info/cachedir/
CACHE_SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55"


@dataclass(frozen=True)
class Rules:
    """What is left out of a plan's folders.

    patterns: gitignore patterns; profile: the name of a shipped list, or `none`.
    markers: a folder below the plan's own that holds one of these keeps only that file.
    """

    patterns: tuple[str, ...] = ()
    profile: str = "none"
    markers: tuple[bytes, ...] = ()
    exclude_caches: bool = False
    one_file_system: bool = False
    max_file_size_bytes: int | None = None


def rules_of(plan: Plan) -> Rules:
    """The rules that a plan sets."""
    return Rules(
        patterns=plan.exclude,
        profile=plan.profile,
        markers=tuple(name.encode() for name in plan.exclude_if_present),
        exclude_caches=plan.exclude_caches,
        one_file_system=plan.one_file_system,
        max_file_size_bytes=plan.max_file_size_bytes,
    )
