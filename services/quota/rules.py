"""How far a tenant may grow: pure decisions of quota."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """An operator's word that a tenant may not grow, and what was held at that moment."""

    reason: str
    at_bytes: int


@dataclass(frozen=True, slots=True)
class Account:
    """What quota knows of a tenant; the contract is None until portal has told of it."""

    contracted_bytes: int | None
    stored_bytes: int
    block: Block | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """How far a tenant may grow.

    The ceiling binds while `blocked`; otherwise it names the contracted volume, and growth beyond
    it is accepted: that is a matter for people first.
    """

    ceiling_bytes: int
    blocked: bool
    reason: str


def decide_allowance(account: Account) -> Allowance | None:
    """Returns the allowance of a tenant, or None while its contract isn't known.

    A block stops growth at what was held when it was set: runs that do not grow, deletions and
    all recovery go on, and room freed by deletions may be used again.
    """
    if account.contracted_bytes is None:
        return None
    if account.block is not None:
        return Allowance(account.block.at_bytes, True, account.block.reason)
    return Allowance(account.contracted_bytes, False, "")
