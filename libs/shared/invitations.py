"""Links by which somebody outside a client says that they want its reports.

Reporting writes them into mails and the portal reads them; both hold the mail key, by which they
are signed. A link names its invitation and is good for one address of one client.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from uuid import UUID

from blake3 import blake3

_MAC_BYTES = 16


def make_token(mail_key: bytes, tenant_id: UUID, invitation_id: UUID, email: str) -> str:
    """The last part of an invitation's link: 43 letters, digits, `-` and `_`."""
    signed = invitation_id.bytes + _sign(mail_key, tenant_id, invitation_id, email)
    return base64.urlsafe_b64encode(signed).decode().rstrip("=")


def read_token(token: str) -> UUID | None:
    """Which invitation a link names; nothing is proven by that. None: it is no such link."""
    try:
        raw = base64.b64decode(token + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return UUID(bytes=raw[:16]) if len(raw) == 16 + _MAC_BYTES else None


def is_genuine(
    mail_key: bytes, token: str, tenant_id: UUID, invitation_id: UUID, email: str
) -> bool:
    """Whether the link was made for this invitation, address and client."""
    expected = make_token(mail_key, tenant_id, invitation_id, email)
    return hmac.compare_digest(token.encode(), expected.encode())


def _sign(mail_key: bytes, tenant_id: UUID, invitation_id: UUID, email: str) -> bytes:
    key = blake3(mail_key, derive_key_context="coffre 2026 invitation").digest()
    named = tenant_id.bytes + invitation_id.bytes + email.lower().encode()
    return blake3(named, key=key).digest(_MAC_BYTES)
