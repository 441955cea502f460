"""What an act is, and the list of all."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

Fields = dict[str, str | int | bool]
Why = Literal[
    "account-unknown",
    "password-wrong",
    "password-expired",
    "password-change-required",
    "too-many-attempts",
    "second-factor-wrong",
    "second-factor-missing",
]
"""What a sign-in lacked."""


ACTS: list[type[Act]] = []
"""Every act there is: all that have a code. Pages and exports have a sentence for each."""


@dataclass(frozen=True)
class Act:
    """Something that a person did; the fields are text, whole numbers or truths."""

    code: ClassVar[str]

    @property
    def fields(self) -> Fields:
        """What is kept of it, by name."""
        return asdict(self)

    def __init_subclass__(cls) -> None:
        """Puts it on the list, unless it is but the common part of some."""
        if "code" in vars(cls):
            ACTS.append(cls)
