"""How long statements may take."""

from __future__ import annotations

from libs.shared.database import Connection

LONG_SECONDS = 600.0
"""To be given to statements that may touch a whole plan, as the driver's own time-out."""


async def allow_long_statements(conn: Connection) -> None:
    """Lets the statements of this transaction take minutes: a tree may have millions of entries."""
    await conn.execute(f"""
        SET LOCAL statement_timeout = '{LONG_SECONDS:.0f}s'
        """)
