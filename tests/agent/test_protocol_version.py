"""A machine whose agent speaks another version of the protocol says what to install, and ends."""

from __future__ import annotations

import json
from pathlib import Path

from agent import __version__
from libs.shared import protocol
from tests.agent.wires import wire_to
from tests.world.clients import PASSWORD, Client
from tests.world.machines import Machine

OLDER = (b"X-Coffre-Protocol: 2\r\n", b"X-Coffre-Protocol: 0\r\n")
SENTENCE = "speaks version 0 of the protocol, and the server version 2: install coffre-agent 0.3,"


def test_the_release_that_is_named_speaks_it() -> None:
    assert __version__.startswith(protocol.RELEASE + ".")


def test_every_command_says_what_to_install(
    machine: Machine, client: Client, tmp_path: Path
) -> None:
    machine.run()
    with (
        wire_to(machine.server, told=OLDER) as wire,
        wire_to(client.house.url("portal"), told=OLDER) as portal,
    ):
        machine.server = wire.url
        summary = machine.run(expect=2)
        assert summary["outcome"] == "failed"
        assert summary["error"]["subject"] == "protocol-version"
        assert SENTENCE in summary["error"]["sentence"]
        checked = machine.agent("check", "--json")
        assert checked.returncode == 1
        assert SENTENCE in checked.stdout
        code = client.enrolment_code()
        enrolled = machine.agent("enrol", "--server", wire.url, "--code", code, "--force")
        assert enrolled.returncode == 2
        to = ("--portal", portal.url, "--email", client.email, "--to", str(tmp_path / "back"))
        restored = machine.agent("restore", "papers", *to, "--json", COFFRE_PASSWORD=PASSWORD)
        assert restored.returncode == 2
        told = json.loads(restored.stdout.splitlines()[-1])
        assert told["error"]["subject"] == "protocol-version"
        assert SENTENCE in told["error"]["sentence"]
    # Nothing was spoilt: the right agent goes on.
    machine.server = client.house.url("ingest")
    assert machine.run()["bytes_sent"] == 0
