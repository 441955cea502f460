"""Logs: one dotted past-tense event a line, with fields; JSON in production."""

from __future__ import annotations

import logging
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal
from uuid import UUID

import structlog

# W3C Trace Context: ids of nothing but zeros are none, and there is no version ff.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

traceparent: ContextVar[str] = ContextVar("traceparent", default="")
"""The W3C trace context of what is being done; events carry it on."""

# These say the same as our own lines, once more and as errors, at each try to reconnect.
_LIBRARIES_THAT_REPEAT_US = ("aio_pika", "aiormq", "uvicorn.access")


def configure(service: str, style: Literal["json", "console"] = "json") -> None:
    """Sets up structlog and the standard library's logging to write lines to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _add_trace,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _name_service(service),
    ]
    renderer: Any
    if style == "json":
        shared.append(structlog.processors.format_exc_info)
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            # The default one shows the values of all variables, secrets among them.
            exception_formatter=structlog.dev.plain_traceback,
        )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for name in _LIBRARIES_THAT_REPEAT_US:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


def get() -> structlog.stdlib.BoundLogger:
    """The logger; bind request and run ids with structlog's context variables."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("coffre")
    return logger


_IDS = ("tenant_id", "run_id")


def bind(tenant_id: UUID | None, run_id: str = "") -> None:
    """Names in all further lines of a request who asks, and about which run.

    run_id: as it stands in a path; what is no id is left out.
    """
    if tenant_id is not None:
        structlog.contextvars.bind_contextvars(tenant_id=str(tenant_id))
    if _UUID.fullmatch(run_id):
        structlog.contextvars.bind_contextvars(run_id=run_id)


@contextmanager
def bindings_ended() -> Iterator[None]:
    """Ends at its own end what `bind` began within."""
    try:
        yield
    finally:
        structlog.contextvars.unbind_contextvars(*_IDS)


def readable_traceparent(received: str) -> str:
    """A trace context as somebody sent it, or nothing where it is none."""
    return received if _TRACEPARENT.fullmatch(received) else ""


def new_traceparent() -> str:
    """A trace context for something that begins here."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def trace_of(traceparent: str) -> dict[str, str]:
    """A line's field of the trace that it belongs to, if it belongs to any."""
    return {"trace_id": traceparent[3:35]} if traceparent else {}


def _add_trace(_logger: Any, _method: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The id by which lines of all services about one thing are found."""
    return {**trace_of(traceparent.get()), **fields}


def _name_service(service: str) -> Any:
    def add(_logger: Any, _method: str, fields: dict[str, Any]) -> dict[str, Any]:
        fields.setdefault("service", service)
        return fields

    return add
