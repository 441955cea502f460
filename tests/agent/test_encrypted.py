"""HTTPS whose certificate a private authority signed: trusted when named, refused when not."""

from __future__ import annotations

from pathlib import Path

from tests.agent import wires
from tests.trees import compare_trees
from tests.world.clients import Client
from tests.world.machines import Machine


def test_a_run_and_a_restore_over_tls(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    tls, trusted = wires.self_signed(tmp_path)
    with (
        wires.wire_to(client.house.url("ingest"), tls=tls) as ingest,
        wires.wire_to(client.house.url("portal"), tls=tls) as portal,
    ):
        machine.server = ingest.url
        refused = machine.run(expect=22)
        assert "ca_file" in refused["error"]["sentence"]
        machine.more["ca_file"] = str(trusted)
        assert machine.run()["files_new"] == 3
        options = ["--portal", portal.url]
        client.restore(machine, tmp_path / "other", *options)
        del machine.more["ca_file"]
        refused = client.restore(machine, tmp_path / "back", *options, expect=22)
        assert "certificate" in refused["error"]["sentence"]
        client.restore(machine, tmp_path / "back", *options, "--ca-file", str(trusted))
    assert compare_trees(papers, Path(f"{tmp_path}/back{papers}")) == []
