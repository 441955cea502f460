"""Where each thing lies in the bucket: how the keys of objects are made and read.

The forms are those of docs/protocol.md, section 4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

KEYS_PREFIX = "keys/"
"""Below it, every tenant's wrapped keys and nothing else."""
TENANTS_PREFIX = "t/"
"""Below it, a folder for each tenant."""
ERASED_PREFIX = "erased/"
"""Below it, the ledger of erasure: one signed entry for each tenant that is destroyed."""

_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_COUNT = "0|[1-9][0-9]{0,8}"
_DIGEST = "[0-9a-f]{16}"
_DIGEST_LENGTH = 16

_KEYS = re.compile(f"keys/({_UUID})")
_FOLDER = re.compile(f"t/({_UUID})/")
_PACK = re.compile(rf"t/({_UUID})/packs/([0-9a-f]{{2}})/(\2[0-9a-f]{{62}})")
_RUN = re.compile(
    rf"t/({_UUID})/runs/({_UUID})/([1-9][0-9]{{0,8}})\."
    rf"(?:(?P<part>{_COUNT})\.(?P<part_digest>{_DIGEST})"
    rf"|head\.(?P<head_digest>{_DIGEST})"
    r"|(?P<end>end)"
    rf"|list\.(?P<list_part>{_COUNT})\.(?P<list_part_digest>{_DIGEST})"
    r"|list)"
)
_TALLY = re.compile(rf"t/({_UUID})/tallies/([1-9][0-9]{{0,17}})")


@dataclass(frozen=True, slots=True)
class KeysObject:
    """A tenant's wrapped keys."""

    tenant_id: UUID


@dataclass(frozen=True, slots=True)
class PackObject:
    """A sealed pack; the id is the SHA-256 of the pack before it was sealed."""

    tenant_id: UUID
    pack_id: bytes


@dataclass(frozen=True, slots=True)
class TallyObject:
    """How many restore points a tenant has got, and each plan's newest."""

    tenant_id: UUID
    sequence: int


RunObjectKind = Literal["part", "head", "end", "list", "list-part"]


@dataclass(frozen=True, slots=True)
class RunObject:
    """Something of a plan's run, told apart by `kind`.

    place: which part it is of the run's delta or of the whole list, from 0; None for the rest.
    digest: of a part or a head, the first 16 hexadecimal digits of the SHA-256 of what is sealed.
    """

    tenant_id: UUID
    plan_id: UUID
    number: int
    kind: RunObjectKind
    place: int | None = None
    digest: str = ""


@dataclass
class RunObjects:
    """The keys of what there is of a plan's runs, by the runs' numbers.

    Several commits of a run may each have left a head. Parts are found through heads, and not
    kept here; `last_number` counts theirs as well.
    """

    plan_id: UUID
    heads: dict[int, list[str]] = field(default_factory=dict)
    ends: dict[int, str] = field(default_factory=dict)
    lists: dict[int, str] = field(default_factory=dict)
    last_number: int = 0

    def add(self, key: str, found: RunObject) -> None:
        """Sorts in an object of this plan: `found` is what its key was read as."""
        self.last_number = max(self.last_number, found.number)
        if found.kind == "head":
            self.heads.setdefault(found.number, []).append(key)
        elif found.kind == "end":
            self.ends[found.number] = key
        elif found.kind == "list":
            self.lists[found.number] = key


def prefixes_of(tenant_id: UUID) -> tuple[str, str]:
    """How all keys of a tenant begin, and nobody else's: what a destruction must empty.

    The tenant's keys come first: without them nothing of the rest can be read.
    """
    return key_of_keys(tenant_id), folder_of(tenant_id)


def folder_of(tenant_id: UUID) -> str:
    """How the keys of all that a tenant has stored begin, which is all but its wrapped keys."""
    return f"{TENANTS_PREFIX}{tenant_id}/"


def packs_of(tenant_id: UUID) -> str:
    """How the keys of a tenant's packs begin."""
    return f"{folder_of(tenant_id)}packs/"


def runs_of(tenant_id: UUID, plan_id: UUID | None = None) -> str:
    """How the keys of all objects of a plan's runs begin, or of all plans'."""
    runs = f"{folder_of(tenant_id)}runs/"
    return runs if plan_id is None else f"{runs}{plan_id}/"


