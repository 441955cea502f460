"""Certificates of destruction: their canonical form (RFC 8785), their signature (Ed25519), and what
they prove.

Pure: whoever holds a certificate and the public key needs nothing else of ours. The ledger of
erasure is signed in the same form. docs/certificate.md tells the format to strangers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from blake3 import blake3
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from libs.shared import secret_files

FORMAT = "coffre/certificate-of-destruction/1"

Json = None | bool | int | str | Sequence["Json"] | Mapping[str, "Json"]

_MAX_INTEGER = 2**53 - 1
_SEED_BYTES = 32
_PROOF_BYTES = 16
_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)


class CertificateInvalid(Exception):  # noqa: N818 - read as a sentence
    """A document that proves nothing; the text says why."""


def canonical(value: Json) -> bytes:
    """JSON in the canonical form of RFC 8785; ValueError for what has none, or needs a fraction."""
    _check(value)
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def _check(value: object) -> None:
    """Numbers are whole and exact in every reader; names are ASCII, so that all sort them alike."""
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) and name.isascii() for name in value):
            raise ValueError("names of members are ASCII here")
        for each in value.values():
            _check(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            _check(each)
    elif isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > _MAX_INTEGER:
            raise ValueError("a number is too large to be read exactly everywhere")
    elif value is not None and not isinstance(value, (str, bool)):
        raise ValueError(f"no {type(value).__name__} stands in a certificate")


class Notary:
    """Signs; `seed` is the private key, 32 bytes."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public_pem(self) -> bytes:
        """The public key as it is published."""
        return self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def key_id(self) -> str:
        """What names the key in what it signed."""
        return _name_key(self._key.public_key())

    def sign(self, content: Mapping[str, Json], name: str = "certificate") -> str:
        """The document: what is signed under its name, and beside it the signature of that."""
        signed = {**content, "key_id": self.key_id}
        signature = base64.b64encode(self._key.sign(canonical(signed))).decode()
        return canonical({name: signed, "signature": signature}).decode()


def read_notary(path: Path) -> Notary:
    """The signer whose private key lies in a file, as 64 hexadecimal digits.

    Raises secret_files.SecretFileInvalid.
    """
    try:
        seed = bytes.fromhex(secret_files.read(path))
    except ValueError:
        seed = b""
    if len(seed) != _SEED_BYTES:
        raise secret_files.SecretFileInvalid(f"{path} must hold 64 hexadecimal digits")
    return Notary(seed)


def open_signed(
    document: str | bytes, public_key: bytes, name: str = "certificate"
) -> dict[str, Any]:
    """What was signed; raises CertificateInvalid where one bit of it differs.

    public_key: PEM; where a key was changed, the old one's block may stand beside the new one's.
    """
    try:
        read = json.loads(document, object_pairs_hook=_no_name_twice)
        content, signature = read[name], base64.b64decode(read["signature"], validate=True)
        signed = canonical(content)
    except (KeyError, TypeError, ValueError, RecursionError, binascii.Error) as error:
        raise CertificateInvalid(f"This is no {name} of Coffre: {error}.") from None
    if set(read) != {name, "signature"} or not isinstance(content, dict):
        raise CertificateInvalid(f"This is no {name} of Coffre: something stands beside it.")
    known = _read_keys(public_key)
    key = known.get(str(content.get("key_id")))
    if key is None:
        raise CertificateInvalid(
            f"It names the key {content.get('key_id')!r}, and the key at hand is another one"
            f" ({', '.join(known)})."
        )
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        raise CertificateInvalid(
            "The signature does not fit: it was altered, or signed by somebody else."
        ) from None
    return dict(content)


def verify(document: str | bytes, public_key: bytes) -> str:
    """Says in words what a certificate proves; raises CertificateInvalid with the reason.

    public_key: PEM, as the portal gives it at `/.well-known/coffre-certificate-key.pem`.
    """
    told = open_signed(document, public_key)
    if told.get("format") != FORMAT:
        raise CertificateInvalid(f"Its format is {told.get('format')!r}, not {FORMAT!r}.")
    try:
        subscription, destroyed = told["subscription"], told["destroyed"]
        return (
            f"The certificate is whole and signed by the key {told['key_id']}. It states that of"
            f" {told['client']['name']} ({told['client']['tenant_id']}), whose subscription ended"
            f" on {subscription['ended_at']}, {destroyed['objects']} objects with"
            f" {destroyed['bytes']} bytes (Merkle root {destroyed['merkle_root']}) were destroyed"
            f" between {told['begun_at']} and {told['completed_at']}: the keys first, then every"
            " version of every object, and that nothing was found at two later looks. It proves"
            " who states that and that nothing of it was changed since."
        )
    except (KeyError, TypeError) as error:
        raise CertificateInvalid(f"A part of it is missing: {error}.") from None


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ in which of two members of one name they believe."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in it")
    return found


def _read_keys(pem: bytes) -> dict[str, Ed25519PublicKey]:
    found = {}
    for block in _PEM.findall(pem):
        try:
            key = serialization.load_pem_public_key(block)
        except (ValueError, UnsupportedAlgorithm):
            continue
        if isinstance(key, Ed25519PublicKey):
            found[_name_key(key)] = key
    if not found:
        raise CertificateInvalid("The key file holds no public key of Ed25519 in PEM.")
    return found


def _name_key(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def make_token(mail_key: bytes, tenant_id: UUID, destruction_id: UUID) -> str:
    """The last part of a certificate's link, for who has no account any more."""
    key = blake3(mail_key, derive_key_context="coffre 2026 certificate link").digest()
    proof = blake3(tenant_id.bytes + destruction_id.bytes, key=key).digest(_PROOF_BYTES)
    return base64.urlsafe_b64encode(tenant_id.bytes + proof).decode().rstrip("=")


def is_genuine(mail_key: bytes, token: str, destruction_id: UUID) -> bool:
    """Whether a link was made for this destruction."""
    tenant_id = find_tenant(token)
    return tenant_id is not None and hmac.compare_digest(
        token.encode(), make_token(mail_key, tenant_id, destruction_id).encode()
    )


def find_tenant(token: str) -> UUID | None:
    """Whose certificate a link names; nothing is proven by that. None: it is no such link."""
    try:
        raw = base64.b64decode(token + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return UUID(bytes=raw[:16]) if len(raw) == 16 + _PROOF_BYTES else None
