"""A request comes from where trusted proxies say, and nobody else is believed."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

import pytest

from libs.shared.settings import InvalidSettings, PublicSettings, read
from libs.shared.web.proxies import Proxies

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


async def seen(peer: str, *headers: tuple[str, str], trusted: Sequence[Any] = TRUSTED) -> str:
    """The address that an application sees."""
    found: list[str] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        found.append(scope["client"][0])

    scope = {
        "type": "http",
        "client": (peer, 1234),
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }
    await Proxies(app, trusted)(scope, None, None)  # type: ignore[arg-type]
    return found[0]


def forwarded_for(*values: str) -> list[tuple[str, str]]:
    return [("x-forwarded-for", value) for value in values]


@pytest.mark.parametrize(
    ("peer", "values", "expected"),
    [
        ("203.0.113.1", ["192.0.2.1"], "203.0.113.1"),  # a stranger writes what it likes
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["1.1.1.1, 192.0.2.1"], "192.0.2.1"),  # the first was sent by the client
        ("10.0.0.1", ["1.1.1.1", "192.0.2.1, 10.0.0.2"], "192.0.2.1"),  # two proxies, two lines
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),  # who asks is within
        ("10.0.0.1", ["1.1.1.1, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["1.1.1.1, nonsense, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.1:4711"], "192.0.2.1"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ["2001:DB8::0:1"], "2001:db8::1"),
        ("10.0.0.1", ["::ffff:192.0.2.1"], "192.0.2.1"),
        ("::ffff:10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("fd00::1", ["2001:db8::1"], "2001:db8::1"),
        ("10.0.0.1", ["1.1.1.1," * 5000 + "192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["1.1.1.1," + ",".join(["10.0.0.2"] * 500)], "10.0.0.2"),
        ("testclient", ["192.0.2.1"], "testclient"),
    ],
)
async def test_the_last_hop_that_is_no_proxy_of_ours_counts(
    peer: str, values: list[str], expected: str
) -> None:
    assert await seen(peer, *forwarded_for(*values)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("for=192.0.2.1", "192.0.2.1"),
        ('For="[2001:db8::1]:4711";proto=https', "2001:db8::1"),
        ("proto=https; for=192.0.2.1;by=10.0.0.1", "192.0.2.1"),
        ("for=1.1.1.1, for=192.0.2.1;host=x, for=10.0.0.2", "192.0.2.1"),
        ("for=1.1.1.1, for=unknown", "10.0.0.1"),
        ("for=1.1.1.1, by=10.0.0.1", "10.0.0.1"),
        ('for="1.1.1.1, for=192.0.2.1', "192.0.2.1"),
    ],
)
async def test_the_standard_header_is_read_alike(value: str, expected: str) -> None:
    assert await seen("10.0.0.1", ("forwarded", value)) == expected


async def test_two_headers_that_disagree_are_not_believed() -> None:
    """A proxy writes one of them and lets the other through."""
    plain = ("x-forwarded-for", "192.0.2.1")
    assert await seen("10.0.0.1", plain, ("forwarded", "for=192.0.2.1")) == "192.0.2.1"
    assert await seen("10.0.0.1", plain, ("forwarded", "for=1.1.1.1")) == "10.0.0.1"


async def test_without_trusted_proxies_nobody_is_believed() -> None:
    assert await seen("127.0.0.1", *forwarded_for("192.0.2.1"), trusted=()) == "127.0.0.1"


def test_trusted_proxies_are_networks_with_commas_between() -> None:
    told = dict.fromkeys(
        ("COFFRE_DATABASE_URL", "COFFRE_AMQP_URL", "COFFRE_EVENT_KEY_FILE",
         "COFFRE_EVENT_SENDERS_DIR"), "x"
    )  # fmt: skip
    assert read(PublicSettings, told).trusted_proxies == ()
    told["COFFRE_TRUSTED_PROXIES"] = "10.0.0.0/8, 192.0.2.1 ,fd00::/8"
    assert [str(network) for network in read(PublicSettings, told).trusted_proxies] == [
        "10.0.0.0/8",
        "192.0.2.1/32",
        "fd00::/8",
    ]
    for wrong in ("10.0.0.1/8", "proxy.example", "*"):
        with pytest.raises(InvalidSettings, match="COFFRE_TRUSTED_PROXIES is not valid"):
            read(PublicSettings, {**told, "COFFRE_TRUSTED_PROXIES": wrong})
