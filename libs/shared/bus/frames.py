"""AMQP 0-9-1 frames of one publish, written by hand: the library's way costs 100 µs a message."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from pamqp import commands, frame

from libs.shared.bus.topology import EXCHANGE

# Section 4.2.6 of the specification: class 60; the flags of content-type, headers,
# delivery-mode, message-id and type, in the order in which these follow.
_BASIC = 60
_FLAGS = 1 << 15 | 1 << 13 | 1 << 12 | 1 << 7 | 1 << 5
_CONTENT_TYPE = b"\x10application/json"
_PERSISTENT = b"\x02"
_END = b"\xce"
_FRAME_OVERHEAD = 8

_header_of = struct.Struct(">BHIHHQH").pack
_frame_of = struct.Struct(">BHI").pack
_long = struct.Struct(">I").pack


@dataclass(frozen=True, slots=True)
class Message:
    """One event on its way out: CloudEvents 1.0 attributes and the JSON body."""

    event_id: UUID
    type: str
    routing_key: str
    body: bytes
    source: str
    subject: UUID
    time: datetime
    sequence: int
    traceparent: str = ""
    signature: str = ""


def encode(message: Message, channel: int, most_bytes: int) -> bytes:
    """The frames that publish a message: mandatory, persistent, attributes in the headers.

    `most_bytes` is the frame size agreed with the broker.
    """
    message_id = str(message.event_id)
    table = b"".join(
        (
            _entry(b"cloudEvents_specversion", "1.0"),
            _entry(b"cloudEvents_id", message_id),
            _entry(b"cloudEvents_source", message.source),
            _entry(b"cloudEvents_type", message.type),
            _entry(b"cloudEvents_time", message.time.isoformat()),
            _entry(b"cloudEvents_subject", str(message.subject)),
            _entry(b"cloudEvents_sequence", str(message.sequence)),
            _entry(b"cloudEvents_signature", message.signature),
            _entry(b"traceparent", message.traceparent) if message.traceparent else b"",
        )
    )
    properties = b"".join(
        (
            _CONTENT_TYPE,
            _long(len(table)),
            table,
            _PERSISTENT,
            _short(message_id),
            _short(message.type),
        )
    )
    parts = [
        _publish(message.routing_key, channel),
        _header_of(2, channel, 14 + len(properties), _BASIC, 0, len(message.body), _FLAGS),
        properties,
        _END,
    ]
    room = most_bytes - _FRAME_OVERHEAD
    for start in range(0, len(message.body), room):
        piece = message.body[start : start + room]
        parts += (_frame_of(3, channel, len(piece)), piece, _END)
    return b"".join(parts)


@lru_cache(maxsize=256)
def _publish(routing_key: str, channel: int) -> bytes:
    method = commands.Basic.Publish(exchange=EXCHANGE, routing_key=routing_key, mandatory=True)
    return frame.marshal(method, channel)


def _entry(name: bytes, value: str) -> bytes:
    text = value.encode()
    return b"".join((bytes((len(name),)), name, b"S", _long(len(text)), text))


def _short(value: str) -> bytes:
    text = value.encode()
    return bytes((len(text),)) + text
