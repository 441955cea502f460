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


def find_modules(folder: Path) -> set[str]:
    """What a package is made of; not its __init__ and __main__."""
    names = {path.stem for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()}
    return {name for name in names if not name.startswith("_")}


def test_every_module_that_services_share_has_its_line() -> None:
    table = PAGE.partition("**libs/shared**, from the ground up:\n\n")[2].partition("\n\n")[0]
    cells = " ".join(line.split("|")[1] for line in table.splitlines()[2:])
    assert set(re.findall(r"`(\w+)`", cells)) == find_modules(ROOT / "libs" / "shared")


def test_every_subject_of_the_agent_is_told_of() -> None:
    told = PAGE.partition("**The agent**")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", told)) == find_modules(ROOT / "agent")


def test_every_function_is_where_it_is_said() -> None:
    named = set(re.findall(r"`((?:[a-z_]+/)+[a-z_]+)\.([a-z_]+)`", PAGE))
    functions = {(path, name) for path, name in named if name not in {"py", "md"}}
    absent = [
        (path, name)
        for path, name in functions
        if not any(
            f"def {name}(" in file.read_text()
            for file in (*ROOT.glob(f"{path}.py"), *ROOT.glob(f"services/*/{path}.py"))
        )
    ]
    assert absent == []
    assert len(functions) > 3


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
