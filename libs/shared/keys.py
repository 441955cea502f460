"""Keys: the master key, each tenant's wrapped keys in the bucket, and sealed one-time texts.

Only the bucket holds a tenant's keys: destroying `keys/<tenant>` makes its data unreadable.
"""

from __future__ import annotations

import base64
import binascii
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Literal
from uuid import UUID

import msgspec
from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.shared import bucket, clock, errors, secret_files
from libs.shared.crashpoints import crashpoint
from libs.shared.objects import ObjectMissing, ObjectStore
from libs.shared.settings import BucketSettings

KEY_BYTES = 32
CACHE_SECONDS = 60.0
BEGINS_AFTER = timedelta(minutes=10)
"""After which new keys are used: until then every process has read them, also one whose clock is
some minutes behind, and can open what others seal."""

_NONCE_BYTES = 12


class KeysDestroyed(errors.Refusal):
    """The tenant has no keys: never made, or destroyed with everything they sealed."""

    code = "keys-destroyed"
    status = 410
    title = "The data can no longer be read"

    @property
    def detail(self) -> str:
        return "The keys of this client do not exist, so nothing of it can be read or written."


class KeyFileInvalid(secret_files.SecretFileInvalid):
    """A key file that does not hold 32 bytes as 64 hexadecimal digits."""


class KeysUnreadable(Exception):  # noqa: N818 - named after what happened
    """A tenant's keys object that is damaged or was wrapped by another master key."""


@dataclass(frozen=True)
class TenantKeys:
    """A tenant's unwrapped keys, 32 bytes each; never shown, never written down.

    data_key, chunk_key: what new chunks are sealed under and named by.
    others: pairs of such keys from before, or from soon on, that open and name what is stored.
    first_data_key: of the oldest pair, where that is another one.
    """

    data_key: bytes = field(repr=False)
    chunk_key: bytes = field(repr=False)
    others: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)
    first_data_key: bytes = field(default=b"", repr=False)

    @cached_property
    def cipher(self) -> AESGCM:
        """Seals under the data key."""
        return AESGCM(self.data_key)

    @cached_property
    def ciphers(self) -> tuple[AESGCM, ...]:
        """Open what was ever sealed, the present one first."""
        return (self.cipher, *(AESGCM(data_key) for data_key, _ in self.others))

    @property
    def chunk_keys(self) -> tuple[bytes, ...]:
        """What chunks were ever named by, the present one first."""
        return (self.chunk_key, *(chunk_key for _, chunk_key in self.others))

    @cached_property
    def nonce_key(self) -> bytes:
        """Keys the synthetic nonces (docs/decisions/0005)."""
        return blake3(self.data_key, derive_key_context="coffre 2026 nonce").digest()

    @cached_property
    def sum_key(self) -> bytes:
        """Masks the check sums of contents (libs.shared.sealing)."""
        return blake3(self._lasting_key, derive_key_context="coffre 2026 sum").digest()

    @cached_property
    def tree_key(self) -> bytes:
        """Keys the digests of folders (docs/decisions/0037)."""
        return blake3(self._lasting_key, derive_key_context="coffre 2026 tree").digest()

    @property
    def _lasting_key(self) -> bytes:
        """For what is kept in the database and never leaves the servers: it is no machine's."""
        return self.first_data_key or self.data_key


class _KeysObject(msgspec.Struct, forbid_unknown_fields=True):
    version: Literal[1]
    tenant_id: UUID
    wrapped: bytes


class _Pair(msgspec.Struct, forbid_unknown_fields=True):
    data_key: bytes
    chunk_key: bytes
    begins_at: datetime


_Pairs = list[_Pair]  # oldest first


def read_key(path: Path) -> bytes:
    """The 32 bytes that a file holds as 64 hexadecimal digits.

    Raises KeyFileInvalid where it doesn't, SecretFileInvalid where others can read it, too.
    """
    text = secret_files.read(path)
    try:
        key = bytes.fromhex(text)
    except ValueError as error:
        raise KeyFileInvalid(f"{path} can't be read as a key: {error}") from error
    if len(key) != KEY_BYTES:
        raise KeyFileInvalid(f"{path} holds {len(key)} bytes, a key has {KEY_BYTES}")
    return key


