"""Which version of the protocol an agent and a server speak: to ingest, and to restore.

Agents say theirs with every request; scripts with nothing but curl need not. Shared with the
agent; docs/protocol.md, section 6. Whoever changes what crosses the wire changes VERSION, and
names in RELEASE the first coffre-agent that speaks so.
"""

from __future__ import annotations

import hashlib
from typing import Any

from libs.shared.errors import Refusal

HEADER = "X-Coffre-Protocol"
VERSION = "2"
RELEASE = "0.3"

_LONGEST = 20


class ProtocolVersion(Refusal):
    """An agent and this server don't speak the same version; yours: what the agent said."""

    code = "protocol-version"
    status = 400
    title = "Another version of the protocol"

    def __init__(self, yours: str) -> None:
        super().__init__(yours)
        self.yours = yours[:_LONGEST] if yours.isprintable() else "?"

    @property
    def detail(self) -> str:
        return (
            f"This agent speaks version {self.yours} of the protocol, and the server version"
            f" {VERSION}: install coffre-agent {RELEASE}, which your provider offers."
        )

    def extra(self) -> dict[str, Any]:
        return {"yours": self.yours, "ours": VERSION}


def chunk_key_id(chunk_key: bytes) -> str:
    """How a start of a run names a chunk key: 16 hexadecimal digits that tell nothing of it."""
    return hashlib.sha256(b"coffre/chunk-key-id/v1" + chunk_key).hexdigest()[:16]


def check(yours: str | None) -> None:
    """Raises ProtocolVersion for another version; who says none is a script."""
    if yours is not None and yours.strip() != VERSION:
        raise ProtocolVersion(yours.strip())
