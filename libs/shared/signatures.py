"""Signatures of events: each sender has a key that neither the broker nor a reader holds.

A sender's private key is its service's alone; all know the public keys. Where a key is being
changed, two of a sender are known for a while (docs/operations.md).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from libs.shared import bus, keys
from libs.shared.bus import Delivery, Message

SIGNATURE_HEADER = "cloudEvents_signature"
MOST_KEYS = 2

MOST_TOGETHER = 16
"""How many events one signature is for: looking at it once costs more than all else of them."""

_CONTEXT = b"coffre/events/v1"
_SIGNATURE_BYTES = 64
_DIGEST_BYTES = 32
_REMEMBERED = 1024
_SOURCE = "/services/"


Refusal = Literal["unknown-sender", "wrong-sender", "unsigned", "forged"]


class SenderRefused(Exception):  # noqa: N818 - what the inbox does with it
    """A message that no sender who may say it has signed. `code` is for metrics."""

    def __init__(self, code: Refusal, why: str) -> None:
        super().__init__(why)
        self.code = code


class Signer:
    """Signs what one service says; `seed` is its private key, 32 bytes."""

    def __init__(self, service: str, seed: bytes) -> None:
        self.source = _SOURCE + service
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public_key(self) -> bytes:
        """What others check the signatures with."""
        return self._key.public_key().public_bytes_raw()

    @property
    def mark(self) -> str:
        """What tells this signer from others, where it isn't signing: no secret."""
        return _mark(self.public_key)

    def sign(self, contents: Sequence[bytes]) -> str:
        """One signature that is good for each of up to MOST_TOGETHER messages.

        contents: what `outgoing` gives of each.
        """
        if len(contents) > MOST_TOGETHER:
            raise ValueError(f"{len(contents)} messages under one signature")
        digests = b"".join(hashlib.sha256(content).digest() for content in contents)
        return base64.b64encode(self._key.sign(_CONTEXT + digests) + digests).decode()


class Senders:
    """Who may say what, and the public keys of all."""

    def __init__(self, public_keys: Mapping[str, Sequence[bytes]]) -> None:
        self._keys = {
            service: [Ed25519PublicKey.from_public_bytes(key) for key in of_service]
            for service, of_service in public_keys.items()
        }
        self._good: dict[tuple[str, bytes], None] = {}
        self._said = {service: bus.published_by(service) for service in public_keys}

    def check(self, delivery: Delivery) -> None:
        """Raises Refused unless the delivery is signed by a service that may say its type."""
        source = _header(delivery, "cloudEvents_source")
        sender = source.removeprefix(_SOURCE)
        if not source.startswith(_SOURCE) or sender not in self._keys:
            raise SenderRefused("unknown-sender", f"no sender is called {source[:100]!r}")
        if delivery.type not in self._said[sender]:
            raise SenderRefused("wrong-sender", f"{sender} doesn't say {delivery.type[:100]!r}")
        try:
            signature = base64.b64decode(_header(delivery, SIGNATURE_HEADER), validate=True)
        except (binascii.Error, ValueError):
            signature = b""
        if not signature:
            raise SenderRefused("unsigned", "it has no signature")
        if not _is_listed(hashlib.sha256(incoming(delivery)).digest(), signature):
            raise SenderRefused("forged", "its signature is for something else")
        if not self._is_good(sender, signature):
            raise SenderRefused("forged", f"its signature is not that of {sender}")

    def _is_good(self, sender: str, signature: bytes) -> bool:
        """Whether a sender made a signature, which comes with each of the events it is for."""
        if (sender, signature) in self._good:
            return True
        signed, digests = signature[:_SIGNATURE_BYTES], signature[_SIGNATURE_BYTES:]
        if not any(_verifies(key, signed, _CONTEXT + digests) for key in self._keys[sender]):
            return False
        while len(self._good) >= _REMEMBERED:
            self._good.pop(next(iter(self._good)))
        self._good[sender, signature] = None
        return True

    def marks(self, service: str) -> set[str]:
        """The marks of the signers that are believed to be a service."""
        return {_mark(key.public_bytes_raw()) for key in self._keys.get(service, ())}

    def knows(self, signer: Signer) -> bool:
        """Whether what a signer signs would be believed."""
        sender = signer.source.removeprefix(_SOURCE)
        return any(
            key.public_bytes_raw() == signer.public_key for key in self._keys.get(sender, ())
        )


def _mark(public_key: bytes) -> str:
    return hashlib.sha256(public_key).hexdigest()[:16]


def _is_listed(digest: bytes, signature: bytes) -> bool:
    """Whether a digest is among those that come with a signature."""
    ends = range(_SIGNATURE_BYTES, len(signature), _DIGEST_BYTES)
    return len(ends) <= MOST_TOGETHER and any(
        signature[at : at + _DIGEST_BYTES] == digest for at in ends
    )


def _verifies(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def outgoing(message: Message) -> bytes:
    """All that counts of a message, as it will stand on the wire."""
    return _content(
        str(message.event_id),
        message.type,
        message.source,
        message.time.isoformat(),
        str(message.subject),
        str(message.sequence),
        message.body,
    )


def incoming(delivery: Delivery) -> bytes:
    """All that counts of a delivery, as it stood on the wire."""
    return _content(
        delivery.message_id,
        delivery.type,
        _header(delivery, "cloudEvents_source"),
        _header(delivery, "cloudEvents_time"),
        _header(delivery, "cloudEvents_subject"),
        _header(delivery, "cloudEvents_sequence"),
        delivery.body,
    )


def _header(delivery: Delivery, name: str) -> str:
    return str(delivery.headers.get(name, ""))


def _content(
    message_id: str, kind: str, source: str, time: str, subject: str, sequence: str, body: bytes
) -> bytes:
    """Each part with its length before it, so that nothing can move to its neighbour.

    Not the trace, which says nothing that is believed, and not the routing key, for a message
    that was moved has another one.
    """
    parts: list[bytes] = []
    for text in (message_id, kind, source, time, subject, sequence):
        raw = text.encode("utf-8", "surrogatepass")
        parts += (len(raw).to_bytes(4, "big"), raw)
    return b"".join((*parts, body))


def public_file(folder: Path, service: str) -> Path:
    """Where the public keys of a sender lie."""
    return folder / f"{service}.pub"


def read_senders(folder: Path) -> Senders:
    """The senders of a folder: `<service>.pub` has one public key a line, in hexadecimal, two at
    most; raises keys.KeyFileInvalid.
    """
    found: dict[str, list[bytes]] = {}
    for service in bus.SENDERS:
        path = public_file(folder, service)
        try:
            lines = path.read_text(encoding="ascii").split()
            found[service] = [bytes.fromhex(line) for line in lines]
        except (OSError, ValueError) as error:
            raise keys.KeyFileInvalid(f"{path} can't be read as public keys: {error}") from error
        lengths_are_right = all(len(key) == keys.KEY_BYTES for key in found[service])
        if not lengths_are_right or not 1 <= len(found[service]) <= MOST_KEYS:
            raise keys.KeyFileInvalid(
                f"{path} must hold one public key of 64 hexadecimal digits, or two, one a line"
            )
    return Senders(found)


def read_signer(service: str, path: Path) -> Signer:
    """The signer of a service, whose private key lies in a file; raises as `keys.read_key`."""
    return Signer(service, keys.read_key(path))
