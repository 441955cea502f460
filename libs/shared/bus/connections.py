"""Plain connections to RabbitMQ; whoever holds one opens the next."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import aio_pika
import aiormq
from aio_pika.abc import AbstractConnection
from pamqp.exceptions import PAMQPException

HEARTBEAT_SECONDS = 10
CONNECT_SECONDS = 10

TROUBLE = (aiormq.exceptions.AMQPError, PAMQPException, OSError, RuntimeError)
"""What the libraries raise when the broker is away; OSError is TimeoutError too."""


class BusDown(Exception):  # noqa: N818 - an outage, not an error of ours
    """RabbitMQ is away, or did not confirm; the same may succeed later."""


@contextmanager
def trouble_translated(what: str) -> Iterator[None]:
    """Raises BusDown in place of the libraries' words, and of cancellations that nobody asked for.

    aiormq cancels what waits on a channel when that channel closes, or ends it by an `Exception`
    that says nothing, where it knows no reason.
    """
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise BusDown(f"{what}: the channel was closed") from None
    except TROUBLE as error:
        raise BusDown(f"{what}: {words(error)}") from error
    except Exception as error:
        if type(error) is not Exception:
            raise
        raise BusDown(f"{what}: the channel was closed") from error


async def connect(url: str, name: str) -> AbstractConnection:
    """Opens a plain connection that never reconnects by itself; raises BusDown.

    aio-pika's robust connections are not used: in several versions they came back without
    consumers. Here whoever holds a connection opens the next one.
    """
    with trouble_translated("can't connect to RabbitMQ"), _refusals_translated():
        async with asyncio.timeout(CONNECT_SECONDS):
            return await aio_pika.connect(
                url,
                heartbeat=HEARTBEAT_SECONDS,
                client_properties={"connection_name": f"coffre-{name}"},
            )


@contextmanager
def _refusals_translated() -> Iterator[None]:
    """Raises BusDown with what to do, where the broker is there and trying again won't help."""
    try:
        yield
    except (
        aiormq.exceptions.AuthenticationError,
        aiormq.exceptions.ProbableAuthenticationError,
    ) as error:
        raise BusDown(
            "RabbitMQ lets this service not in: COFFRE_AMQP_URL must have the account and the"
            " password of the definitions that it imported"
        ) from error
    except aiormq.exceptions.InvalidFrameError as error:
        raise BusDown(
            "RabbitMQ has no such virtual host for this account: correct the end of"
            " COFFRE_AMQP_URL, or import the definitions"
        ) from error
    except ValueError:
        raise BusDown(
            "COFFRE_AMQP_URL can't be read as amqp://account:password@host:port/virtual-host"
        ) from None


async def close(connection: AbstractConnection) -> None:
    """Closes within seconds, whatever state the broker is in."""
    with suppress(BusDown), trouble_translated("the connection was not closed"):
        async with asyncio.timeout(3):
            await connection.close()


def words(error: BaseException) -> str:
    """An exception in one line, for logs."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
