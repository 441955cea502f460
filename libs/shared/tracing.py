"""Spans: what is done in the course of a trace, exported where an installation asks for it.

The trace itself is `logs.traceparent`, off or on: it stands in every line and goes with events.
Names and attributes hold what our own code calls things and ids, nothing that people wrote.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import structlog

from libs.shared import logs
from libs.shared.settings import InvalidSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Span as _SdkSpan
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Value = str | int | bool

FLUSH_SECONDS = 2.0
_BOUND = {
    "tenant_id": "coffre.tenant_id",
    "run_id": "coffre.run_id",
    "event_id": "messaging.message.id",
    "job": "coffre.job",
}
"""What log lines are bound to, and what spans call it."""

_provider: TracerProvider | None = None
_tracer: Tracer | None = None


class Span:
    """What can be said of a span while it lasts; says nothing where tracing is off."""

    def __init__(self, told: _SdkSpan | None = None) -> None:
        self._told = told
        self.is_kept = True

    def rename(self, name: str) -> None:
        """Calls it otherwise, once it is known what it was."""
        if self._told is not None:
            self._told.update_name(name)

    def say(self, **attributes: Value) -> None:
        """Adds attributes; `__` in a name stands for a point."""
        if self._told is not None:
            for name, value in attributes.items():
                self._told.set_attribute(name.replace("__", "."), value)

    def drop(self) -> None:
        """Forgets it: nothing was done."""
        self.is_kept = False


_NOTHING = Span()


def configure(service: str, endpoint: str) -> None:
    """Exports the process's spans to `endpoint` by OTLP over HTTP; to none, where it is empty.

    Raises InvalidSettings where what that needs is not installed.
    """
    if not endpoint:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - 15 MB
            OTLPSpanExporter,
        )
    except ImportError:
        raise InvalidSettings(
            "COFFRE_OTLP_ENDPOINT is set, and what exports traces is not installed:"
            " install coffre[server,tracing], or unset it."
        ) from None
    export(service, OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=5))


def export(service: str, exporter: SpanExporter, *, at_once: bool = False) -> None:
    """Gives spans to an exporter; by a thread of its own, which drops what it can't keep up with.

    at_once: with each span's end, and in its thread.
    """
    global _provider, _tracer  # noqa: PLW0603 - one a process, like the logs
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - only where it is asked for
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - the same
    from opentelemetry.sdk.trace.export import (  # noqa: PLC0415 - the same
        BatchSpanProcessor,
        SimpleSpanProcessor,
    )

    resource = Resource.create({"service.namespace": "coffre", "service.name": service})
    _provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    _provider.add_span_processor(
        SimpleSpanProcessor(exporter) if at_once else BatchSpanProcessor(exporter)
    )
    _tracer = _provider.get_tracer("coffre")


def is_on() -> bool:
    """Whether spans go anywhere."""
    return _tracer is not None


def end() -> None:
    """Exports what is left, for FLUSH_SECONDS at most, and no more from then on."""
    global _provider, _tracer
    provider, _provider, _tracer = _provider, None, None
    if provider is not None:
        flushing = threading.Thread(target=provider.force_flush, daemon=True)
        flushing.start()
        flushing.join(FLUSH_SECONDS)


@contextmanager
def trace(parent: str, name: str, kind: Kind, **attributes: Value) -> Iterator[Span]:
    """Goes on with a trace that somebody began, or begins one where `parent` is empty."""
    told = _start(name, kind, parent, attributes) if _tracer is not None else None
    here = _traceparent_of(told) if told is not None else parent or logs.new_traceparent()
    with _entered(here, told) as span:
        yield span


@contextmanager
def span(name: str, kind: Kind = "internal", **attributes: Value) -> Iterator[Span]:
    """A part of the trace that goes on here; nothing where none does, or tracing is off."""
    parent = logs.traceparent.get() if _tracer is not None else ""
    if not parent:
        yield _NOTHING
        return
    told = _start(name, kind, parent, attributes)
    with _entered(_traceparent_of(told), told) as span:
        yield span


@contextmanager
def spans(name: str, kind: Kind, parents: list[str]) -> Iterator[list[str]]:
    """What is done at once for many traces: a span in each; yields what stands for each of them.

    An empty one stays empty, for it belongs to no trace.
    """
    if _tracer is None:
        yield parents
        return
    told = [_start(name, kind, parent, {}) if parent else None for parent in parents]
    try:
        yield [_traceparent_of(each) if each is not None else "" for each in told]
    finally:
        for each in told:
            if each is not None:
                each.end()


@contextmanager
def _entered(traceparent: str, told: _SdkSpan | None) -> Iterator[Span]:
    token = logs.traceparent.set(traceparent)
    span = Span(told)
    try:
        yield span
    except BaseException as error:
        if told is not None:
            from opentelemetry.trace import StatusCode  # noqa: PLC0415 - only where it is on

            # Its words may hold a name or an address; the log has them.
            told.set_attribute("error.type", type(error).__name__)
            told.set_status(StatusCode.ERROR)
        raise
    finally:
        logs.traceparent.reset(token)
        if told is not None and span.is_kept:
            bound = structlog.contextvars.get_contextvars()
            for name, called in _BOUND.items():
                if name in bound:
                    told.set_attribute(called, str(bound[name]))
            told.end()


def _start(name: str, kind: Kind, parent: str, attributes: dict[str, Value]) -> _SdkSpan:
    from opentelemetry import trace as otel  # noqa: PLC0415 - only where it is on

    assert _tracer is not None
    context = otel.set_span_in_context(otel.INVALID_SPAN)
    if parent:
        _, trace_id, span_id, flags = parent.split("-")
        remote = otel.SpanContext(
            int(trace_id, 16),
            int(span_id, 16),
            is_remote=True,
            trace_flags=otel.TraceFlags(int(flags, 16)),
        )
        context = otel.set_span_in_context(otel.NonRecordingSpan(remote), context)
    return _tracer.start_span(  # type: ignore[return-value]  # the SDK's own tracer
        name,
        context,
        otel.SpanKind[kind.upper()],
        {key.replace("__", "."): value for key, value in attributes.items()},
    )


def _traceparent_of(told: _SdkSpan) -> str:
    context = told.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
