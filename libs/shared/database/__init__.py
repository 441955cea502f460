"""PostgreSQL: pools and transactions, roles and migrations, and what its failures mean."""

from __future__ import annotations

from libs.shared.database.connections import (
    Connection,
    NotReady,
    Pool,
    Record,
    acquire,
    changed,
    check,
    connect,
    create_pool,
    is_outage,
    outages_translated,
    reason,
    session,
    tenant_transaction,
    transaction,
)
from libs.shared.database.leading import leading, watch_lead
from libs.shared.database.migrations import (
    ROLES,
    SERVICES,
    MigrationRefused,
    bootstrap,
    check_migrated,
    migrate,
)

__all__ = [
    "ROLES",
    "SERVICES",
    "Connection",
    "MigrationRefused",
    "NotReady",
    "Pool",
    "Record",
    "acquire",
    "bootstrap",
    "changed",
    "check",
    "check_migrated",
    "connect",
    "create_pool",
    "is_outage",
    "leading",
    "migrate",
    "outages_translated",
    "reason",
    "session",
    "tenant_transaction",
    "transaction",
    "watch_lead",
]