@asynccontextmanager
async def open_bucket(settings: BucketSettings) -> AsyncIterator[tuple[ObjectStore, KeyRing]]:
    """The bucket that settings name, with the keys that lie in it; closed at the end.

    Raises SecretFileInvalid.
    """
    files = [settings.master_key_file, settings.master_key_previous_file]
    master_keys = [read_key(path) for path in files if path is not None]
    objects = _open_store(settings, master_keys)
    try:
        yield objects, KeyRing(objects, *master_keys)
    finally:
        await objects.close()


def _open_store(settings: BucketSettings, master_keys: Sequence[bytes]) -> ObjectStore:
    if settings.folder is not None:
        return ObjectStore.in_folder(settings.folder, master_keys)
    return ObjectStore.in_s3(
        settings.s3_endpoint,
        settings.s3_access_key,
        settings.s3_secret_key.get_secret_value(),
        settings.s3_bucket,
        region=settings.s3_region,
        addressing=settings.s3_addressing,
    )


class KeyRing:
    """Tenants' keys, unwrapped for a minute at most.

    previous_key: the master key before this one, while not all tenants' keys are rewrapped.
    """

    def __init__(
        self,
        objects: ObjectStore,
        master_key: bytes,
        previous_key: bytes | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._objects = objects
        self._monotonic = monotonic
        self._master = AESGCM(master_key)
        self._previous = AESGCM(previous_key) if previous_key is not None else None
        self._cache: dict[UUID, tuple[float, TenantKeys]] = {}

    async def get(self, tenant_id: UUID) -> TenantKeys:
        """The tenant's keys; KeysDestroyed if there are none, KeysUnreadable if damaged."""
        self._forget_old()
        cached = self._cache.get(tenant_id)
        if cached is not None:
            return cached[1]
        try:
            stored = await self._objects.get(bucket.key_of_keys(tenant_id))
        except ObjectMissing:
            raise KeysDestroyed from None
        return self._remember(tenant_id, self._unwrap(tenant_id, stored))

    async def create(self, tenant_id: UUID) -> TenantKeys:
        """The tenant's keys, made now if there are none.

        Two callers at once could each make some: hold a lock on the tenant around this.
        """
        try:
            return await self.get(tenant_id)
        except KeysDestroyed:
            pairs = [_new_pair(clock.now())]
            wrapped = _wrap(self._master, tenant_id, pairs)
            await self._objects.put(bucket.key_of_keys(tenant_id), wrapped)
            return self._remember(tenant_id, pairs)

    async def renew(self, tenant_id: UUID) -> datetime:
        """Gives a tenant new keys beside the old ones; returns from when on they are used.

        Asked again before that moment it changes nothing. Two callers at once could lose a pair:
        hold a lock on the tenant around this. Raises KeysDestroyed, and KeysUnreadable where what
        was written does not come back; what was there before is then put back.
        """
        name = bucket.key_of_keys(tenant_id)
        try:
            stored = await self._objects.get(name)
        except ObjectMissing:
            raise KeysDestroyed from None
        pairs, now = self._unwrap(tenant_id, stored), clock.now()
        if pairs[-1].begins_at <= now:
            pairs.append(_new_pair(now + BEGINS_AFTER))
            await self._replace(tenant_id, name, stored, pairs)
        return pairs[-1].begins_at

    async def rewrap(self, tenant_id: UUID) -> bool:
        """Wraps a tenant's keys under the master key where they are under the previous one.

        False if they were already. Raises KeysUnreadable where neither opens them, or where what
        was written does not come back; what was there before is then put back.
        """
        name = bucket.key_of_keys(tenant_id)
        try:
            stored = await self._objects.get(name)
        except ObjectMissing:
            raise KeysDestroyed from None
        try:
            _unwrap(self._master, tenant_id, stored)
        except KeysUnreadable:
            pairs = self._unwrap(tenant_id, stored)
        else:
            return False
        await self._replace(tenant_id, name, stored, pairs)
        return True

    async def _replace(self, tenant_id: UUID, name: str, stored: bytes, pairs: _Pairs) -> None:
        await self._objects.put(name, _wrap(self._master, tenant_id, pairs))
        crashpoint("keys.after_rewrap")
        try:
            is_good = _unwrap(self._master, tenant_id, await self._objects.get(name)) == pairs
        except (KeysUnreadable, ObjectMissing):
            is_good = False
        if not is_good:
            await self._objects.put(name, stored)
            raise KeysUnreadable(f"the keys of tenant {tenant_id} did not come back as written")

    def _unwrap(self, tenant_id: UUID, stored: bytes) -> _Pairs:
        try:
            return _unwrap(self._master, tenant_id, stored)
        except KeysUnreadable:
            if self._previous is None:
                raise
            return _unwrap(self._previous, tenant_id, stored)

    def forget(self, tenant_id: UUID) -> None:
        """Drop the tenant's keys from memory at once."""
        self._cache.pop(tenant_id, None)

    def _remember(self, tenant_id: UUID, pairs: _Pairs) -> TenantKeys:
        keys = _keys_of(pairs, clock.now())
        self._cache[tenant_id] = (self._monotonic() + CACHE_SECONDS, keys)
        return keys

    def _forget_old(self) -> None:
        now = self._monotonic()
        for tenant_id in [key for key, (until, _) in self._cache.items() if until <= now]:
            del self._cache[tenant_id]


def _aad(tenant_id: UUID) -> bytes:
    return f"coffre/keys/v1/{tenant_id}".encode()


def _new_pair(begins_at: datetime) -> _Pair:
    return _Pair(os.urandom(KEY_BYTES), os.urandom(KEY_BYTES), begins_at)


def _keys_of(pairs: _Pairs, now: datetime) -> TenantKeys:
    """The newest pair that has begun, and beside it all others."""
    present = next((pair for pair in reversed(pairs) if pair.begins_at <= now), pairs[0])
    others = [(one.data_key, one.chunk_key) for one in reversed(pairs) if one is not present]
    first = b"" if present is pairs[0] else pairs[0].data_key
    return TenantKeys(present.data_key, present.chunk_key, tuple(others), first)


def _wrap(master: AESGCM, tenant_id: UUID, pairs: _Pairs) -> bytes:
    plain = msgspec.json.encode(pairs)
    nonce = os.urandom(_NONCE_BYTES)
    wrapped = nonce + master.encrypt(nonce, plain, _aad(tenant_id))
    return msgspec.json.encode(_KeysObject(1, tenant_id, wrapped))


def _unwrap(master: AESGCM, tenant_id: UUID, stored: bytes) -> _Pairs:
    try:
        wrapped = msgspec.json.decode(stored, type=_KeysObject).wrapped
        plain = master.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], _aad(tenant_id))
        pairs = msgspec.json.decode(plain, type=_Pairs)
    except (msgspec.MsgspecError, InvalidTag, ValueError) as error:
        raise KeysUnreadable(f"the keys of tenant {tenant_id} do not open") from error
    if not pairs or {len(key) for one in pairs for key in (one.data_key, one.chunk_key)} != {
        KEY_BYTES
    }:
        raise KeysUnreadable(f"the keys of tenant {tenant_id} are no keys")
    return pairs


def seal_text(key: bytes, text: str, aad: str) -> str:
    """`text` under AES-256-GCM with a random nonce, as base64; `aad` must be given to open it."""
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, text.encode(), aad.encode())
    return base64.b64encode(nonce + sealed).decode()


def open_text(key: bytes, sealed: str, aad: str) -> str:
    """The text that `seal_text` sealed; KeysUnreadable if anything differs."""
    try:
        raw = base64.b64decode(sealed, validate=True)
        return AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], aad.encode()).decode()
    except (binascii.Error, InvalidTag, ValueError) as error:
        raise KeysUnreadable("a sealed text does not open") from error
