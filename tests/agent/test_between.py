"""What stands between an agent and its server: pages of others, proxies; and wrong addresses."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from agent.config.addresses import address_of, proxy_of, server_of
from agent.programs.pings import Pings
from agent.server.connection import Connection
from agent.server.ways import Way
from agent.telling.failures import Unreachable, UsageError
from agent.telling.teller import Teller
from tests.agent import wires
from tests.agent.monitors import Monitor
from tests.agent.proxies import PAGE, another, proxy_to
from tests.trees import compare_trees
from tests.world.clients import PASSWORD, Client
from tests.world.machines import ROOT, Machine

HTML = {"Content-Type": "text/html; charset=utf-8"}
JSON = {"Content-Type": "application/json"}
ANSWERS = [
    (200, HTML, PAGE, "answered-by-another", "Something other than the server answers"),
    (200, {"Content-Type": "text/plain"}, b"ok", "answered-by-another", "type text/plain"),
    (302, {**HTML, "Location": "https://login.example/"}, PAGE, "server-moved", "login.example"),
    (301, {"Location": "https://new.example"}, b"", "server-moved", "https://new.example"),
    (403, HTML, PAGE, "answered-by-another", "403"),
    (404, HTML, PAGE, "answered-by-another", "Welcome to"),
    (407, HTML, PAGE, "proxy-sign-in", "wants a sign-in"),
    (413, HTML, b"<title>413 Request Entity Too Large</title>", "answered-by-another", "Too Large"),
    (502, HTML, b"<h1>Bad Gateway</h1>", "answered-by-another", "502"),
    (500, {}, b"", "answered-by-another", "500"),
]


def test_what_is_no_answer_of_the_servers_is_waited_for_and_named() -> None:
    with ThreadPoolExecutor(len(ANSWERS)) as threads:  # all wait at the same time
        list(threads.map(_is_waited_for_and_named, ANSWERS))


def _is_waited_for_and_named(given: tuple[int, dict[str, str], bytes, str, str]) -> None:
    status, headers, body, code, words = given
    said: list[str] = []
    with another((status, headers, body)) as (url, asked):
        connection = Connection(url, "token", patience_seconds=2, on_wait=said.append)
        with pytest.raises(Unreachable) as ended:
            connection.call_json("POST", "/v1/runs", {})
        with pytest.raises(Unreachable), connection.stream("GET", "/v1/plans/x/entries"):
            pass
        connection.cut()
    assert len(asked) > 4, given
    assert ended.value.exit_code == 22, given
    reason = ended.value.reason
    assert (reason.code, reason.subject) == (code, url), given
    assert words in str(ended.value), given
    assert "something else answers" in said[-1], given


def test_a_network_that_wants_a_sign_in_is_waited_for_as_an_outage_is() -> None:
    page, answer = (200, HTML, PAGE), (200, JSON, b'{"status": "ready"}')
    with another(page, page, answer) as (url, asked):
        connection = Connection(url, patience_seconds=30)
        assert connection.call("GET", "/health/ready").json() == {"status": "ready"}
        connection.cut()
    assert len(asked) == 3


@pytest.mark.parametrize("body", [b"", b"{}", b'{"status": "ok"}', b"[]", b"<html>", b'"x"'])
def test_json_that_is_not_the_servers_is_no_bug_of_ours(body: bytes) -> None:
    with another((200, JSON, body)) as (url, _):
        connection = Connection(url, patience_seconds=0)
        with pytest.raises(Unreachable):
            connection.call("GET", "/v1/plans/x").json()["plan_id"]
        connection.cut()


def last(machine: Machine, *command: str, expect: int) -> dict[str, Any]:
    ended = machine.agent(*command, COFFRE_PASSWORD="x")
    assert ended.returncode == expect, ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr + ended.stdout
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1]) if "--json" in command else {}
    return {**found, "stderr": ended.stderr, "stdout": ended.stdout}


IMPATIENT = """
from agent.__main__ import main
from agent.commands import restoring
restoring.PATIENCE_SECONDS = 1
main()
"""


def restored_at(machine: Machine, portal: str, to: Path) -> dict[str, Any]:
    """The summary of a restore from there that waits for a second instead of a minute."""
    asked = ("--portal", portal, "--email", "anne@client.example", "--to", str(to), "--json")
    python, _, _, *arguments = machine.command("restore", "papers", *asked)
    ended = subprocess.run(
        [python, "-c", IMPATIENT, *arguments],
        cwd=ROOT,
        env={**os.environ, "COFFRE_PASSWORD": "x"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 22, ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr + ended.stdout
    assert not to.exists()
    summary: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return summary


def test_a_page_of_somebody_else_ends_every_command_in_words(
    machine: Machine, tmp_path: Path
) -> None:
    server = machine.server
    machine.run()
    with another((200, HTML, PAGE)) as (url, _):
        machine.server, machine.more["patience"] = url, 1
        failed = last(machine, "run", "papers", "--json", expect=22)
        assert failed["error"]["code"] == "answered-by-another"
        assert "firewall" in failed["error"]["sentence"]
        checked = last(machine, "check", "--json", expect=1)
        assert "Something other than the server answers" in checked["stdout"]
        assert "knows this machine" not in checked["stdout"]
        told = last(machine, "enrol", "--server", url, "--code", "AAAA", expect=22)
        assert "Something other than the server answers" in told["stderr"]
        dry = last(machine, "run", "papers", "--dry-run", expect=0)
        assert "Traceback" not in dry["stdout"]
        restored = restored_at(machine, url, tmp_path / "back")
        assert restored["outcome"] == "failed"
        assert restored["error"]["code"] == "answered-by-another"
        assert "firewall" in restored["error"]["sentence"]
    machine.server = server
    assert machine.run()["files_new"] == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://coffre.example:99999", "port"),
        ("https://coffre.example:0", "port"),
        ("https://coffre.example:x", "port"),
        ("https://", "such as https://"),
        ("ftp://coffre.example", "such as https://"),
        ("coffre.example", "such as https://"),
        ("https://[::1", "address"),
        ("https://a b.example", "such as https://"),
        ("https://user:secret@coffre.example", "without user"),
        ("https://coffre.example/?a=1", "without user"),
        ("https://" + "a" * 64 + ".example", "looked up"),
        ("https://coffre.example/é", "plain letters"),
    ],
)
def test_an_address_that_is_none_is_refused_where_it_stands(
    text: str, words: str, tmp_path: Path, papers: Path
) -> None:
    with pytest.raises(ValueError, match=words):
        server_of(text)
    with pytest.raises(UsageError, match=words):
        Connection(text)
    machine = Machine(tmp_path, {"papers": {"folders": [str(papers)]}}, text)
    refused = machine.agent("config", "validate")
    assert refused.returncode == 2
    assert words in refused.stderr


@pytest.mark.parametrize(
    ("text", "host", "port", "shown"),
    [
        ("http://[::1]", "::1", 80, "http://[::1]"),
        ("https://[2001:db8::1]:8443/coffre/", "2001:db8::1", 8443, "https://[2001:db8::1]:8443/coffre"),
        ("HTTPS://Coffre.Example:443", "coffre.example", 443, "https://coffre.example"),
        (" https://coffre.example/ ", "coffre.example", 443, "https://coffre.example"),
        ("https://bücher.example", "bücher.example", 443, "https://bücher.example"),
    ],
)  # fmt: skip
def test_addresses_are_taken_apart_once(text: str, host: str, port: int, shown: str) -> None:
    address = server_of(text)
    assert (address.host, address.port, address.shown) == (host, port, shown)
    wire = Way(text, None, "none").wire()
    assert (wire.host, wire.port) == (host, port)


def test_a_server_is_spoken_to_by_the_new_internet_protocol() -> None:
    with another((200, JSON, b'{"status": "ready"}'), host="::1") as (url, asked):
        connection = Connection(f"{url}/coffre/")
        assert connection.call("GET", "/health/ready").status == 200
        connection.cut()
    assert asked == ["GET /coffre/health/ready"]


def test_tls_where_there_is_none_is_not_waited_for() -> None:
    said: list[str] = []
    with another((200, JSON, b"{}")) as (url, _):
        secured = url.replace("http:", "https:")
        connection = Connection(secured, patience_seconds=900, on_wait=said.append)
        with pytest.raises(Unreachable, match="No encrypted connection") as ended:
            connection.call("GET", "/health/ready")
        connection.cut()
    assert (ended.value.reason.code, said) == ("not-encrypted", [])


@pytest.mark.parametrize("is_tls", [False, True])
def test_a_run_goes_through_a_proxy_with_a_sign_in(
    machine: Machine, client: Client, papers: Path, tmp_path: Path, is_tls: bool
) -> None:
    tls, trusted = wires.self_signed(tmp_path)
    with (
        wires.wire_to(machine.server, tls=tls if is_tls else None) as server,
        proxy_to(server.url, "anne:p@ss wörd") as proxy,
    ):
        machine.server, machine.more["ca_file"] = server.url, str(trusted)
        machine.more["patience"] = 1
        machine.more["proxy"] = f"http://anne:wrong@127.0.0.1:{proxy.port}"
        refused = machine.run(expect=22)["error"]
        assert (refused["code"], refused["subject"]) == (
            "proxy-sign-in",
            f"http://127.0.0.1:{proxy.port}" if is_tls else server.url,
        )
        assert "wrong" not in json.dumps(refused)
        machine.more["proxy"] = f"http://anne:p%40ss%20w%C3%B6rd@127.0.0.1:{proxy.port}"
        machine.more["patience"] = 30
        assert machine.run()["files_new"] == 3
    let_through = [line for line in proxy.asked if not line.startswith("407")]
    assert let_through
    assert {line.split()[0] == "CONNECT" for line in let_through} == {is_tls}
    machine.server = client.house.url("ingest")
    del machine.more["proxy"]
    client.restore(machine, tmp_path / "back")
    assert compare_trees(papers, Path(f"{tmp_path}/back{papers}")) == []


def test_the_environments_proxy_is_used_but_for_what_it_leaves_out(
    machine: Machine,
) -> None:
    with proxy_to(machine.server, "anne:secret") as proxy:
        server = machine.server
        machine.server, machine.more["patience"] = "http://coffre.example", 1
        told = f"http://anne:secret@127.0.0.1:{proxy.port}"
        ended = machine.agent("run", "papers", "--json", http_proxy=told)
        assert ended.returncode == 0, ended.stdout
        assert all(" http://coffre.example/v1/" in line for line in proxy.asked)
        before = len(proxy.asked)
        alone = {"http_proxy": told, "no_proxy": "other.example,.example"}
        assert machine.agent("run", "papers", **alone).returncode == 22
        machine.more["proxy"] = "none"
        assert machine.agent("run", "papers", http_proxy=told).returncode == 22
        del machine.more["proxy"]
        # This machine itself is never asked for by a proxy.
        machine.server = server
        assert machine.agent("run", "papers", http_proxy=told).returncode == 0
        assert len(proxy.asked) == before


@pytest.mark.parametrize("place", ["configuration", "environment"])
def test_restores_and_pings_go_by_the_proxy_as_runs_do(
    machine: Machine, client: Client, papers: Path, tmp_path: Path, monitor: Monitor, place: str
) -> None:
    """None of the three hosts is found without it."""
    elsewhere = {"portal": client.house.url("portal"), "monitor": monitor.url}
    with proxy_to(machine.server, "anne:s@crét", **elsewhere) as proxy:
        machine.server, machine.more["patience"] = "http://coffre.example", 1
        machine.more["ping_url"] = "http://monitor.example/ping/0000-secret"
        told = f"http://anne:s%40cr%C3%A9t@127.0.0.1:{proxy.port}"
        environ = {"http_proxy": told}
        if place == "configuration":
            machine.more["proxy"] = told
            # An address of this machine, which the environment's would not be asked for.
            environ = {"http_proxy": "http://127.0.0.1:1"}
        ended = machine.agent("run", "papers", "--json", **environ)
        assert ended.returncode == 0, ended.stdout
        paths = [urlsplit(path).path for path, _ in monitor.told]
        assert paths == ["/ping/0000-secret/start", "/ping/0000-secret"]
        to = (
            "--portal",
            "http://portal.example",
            "--email",
            client.email,
            "--to",
            str(tmp_path / "b"),
        )
        environ["COFFRE_PASSWORD"] = PASSWORD
        restored = machine.agent("restore", "papers", *to, "--json", **environ)
        assert restored.returncode == 0, restored.stdout
        asked = {line.split()[1] for line in proxy.asked}
        assert {urlsplit(one).hostname for one in asked} == {
            *("coffre.example", "portal.example", "monitor.example")
        }
        assert any("/chunks" in one for one in asked), "workers know it as well"
    assert compare_trees(papers, Path(f"{tmp_path}/b{papers}")) == []


def test_pings_of_this_machine_and_of_none_go_straight(monitor: Monitor) -> None:
    for proxy in ("none", None):
        with pytest.MonkeyPatch.context() as environ:
            environ.setenv("http_proxy", "http://127.0.0.1:1")
            environ.setenv("no_proxy", "")
            told = Pings(monitor.url, Teller(as_json=False, title=""), proxy)
            told.ended("failed", "")
    assert len(monitor.told) == 2


def test_proxies_are_checked_before_the_night(machine: Machine) -> None:
    assert proxy_of("proxy.example:3128").shown == "http://proxy.example:3128"
    assert proxy_of("http://a:b%3A@proxy.example").sign_in == ("a", "b:")
    machine.more["proxy"] = "http://anne:secret@proxy.example:99999"
    refused = machine.agent("config", "validate")
    assert refused.returncode == 2
    assert "proxy must be an address with a port" in refused.stderr
    assert "secret" not in refused.stderr
    with pytest.raises(ValueError, match="such as"):
        address_of("http:///x")
