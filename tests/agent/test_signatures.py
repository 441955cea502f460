"""Ed25519 as agents check it, against another implementation and the vectors of RFC 8032."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.updating.ed25519 import _ORDER, is_signed

# RFC 8032, 7.1: public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e3970"
            "1cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760"
            "984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
]


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS)
def test_the_vectors_of_the_standard(key: str, message: str, signature: str) -> None:
    assert is_signed(bytes.fromhex(key), bytes.fromhex(signature), bytes.fromhex(message))


@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=200))
def test_what_another_implementation_signs_is_good(seed: bytes, message: bytes) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    key, signature = private.public_key().public_bytes_raw(), private.sign(message)
    assert is_signed(key, signature, message)


@settings(deadline=None)
@given(
    message=st.binary(min_size=1, max_size=60),
    place=st.integers(0, 63),
    bit=st.integers(0, 7),
)
def test_any_changed_bit_is_refused(message: bytes, place: int, bit: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    key, signature = private.public_key().public_bytes_raw(), private.sign(message)

    def flipped(octets: bytes) -> bytes:
        at = place % len(octets)
        return octets[:at] + bytes([octets[at] ^ 1 << bit]) + octets[at + 1 :]

    assert not is_signed(key, flipped(signature), message)
    assert not is_signed(key, signature, flipped(message))
    assert not is_signed(flipped(key), signature, message)


def test_no_second_signature_is_made_of_a_good_one() -> None:
    private = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    key, signature = private.public_key().public_bytes_raw(), private.sign(b"sums")
    larger = int.from_bytes(signature[32:], "little") + _ORDER
    assert not is_signed(key, signature[:32] + larger.to_bytes(32, "little"), b"sums")
    assert not is_signed(key, signature[:63], b"sums")
    assert not is_signed(key[:31], signature, b"sums")
