"""What proves a restore point: digests of its folders, and its seal (docs/decisions/0037).

A folder's digest is a sum, modulo 2^256, of keyed hashes: one for each entry, and one for each
folder in it that is not empty, over name and digest. So a change costs what changed, and one path
is proven by the folders above it. Whoever knew the sums could look for others that come to the
same: the catalogue keeps them hidden, and only the keys in the bucket show them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import msgspec
from blake3 import blake3

from libs.shared import errors, sealing
from libs.shared.sealing import SealingKeys

MODULUS = 1 << 256
ENTRY_FIELDS = 10
"""What is proven of an entry: name, kind, mode, mtime, uid, gid, size, target, chunk ids, and its
attributes, which are left out where there are none."""

_NONCE_BYTES = 16
_DIGEST_BYTES = 32
_encode = msgspec.msgpack.Encoder().encode
_from_bytes = int.from_bytes


class ProvingKeys(SealingKeys, Protocol):
    """What proving needs of a tenant's keys (libs.shared.keys.TenantKeys)."""

    @property
    def tree_key(self) -> bytes: ...


class Unproven(errors.Refusal):
    """A restore point is not what was sealed at its commit: its rows were changed since."""

    code = "restore-point-unproven"
    status = 409
    title = "The restore point can't be proven"

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def detail(self) -> str:
        return (
            f"What is stored of run {self.number} is not what was sealed when it was backed up; "
            "try another restore point, and tell your provider."
        )


class PointSeal(msgspec.Struct, frozen=True, kw_only=True):
    """What a commit made of a plan, as only the keys can tell it.

    root: the digest of the plan's root folder. chain: over this and all restore points before.
    """

    run_id: UUID
    number: int
    parent: int | None
    committed_at: datetime
    files_total: int
    bytes_protected: int
    root: str
    chain: str = ""


class Prover:
    """Makes and compares digests under one tenant's key."""

    def __init__(self, keys: ProvingKeys) -> None:
        self._entry_key = _derive(keys, "entry")
        self._folder_key = _derive(keys, "folder")
        self._hiding_key = _derive(keys, "hiding")
        self._chain_key = _derive(keys, "chain")

    def entry(self, fields: Sequence[Any]) -> int:
        """What an entry adds to its folder's digest; `fields` are the ENTRY_FIELDS in order."""
        if not fields[-1]:
            fields = fields[:-1]
        return _from_bytes(blake3(_encode(fields), key=self._entry_key).digest(), "big")

    def folder(self, name: bytes, digest: int) -> int:
        """What a folder's content adds to the digest of the folder that it lies in."""
        if not digest:
            return 0
        plain = digest.to_bytes(_DIGEST_BYTES, "big") + name
        return _from_bytes(blake3(plain, key=self._folder_key).digest(), "big")

    def hide(self, digest: int) -> bytes:
        """A digest as the catalogue keeps it; each time another one."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + (digest ^ self._pad(nonce)).to_bytes(_DIGEST_BYTES, "big")

    def show(self, hidden: bytes | None) -> int:
        """The digest that was hidden; 0 for none, anything for what never was."""
        if hidden is None:
            return 0
        shown = hidden[_NONCE_BYTES : _NONCE_BYTES + _DIGEST_BYTES]
        return _from_bytes(shown, "big") ^ self._pad(hidden[:_NONCE_BYTES])

    def _pad(self, nonce: bytes) -> int:
        return _from_bytes(blake3(nonce, key=self._hiding_key).digest(), "big")

    def link(self, seal: PointSeal, before: str) -> PointSeal:
        """The seal with its chain; `before`: the chain of the restore point before, "" for none."""
        fields = msgspec.structs.replace(seal, chain=before)
        chain = blake3(msgspec.json.encode(fields), key=self._chain_key).hexdigest()
        return msgspec.structs.replace(seal, chain=chain)


def _derive(keys: ProvingKeys, purpose: str) -> bytes:
    return blake3(keys.tree_key, derive_key_context=f"coffre 2026 tree {purpose}").digest()


def write_root(digest: int) -> str:
    """A digest as seals hold it: 64 hexadecimal digits."""
    return f"{digest:064x}"


def read_root(written: str) -> int:
    """The digest that a seal holds."""
    return int(written, 16)


def seal_point(seal: PointSeal, keys: SealingKeys, tenant_id: UUID, plan_id: UUID) -> bytes:
    """A restore point's seal as the catalogue keeps it."""
    return sealing.seal_blob(
        msgspec.json.encode(seal), keys, _bind(tenant_id, plan_id, seal.number)
    )


def open_point(
    sealed: bytes | None, keys: SealingKeys, tenant_id: UUID, plan_id: UUID, number: int
) -> PointSeal:
    """The seal of a restore point; Unproven where there is none, or another one's."""
    try:
        plain = sealing.open_blob(sealed or b"", keys, _bind(tenant_id, plan_id, number))
        return msgspec.json.decode(plain, type=PointSeal)
    except (sealing.SealBroken, msgspec.MsgspecError):
        raise Unproven(number) from None


def _bind(tenant_id: UUID, plan_id: UUID, number: int) -> bytes:
    return f"coffre/point/v1 {tenant_id} {plan_id} {number}".encode()
