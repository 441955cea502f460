"""PostgreSQL: pools, transactions, and what its failures mean to callers."""

from __future__ import annotations

import asyncio
import json
import math
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import asyncpg
from prometheus_client import Histogram

from libs.shared import heartbeats, logs
from libs.shared.errors import InvalidRequest, Unavailable
from libs.shared.shares import Shares

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
    _Pool = asyncpg.Pool[asyncpg.Record]
    Record = asyncpg.Record
else:
    Connection = asyncpg.Connection
    _Pool = asyncpg.Pool
    Record = asyncpg.Record

CONNECT_SECONDS = 5
ACQUIRE_SECONDS = 10
STATEMENT_SECONDS = 30

_WAIT = Histogram(
    "coffre_pool_wait_seconds",
    "Wait for a database connection, for a client's share of them included",
    buckets=(0.001, 0.01, 0.1, 1, 10),
)

_SESSION = {
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "jit": "off",
    "timezone": "UTC",
}


class Pool(_Pool):
    """Connections to one schema; what is done for a client takes from that client's share.

    A fifth is left to what is done for nobody: asking whose a token is, events, jobs.
    """

    def __init__(self, *arguments: Any, max_size: int, **options: Any) -> None:
        super().__init__(*arguments, max_size=max_size, **options)
        total = max(1, max_size - max(1, max_size // 5))
        self.shares = Shares("database", most=max(1, total // 2), total=total)


# Trouble of the server or of the way to it; the same statement may succeed later.
_OUTAGES = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutdowns, cancelled by time-out, cannot connect now
    asyncpg.InvalidAuthorizationSpecificationError,  # another password since the start
    asyncpg.InsufficientResourcesError,  # disk full, out of memory, too many connections
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,  # deadlocks: somebody had to give way
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalClientError,
    OSError,  # TimeoutError too
)


def is_outage(error: BaseException) -> bool:
    """Whether an error tells of PostgreSQL being away or unable, not of a wrong statement."""
    if isinstance(error, asyncpg.InterfaceError):
        return "closed" in str(error) or "closing" in str(error) or "terminated" in str(error)
    return isinstance(error, _OUTAGES)


FULL_SECONDS = 60.0
"""How long a service is not ready after PostgreSQL had no room: then it is tried once more."""


class DatabaseFull(Unavailable):
    """PostgreSQL answers, and has no room left to write."""

    @property
    def detail(self) -> str:
        return (
            "The disk of PostgreSQL is full: make room there. What was not committed is sent again,"
            " nothing has to be started anew."
        )


class _Room:
    """When PostgreSQL last had none, as far as this process knows."""

    lacked_at = -math.inf

    @classmethod
    def note(cls) -> None:
        now = time.monotonic()
        if now - cls.lacked_at > FULL_SECONDS:
            logs.get().error("database.full", advice=DatabaseFull("database").detail)
        cls.lacked_at = now


@contextmanager
def outages_translated() -> Iterator[None]:
    """Raises errors.Unavailable("database") in place of the driver's many words for it.

    And InvalidRequest for a text that no text column can hold, wherever it came in.
    """
    try:
        yield
    except Exception as error:
        if is_outage(error):
            if isinstance(error, asyncpg.DiskFullError):
                _Room.note()
            raise Unavailable("database") from error
        if _is_impossible_text(error):
            raise InvalidRequest(
                "A text holds a NUL or is not valid Unicode; leave that out."
            ) from error
        raise


def _is_impossible_text(error: Exception) -> bool:
    """A NUL, which PostgreSQL refuses, or half a surrogate pair, which asyncpg can't encode."""
    return isinstance(
        error,
        (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError),
    ) or (isinstance(error, asyncpg.DataError) and isinstance(error.__cause__, UnicodeEncodeError))


async def connect(dsn: str, schema: str, *, name: str = "") -> Connection:
    """One connection outside any pool, for what holds a session: locks, LISTEN.

    Raises Unavailable.
    """
    with outages_translated():
        connection = await asyncpg.connect(
            dsn,
            timeout=CONNECT_SECONDS,
            command_timeout=STATEMENT_SECONDS + 5,
            server_settings=_session(schema, name or schema),
        )
        await _prepare(connection)
        return connection


async def create_pool(dsn: str, schema: str, *, min_size: int = 1, max_size: int = 10) -> Pool:
    """A pool whose connections see `schema` first, then the catalogue.

    Opens `min_size` connections at once; raises Unavailable where PostgreSQL does not answer,
    and NotReady where it does, and refuses.
    """
    with outages_translated(), _refusals_translated(dsn):
        return await Pool(
            dsn,
            # All that asyncpg.create_pool would fill in.
            connection_class=asyncpg.Connection,
            record_class=asyncpg.Record,
            max_queries=50_000,
            loop=None,
            setup=None,
            min_size=min_size,
            max_size=max_size,
            timeout=CONNECT_SECONDS,
            command_timeout=STATEMENT_SECONDS + 5,
            max_inactive_connection_lifetime=300,
            server_settings=_session(schema, schema),
            init=_prepare,
            reset=_leave_as_it_is,
        )


@asynccontextmanager
async def acquire(pool: Pool, tenant_id: UUID | None = None) -> AsyncIterator[Connection]:
    """A connection of the pool without a transaction; raises Unavailable.

    tenant_id: the client for whom, out of whose share it is then; raises ShareUsed as well.
    What is changed of the session itself stays so for the next one: that belongs in `session`.
    """
    with outages_translated():
        begun = time.perf_counter()
        async with _share(pool, tenant_id), pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            _WAIT.observe(time.perf_counter() - begun)
            try:
                yield cast("Connection", connection)
            finally:
                heartbeats.beat()


def _share(pool: Pool, tenant_id: UUID | None) -> AbstractAsyncContextManager[None]:
    if tenant_id is None:
        return nullcontext()
    return pool.shares.hold(tenant_id, 1, ACQUIRE_SECONDS)


@asynccontextmanager
async def session(pool: Pool) -> AsyncIterator[Connection]:
    """A connection for what outlives a transaction, such as a lock; cleared of it at the end."""
    async with acquire(pool) as connection:
        try:
            yield connection
        finally:
            try:
                await connection.reset()
            except BaseException:
                connection.terminate()
                raise


@asynccontextmanager
async def transaction(pool: Pool, tenant_id: UUID | None = None) -> AsyncIterator[Connection]:
    """One READ COMMITTED transaction: committed at the end, rolled back by any exception.

    tenant_id: as of `acquire`.

    Raises Unavailable when PostgreSQL is away; in COMMIT that leaves the outcome unknown,
    so what is written carries its own key and can be repeated.
    """
    async with acquire(pool, tenant_id) as connection, connection.transaction():
        yield connection


@asynccontextmanager
async def tenant_transaction(pool: Pool, tenant_id: UUID) -> AsyncIterator[Connection]:
    """A transaction in which row-level security shows the rows of one tenant only."""
    async with transaction(pool, tenant_id) as connection:
        await connection.execute("SELECT set_config('coffre.tenant', $1, true)", str(tenant_id))
        yield connection


async def check(pool: Pool) -> None:
    """Raises Unavailable unless PostgreSQL answers within three seconds; DatabaseFull."""
    if time.monotonic() - _Room.lacked_at < FULL_SECONDS:
        raise DatabaseFull("database")
    with outages_translated():
        async with asyncio.timeout(3), acquire(pool) as connection:
            await connection.fetchval("SELECT 1")


class NotReady(Exception):  # noqa: N818 - a state that the operator ends
    """PostgreSQL answers, but role, database or tables are not there yet."""


@contextmanager
def _refusals_translated(dsn: str) -> Iterator[None]:
    """Raises NotReady with what to do; never with what a wrong URL holds, as that is a secret."""
    try:
        yield
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise NotReady(
            f"PostgreSQL lets this service not in ({error}): COFFRE_DATABASE_URL must have the"
            " password that the role got when the installation was prepared."
        ) from error
    except (asyncpg.InvalidCatalogNameError, asyncpg.InsufficientPrivilegeError) as error:
        raise NotReady(
            f"PostgreSQL has no database for this service ({error}): correct COFFRE_DATABASE_URL,"
            " or prepare the installation."
        ) from error
    except ssl.SSLError as error:  # some of them are a ValueError as well
        raise NotReady(
            f"PostgreSQL's certificate is not believed ({error}): sslrootcert in"
            " COFFRE_DATABASE_URL must name the authority that signed it, for that host."
        ) from error
    except (asyncpg.ClientConfigurationError, ValueError):
        raise NotReady(
            "COFFRE_DATABASE_URL can't be read as postgresql://role:password@host:port/database."
        ) from None


def reason(trouble: BaseException) -> str:
    """What the driver said beneath an outage, for logs and commands; never for answers."""
    if isinstance(trouble, NotReady):
        return str(trouble)
    cause = trouble.__cause__ or trouble
    return f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__


def _session(schema: str, name: str) -> dict[str, str]:
    return {
        **_SESSION,
        "search_path": f"{schema}, catalogue",
        "application_name": f"coffre-{name}",
    }


async def _leave_as_it_is(_connection: Any) -> None:
    """Instead of a round trip after each use: outside `session` nothing outlives a transaction."""


async def _prepare(connection: Any) -> None:
    for json_type in ("json", "jsonb"):
        await connection.set_type_codec(
            json_type, schema="pg_catalog", encoder=json.dumps, decoder=json.loads
        )


def changed(status: str) -> int:
    """How many rows a statement changed, from the status that `execute` returns (`UPDATE 3`)."""
    return int(status.rpartition(" ")[2])
