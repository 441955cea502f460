"""Packs: chunks and their container on the wire; libs.shared.sealing is how they are stored.

Used by the agent and the services alike; docs/protocol.md describes every byte.
All functions are synchronous and may run in several threads at once.
"""

from libs.shared.packs.codec import (
    MAX_CHUNK_BYTES,
    RAW,
    ZSTD,
    Bytes,
    Fault,
    PayloadInvalid,
    chunk_id,
    compress,
    unpack,
)
from libs.shared.packs.cutting import MAX_CUT_BYTES, WHOLE_BELOW_BYTES, Chunker, cut_seed
from libs.shared.packs.wire import (
    MAX_CHUNKS,
    MAX_PACK_BYTES,
    MAX_PACK_PLAIN_BYTES,
    TARGET_PACK_BYTES,
    TARGET_PACK_PLAIN_BYTES,
    ChunkBomb,
    ChunkHashMismatch,
    ChunkSizeMismatch,
    ChunkUndecodable,
    Pack,
    PackBuilder,
    PackedChunk,
    PackHashMismatch,
    PackMalformed,
    PackRejected,
    Verification,
    VerifiedChunk,
    parse,
    verify,
)

__all__ = [
    "MAX_CHUNKS",
    "MAX_CHUNK_BYTES",
    "MAX_CUT_BYTES",
    "MAX_PACK_BYTES",
    "MAX_PACK_PLAIN_BYTES",
    "RAW",
    "TARGET_PACK_BYTES",
    "TARGET_PACK_PLAIN_BYTES",
    "WHOLE_BELOW_BYTES",
    "ZSTD",
    "Bytes",
    "ChunkBomb",
    "ChunkHashMismatch",
    "ChunkSizeMismatch",
    "ChunkUndecodable",
    "Chunker",
    "Fault",
    "Pack",
    "PackBuilder",
    "PackHashMismatch",
    "PackMalformed",
    "PackRejected",
    "PackedChunk",
    "PayloadInvalid",
    "Verification",
    "VerifiedChunk",
    "chunk_id",
    "compress",
    "cut_seed",
    "parse",
    "unpack",
    "verify",
]
