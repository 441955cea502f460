"""DKIM (RFC 6376): mails are signed in the name of the domain that they come from.

Written here because what is at hand signs in Python alone, 11 ms a mail, which would bound the
queue; its verifier tests this.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from services.reporting.mail.compose import split_headers

LEAST_BITS = 1024
RSA_BITS = 2048  # what DNS carries without trouble, and every verifier takes (RFC 8301)
_SIGNED = (
    "from",
    "to",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "auto-submitted",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
)
_ONCE_MORE = ("from", "to", "subject", "date", "message-id")
"""Named twice: a second one that somebody adds breaks the signature (RFC 6376, 8.15)."""
_BLANKS = re.compile(rb"[ \t]+")
_BLANKS_AT_END = re.compile(rb"[ \t]+(?=\r\n)")
_EMPTY_LINES_AT_END = re.compile(rb"(?:\r\n)+\Z")


class KeyInvalidError(ValueError):
    """A file holds no key that mails can be signed with."""


@dataclass(frozen=True, slots=True)
class MailSigner:
    """Whose name mails are signed in; selector: under which name DNS has the public key."""

    domain: str
    selector: str
    key: RSAPrivateKey = field(repr=False)

    @property
    def record_name(self) -> str:
        """Where DNS has to have the record."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """The TXT record."""
        spki = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return f"v=DKIM1; k=rsa; p={_encode(spki)}"

    def sign(self, message: bytes) -> bytes:
        """Returns a message of CRLF lines with its signature on top; relaxed/relaxed."""
        head, _, body = message.partition(b"\r\n\r\n")
        headers = dict(split_headers(head))
        names = [name for name in _SIGNED if name in headers]
        digest = hashlib.sha256(_relax_body(body)).digest()
        unsigned = (
            f"v=1; a=rsa-sha256; c=relaxed/relaxed; d={self.domain};\r\n"
            f" s={self.selector}; h={':'.join(names[:6])}:\r\n"
            f"\t{':'.join([*names[6:], *_ONCE_MORE])};\r\n"
            f" bh={_encode(digest)};\r\n b="
        )
        signed = b"".join(_relax_header(name, headers[name]) for name in names)
        own = _relax_header("dkim-signature", unsigned.encode()).removesuffix(b"\r\n")
        raw = self.key.sign(signed + own, padding.PKCS1v15(), hashes.SHA256())
        signature = _fold(_encode(raw))
        return f"DKIM-Signature: {unsigned}{signature}\r\n".encode() + message


def read_key(pem: str) -> RSAPrivateKey:
    """Returns a private key, RSA of 1024 bits at least; raises KeyInvalidError.

    Ed25519 (RFC 8463) is left out: the large receivers don't verify it.
    """
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as trouble:
        raise KeyInvalidError("this is no private key in PEM without a password") from trouble
    if isinstance(key, RSAPrivateKey) and key.key_size >= LEAST_BITS:
        return key
    raise KeyInvalidError(f"DKIM takes RSA keys of {LEAST_BITS} bits or more")


def make_key() -> str:
    """Returns a new private key as PEM, RSA."""
    key = generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem.decode()


def _relax_header(name: str, value: bytes) -> bytes:
    """RFC 6376, 3.4.2."""
    unfolded = _BLANKS.sub(b" ", value.replace(b"\r\n", b"")).strip()
    return name.encode() + b":" + unfolded + b"\r\n"


def _relax_body(body: bytes) -> bytes:
    """RFC 6376, 3.4.4."""
    relaxed = _BLANKS.sub(b" ", _BLANKS_AT_END.sub(b"", body))
    relaxed = _EMPTY_LINES_AT_END.sub(b"", relaxed)
    return relaxed + b"\r\n" if relaxed else b""


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _fold(text: str) -> str:
    return "\r\n\t".join(text[at : at + 70] for at in range(0, len(text), 70))
