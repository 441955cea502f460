"""What docs/architecture.md says is where things are."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()


def find_rules() -> dict[str, set[str]]:
    """The subjects of each service, as the import rules keep them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    rules: dict[str, set[str]] = {}
    for contract in settings["tool"]["importlinter"]["contracts"]:
        for container in contract.get("containers", ()):
            if match := re.fullmatch(r"services\.(\w+)\.(?!mail)\w+", container):
                layers = " ".join(contract["layers"])
                rules.setdefault(match[1], set()).update(re.findall(r"\w+", layers))
    return rules


def find_told(service: str) -> set[str]:
    """The subjects of a service in its table of the page."""
    table = PAGE.partition(f"**{service}**\n\n")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    return {name.strip() for cell in cells for name in cell.split(",") if "`" not in name}


@pytest.mark.parametrize("service", ["ingest", "retention", "reporting", "portal", "quota"])
def test_every_subject_has_its_line(service: str) -> None:
    assert find_told(service) == find_rules()[service]


def test_every_path_is_there() -> None:
    paths = {path for path in re.findall(r"`([a-z_]+(?:/[a-z_]+)+/?)", PAGE) if path[0] != "/"}
    absent = [
        path
        for path in paths
        if not (ROOT / path).exists() and not (ROOT / f"{path}.py").exists()
        and not list(ROOT.glob(f"services/*/{path}*"))
    ]  # fmt: skip
    assert absent == []
    assert len(paths) > 10
