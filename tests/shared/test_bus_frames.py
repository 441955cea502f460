"""The frames that we write by hand, read back by the library."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from pamqp import body, commands, frame, header

from libs.shared.bus import EXCHANGE, Message
from libs.shared.bus.frames import encode


@given(
    text=st.binary(max_size=3000),
    channel=st.integers(1, 2000),
    most_bytes=st.integers(100, 4096),
    traceparent=st.sampled_from(["", "00-" + "a" * 32 + "-" + "b" * 16 + "-01"]),
    sequence=st.integers(1, 2**62),
)
def test_the_library_reads_what_we_write(
    text: bytes, channel: int, most_bytes: int, traceparent: str, sequence: int
) -> None:
    message = Message(
        event_id=UUID(int=7),
        type="run.finished.v1",
        routing_key="run.finished.v1",
        body=text,
        source="/services/ingest",
        subject=UUID(int=9),
        time=datetime(2026, 11, 23, 2, 14, tzinfo=UTC),
        sequence=sequence,
        traceparent=traceparent,
        signature="c2lnbmVk",
    )
    data = encode(message, channel, most_bytes)
    read = []
    while data:
        length, number, value = frame.unmarshal(data)
        assert number == channel
        assert length <= most_bytes or not isinstance(value, body.ContentBody)
        read.append(value)
        data = data[length:]

    publish, content, *pieces = read
    assert isinstance(publish, commands.Basic.Publish)
    assert (publish.exchange, publish.routing_key) == (EXCHANGE, "run.finished.v1")
    assert publish.mandatory
    assert isinstance(content, header.ContentHeader)
    assert content.body_size == len(text)
    properties = content.properties
    assert properties.message_id == str(UUID(int=7))
    assert properties.message_type == "run.finished.v1"
    assert properties.delivery_mode == 2
    assert properties.content_type == "application/json"
    expected = {
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": str(UUID(int=7)),
        "cloudEvents_source": "/services/ingest",
        "cloudEvents_type": "run.finished.v1",
        "cloudEvents_time": "2026-11-23T02:14:00+00:00",
        "cloudEvents_subject": str(UUID(int=9)),
        "cloudEvents_sequence": str(sequence),
        "cloudEvents_signature": "c2lnbmVk",
    }
    assert properties.headers == expected | ({"traceparent": traceparent} if traceparent else {})
    assert b"".join(piece.value for piece in pieces) == text