def tallies_of(tenant_id: UUID) -> str:
    """How the keys of a tenant's tallies begin."""
    return f"{folder_of(tenant_id)}tallies/"


def key_of_tally(tenant_id: UUID, sequence: int) -> str:
    """Where the tally lies that was taken at so many restore points."""
    return f"{tallies_of(tenant_id)}{sequence}"


def key_of_keys(tenant_id: UUID) -> str:
    """Where a tenant's wrapped keys lie."""
    return f"{KEYS_PREFIX}{tenant_id}"


def key_of_erased(tenant_id: UUID) -> str:
    """Where the ledger's entry lies that tells of a tenant's destruction: outlives all of it."""
    return f"{ERASED_PREFIX}{tenant_id}"


def key_of_pack(tenant_id: UUID, pack_id: bytes) -> str:
    """Where a sealed pack lies; the id has 32 bytes."""
    name = pack_id.hex()
    return f"{packs_of(tenant_id)}{name[:2]}/{name}"


def key_of_part(tenant_id: UUID, plan_id: UUID, number: int, batch: int, sha256: str) -> str:
    """Where a batch of a run's delta lies; the hash is of what is sealed, in hexadecimal."""
    return f"{runs_of(tenant_id, plan_id)}{number}.{batch}.{sha256[:_DIGEST_LENGTH]}"


def key_of_head(tenant_id: UUID, plan_id: UUID, number: int, sha256: str) -> str:
    """Where a head lies that a commit of the run left; the hash is of what is sealed."""
    return f"{runs_of(tenant_id, plan_id)}{number}.head.{sha256[:_DIGEST_LENGTH]}"


def key_of_end(tenant_id: UUID, plan_id: UUID, number: int) -> str:
    """Where a run's end lies."""
    return f"{runs_of(tenant_id, plan_id)}{number}.end"


def key_of_list(tenant_id: UUID, plan_id: UUID, number: int) -> str:
    """Where the head of a whole list lies that tells of a plan at this run."""
    return f"{runs_of(tenant_id, plan_id)}{number}.list"


def key_of_list_part(tenant_id: UUID, plan_id: UUID, number: int, place: int, sha256: str) -> str:
    """Where a part of a whole list lies; the hash is of what is sealed, in hexadecimal."""
    return f"{key_of_list(tenant_id, plan_id, number)}.{place}.{sha256[:_DIGEST_LENGTH]}"


def parse_key(key: str) -> KeysObject | PackObject | RunObject | TallyObject | None:
    """What lies under a key; None for every key that no function here would make."""
    if matched := _PACK.fullmatch(key):
        return PackObject(UUID(matched[1]), bytes.fromhex(matched[3]))
    if matched := _RUN.fullmatch(key):
        return _parse_run(matched)
    if matched := _KEYS.fullmatch(key):
        return KeysObject(UUID(matched[1]))
    if matched := _TALLY.fullmatch(key):
        return TallyObject(UUID(matched[1]), int(matched[2]))
    return None


def _parse_run(matched: re.Match[str]) -> RunObject:
    run = UUID(matched[1]), UUID(matched[2]), int(matched[3])
    if matched["part"]:
        return RunObject(*run, "part", int(matched["part"]), matched["part_digest"])
    if matched["head_digest"]:
        return RunObject(*run, "head", None, matched["head_digest"])
    if matched["end"]:
        return RunObject(*run, "end")
    if matched["list_part"]:
        return RunObject(*run, "list-part", int(matched["list_part"]), matched["list_part_digest"])
    return RunObject(*run, "list")


def find_tenant(key: str) -> UUID | None:
    """Whose object has this key, be it of a kind that we know or not; None if it is nobody's."""
    matched = _FOLDER.match(key) or _KEYS.fullmatch(key)
    return UUID(matched[1]) if matched else None


def skip_folder(key: str) -> str:
    """What sorts behind all keys of the folder below `TENANTS_PREFIX` that this key lies in.

    Listing on from there, whoever wants to know which tenants there are reads a key of each.
    """
    folder, slash, _ = key.removeprefix(TENANTS_PREFIX).partition("/")
    return f"{TENANTS_PREFIX}{folder}{chr(ord('/') + 1)}" if slash else key
