"""Links in mails by which somebody says something without signing in.

Reporting writes them and the portal reads them; both hold the mail key, by which they are signed.
A link names what it is about, and is good for that, one purpose, and one address of one client.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Literal
from uuid import UUID

from blake3 import blake3

Purpose = Literal["invitation", "overage", "reports"]
"""What a link does: takes up an invitation to reports, answers an overage case, chooses reports.

The last is about the client itself: its subject is the client's own id."""

LETTERS = 43
"""How long the last part of a link is."""
_MAC_BYTES = 16


def make_token(
    mail_key: bytes, purpose: Purpose, tenant_id: UUID, subject_id: UUID, email: str
) -> str:
    """The last part of a link: 43 letters, digits, `-` and `_`."""
    signed = subject_id.bytes + _sign(mail_key, purpose, tenant_id, subject_id, email)
    return base64.urlsafe_b64encode(signed).decode().rstrip("=")


def read_token(token: str) -> UUID | None:
    """What a link is about; nothing is proven by that. None: it is no such link."""
    try:
        raw = base64.b64decode(token + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return UUID(bytes=raw[:16]) if len(raw) == 16 + _MAC_BYTES else None


def is_genuine(
    mail_key: bytes, purpose: Purpose, token: str, tenant_id: UUID, subject_id: UUID, email: str
) -> bool:
    """Whether the link was made for this purpose, subject, address and client."""
    expected = make_token(mail_key, purpose, tenant_id, subject_id, email)
    return hmac.compare_digest(token.encode(), expected.encode())


def _sign(
    mail_key: bytes, purpose: Purpose, tenant_id: UUID, subject_id: UUID, email: str
) -> bytes:
    key = blake3(mail_key, derive_key_context=f"coffre 2026 {purpose}").digest()
    named = tenant_id.bytes + subject_id.bytes + email.lower().encode()
    return blake3(named, key=key).digest(_MAC_BYTES)
