"""Sums of all that is handed out, and the provider's signature below them."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from release import wheel

SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"
PUBLIC_KEY = "release-key.pem"
DESCRIPTION = "release.json"
_UNSUMMED = {SUMS, SIGNATURE, PUBLIC_KEY}


@dataclass(frozen=True)
class Key:
    """The provider's key for releases."""

    private: Ed25519PrivateKey

    @property
    def public_hex(self) -> str:
        """What an agent knows it by."""
        return self.private.public_key().public_bytes_raw().hex()

    @property
    def public_pem(self) -> bytes:
        """The public key as openssl reads it."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


def open_key(file: Path, *, make: bool) -> Key:
    """Read the key; make: one that isn't there yet is made, for nobody else to read."""
    if make and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(pem)
        print(
            f"Made {file}: keep it, and keep it secret. Agents that are built now take no update "
            "that another key has signed."
        )
    private = serialization.load_pem_private_key(file.read_bytes(), None)
    if not isinstance(private, Ed25519PrivateKey):
        raise SystemExit(f"{file} holds no Ed25519 key.")
    return Key(private)


def describe(folder: Path, glibc: str) -> None:
    """What there is, for the portal and for agents that look for an update."""
    told = {"version": wheel.VERSION, "glibc": glibc}
    (folder / DESCRIPTION).write_text(json.dumps(told, indent=1) + "\n")


def sign(folder: Path, key: Key) -> None:
    """Sum up all files of the folder, and sign the sums."""
    sums = "".join(
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
        for file in sorted(folder.iterdir())
        if file.name not in _UNSUMMED
    )
    (folder / SUMS).write_text(sums)
    (folder / SIGNATURE).write_bytes(key.private.sign(sums.encode()))
    (folder / PUBLIC_KEY).write_bytes(key.public_pem)
