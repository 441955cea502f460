"""Frames as a reader takes them out of the store, those of release 0.2 beside those of today."""

from __future__ import annotations

import io
import os
import struct
from typing import Any, cast
from uuid import uuid4

from libs.shared import packs, restores, sealing
from libs.shared.catalogue import ChunkPlace
from libs.shared.keys import TenantKeys
from libs.shared.restores import PlacedChunk
from services.portal.actions.files import contents, spans
from services.portal.actions.files.spans import ChunkReader
from services.portal.actions.restore import chunks

KEYS = TenantKeys(os.urandom(32), os.urandom(32))
TENANT = uuid4()
READER = ChunkReader(cast("Any", None), cast("Any", None), KEYS, TENANT, cast("Any", None))
PACK = os.urandom(32)


def seal_alone(each: list[bytes]) -> tuple[bytes, list[ChunkPlace]]:
    """Chunks as release 0.2 stored them, one compressed and one as it is in turn."""
    body = b"CFSEAL1\n"
    places = []
    for number, content in enumerate(each):
        chunk_id = packs.chunk_id(content, KEYS.chunk_key)
        payload, encoding = packs.compress(content) if number % 2 else (content, packs.RAW)
        tail = struct.pack(">IB", len(content), encoding)
        aad = b"coffre/chunk/v1" + TENANT.bytes + chunk_id + tail
        sealed = sealing.seal_blob(payload, KEYS, aad)
        size = len(sealed), len(content)
        places.append(ChunkPlace(chunk_id, PACK, 7, len(body), *size, encoding, 0, 0, 0))
        body += sealed
    return body, places


def test_what_release_0_2_stored_is_read_by_downloads_and_restorers() -> None:
    each = [bytes([65 + number]) * 900 for number in range(6)]
    body, places = seal_alone(each)
    [span] = spans.find_spans(places)
    sealed = body[span[0].offset :]
    found = contents.open_span(READER, PACK, span, sealed)
    assert [found[place.chunk_id] for place in places] == each
    wanted = [PlacedChunk(*place[:1], *place[2:7], *place[8:]) for place in places]
    answer = chunks._open(READER, PACK, wanted, sealed)
    answers = restores.read_chunks(io.BytesIO(answer), len(wanted))
    for content, place, (encoding, payload) in zip(each, wanted, answers, strict=True):
        assert encoding == place.encoding
        assert packs.unpack_frame(payload, place) == content
