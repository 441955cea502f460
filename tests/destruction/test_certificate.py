"""What a certificate proves: to us, and to a stranger with openssl and jq."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.shared import certificates
from libs.shared.certificates import CertificateInvalid, Notary
from services.retention.rules.destruction import MerkleTree, hash_leaf
from tests.destruction.firm import NOTARY, Firm

ROOT = Path(__file__).parents[2]
NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
)  # fmt: skip


@given(VALUES)
def test_the_canonical_form_is_read_back_and_is_its_own_canonical_form(value: object) -> None:
    written = certificates.canonical(value)  # type: ignore[arg-type]
    read = json.loads(written)
    assert read == value
    assert certificates.canonical(read) == written


def test_the_canonical_form_is_that_of_rfc_8785() -> None:
    told = {"b": [True, None, '\u20ac$\u000f\nA\'B"\\\\"/'], "a": 56, "\r": 1, "1": ""}
    assert certificates.canonical(told).decode() == (
        '{"\\r":1,"1":"","a":56,"b":[true,null,"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"]}'
    )


@pytest.mark.parametrize("value", [1.5, 2**53, {"é": 1}, {1: 2}, b"x", [object()]])
def test_what_readers_would_read_differently_has_no_canonical_form(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        certificates.canonical(value)  # type: ignore[arg-type]


async def _certificate(firm: Firm) -> tuple[bytes, str]:
    client = await firm.client()
    await firm.end(client.tenant_id)
    firm.later(days=31)
    await firm.destroy()
    answer = await firm.get(f"tenants/{client.tenant_id}/certificate")
    assert answer.status_code == 200, await firm.shown(client.tenant_id)
    return answer.content, str(client.tenant_id)


async def test_any_changed_bit_is_refused(firm: Firm) -> None:
    document, _ = await _certificate(firm)
    key = NOTARY.public_pem
    assert "nothing of it was changed since" in certificates.verify(document, key)
    dice = random.Random(7)
    for place in dice.sample(range(len(document)), 400):
        altered = bytearray(document)
        altered[place] ^= 1 << dice.randrange(8)
        with pytest.raises(CertificateInvalid):
            certificates.verify(bytes(altered), key)
    read = json.loads(document)
    for name in read["certificate"]:
        less = {**read, "certificate": {k: v for k, v in read["certificate"].items() if k != name}}
        with pytest.raises(CertificateInvalid):
            certificates.verify(json.dumps(less), key)
    with pytest.raises(CertificateInvalid, match="another one"):
        certificates.verify(document, Notary(bytes([1] * 32)).public_pem)
    with pytest.raises(CertificateInvalid, match="PEM"):
        certificates.verify(document, b"no key")
    both = Notary(bytes([1] * 32)).public_pem + key
    assert certificates.verify(document, both)
    # Said otherwise it is the same: the canonical form is what is signed.
    assert certificates.verify(json.dumps(read, indent=4), key)
    for nonsense in ("", "[]", "{}", '{"certificate": {}, "signature": ""}', "[" * 100_000):
        with pytest.raises(CertificateInvalid):
            certificates.verify(nonsense, key)
    doubled = document[:-1] + b',"signature":"AAAA"}'
    with pytest.raises(CertificateInvalid):
        certificates.verify(doubled, key)


async def test_a_stranger_checks_it_by_the_page_with_openssl_and_jq(
    firm: Firm, tmp_path: Path
) -> None:
    document, _ = await _certificate(firm)
    (tmp_path / "certificate.json").write_bytes(document)
    async with firm.portal.client() as stranger:
        key = await stranger.get("/.well-known/coffre-certificate-key.pem")
    assert key.content == NOTARY.public_pem
    (tmp_path / "coffre-certificate-key.pem").write_bytes(key.content)
    page = (ROOT / "docs" / "certificate.md").read_text(encoding="utf-8")
    [commands] = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)

    def check() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euc", commands], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    checked = check()
    assert checked.returncode == 0, checked.stderr
    assert "Signature Verified Successfully" in checked.stdout
    verified = _verify(tmp_path)
    assert verified.returncode == 0, verified.stderr
    assert "nothing of it was changed since" in verified.stdout
    (tmp_path / "certificate.json").write_bytes(document.replace(b'"objects":', b'"objects":1'))
    assert check().returncode != 0
    refused = _verify(tmp_path)
    assert refused.returncode == 1
    assert "signature does not fit" in refused.stderr


def _verify(folder: Path) -> subprocess.CompletedProcess[str]:
    """`coffre certificate verify`, with nothing running and nobody signed in."""
    words = ("certificate.json", "--key", "coffre-certificate-key.pem")
    return subprocess.run(
        [sys.executable, "-m", "operators", "certificate", "verify", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


async def test_the_link_of_the_mail_shows_it_to_whoever_has_no_account(firm: Firm) -> None:
    document, tenant_id = await _certificate(firm)
    mails = await firm.fetch("SELECT recipient, body FROM reporting.mails WHERE kind = $1",
                             "certificate")  # fmt: skip
    assert [to for to, _ in mails] == ["camille@dupre.example"]
    body = _text(mails[0][1])
    assert document.decode() in body, "the mail holds the document itself"
    [link] = re.findall(r"/certificates/[\w-]+", body)
    async with firm.portal.client() as stranger:
        page = await stranger.get(link)
        assert page.status_code == 200
        assert "Certificat de destruction" in page.text
        assert "Boulangerie Dupré" in page.text
        assert (await stranger.get(link + "/json")).content == document
        forged = certificates.make_token(bytes(32), UUID(tenant_id), UUID(tenant_id))
        for wrong in ("/certificates/x", f"/certificates/{forged}", link[:-2] + "AA"):
            assert (await stranger.get(wrong)).status_code == 404
        signing = {"email": "camille@dupre.example", "password": "x"}
        assert (await stranger.post("/api/v1/tokens", json=signing)).status_code == 401


def _text(body: bytes) -> str:
    import email
    import email.policy

    mail = email.message_from_bytes(body, policy=email.policy.default)
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


@given(st.integers(0, 70))
def test_the_root_is_that_of_rfc_9162(count: int) -> None:
    import hashlib

    leaves = [hash_leaf(f"t/{number}", "null", number) for number in range(count)]

    def root(of: list[bytes]) -> bytes:
        if not of:
            return hashlib.sha256(b"").digest()
        if len(of) == 1:
            return of[0]
        split = 1 << (len(of) - 1).bit_length() - 1
        return hashlib.sha256(b"\x01" + root(of[:split]) + root(of[split:])).digest()

    tree = MerkleTree()
    for leaf in leaves:
        tree.add(leaf)
    assert tree.root() == root(leaves)
