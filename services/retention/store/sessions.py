"""How long statements may take, and how they are planned."""

from __future__ import annotations

from libs.shared.database import Connection

LONG_SECONDS = 3_600.0
"""To be given to statements that may read all versions of a tenant, as the driver's time-out."""


async def allow_long_statements(conn: Connection) -> None:
    """Lets the statements of this transaction take long: a tenant may have millions of versions.

    And has them join by hashes, which spill to disk, whatever the statistics say.
    """
    await conn.execute(
        f"""
        SET LOCAL statement_timeout = '{LONG_SECONDS:.0f}s';
        SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off
        """
    )
