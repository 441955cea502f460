"""The agent as a distribution of its own: its code, and of `libs` only what it imports."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp

from agent import __version__

VERSION = __version__

_PROJECT = """\
[project]
name = "coffre-agent"
version = {version}
description = "Copies chosen folders of a machine to Coffre, and brings them back"
requires-python = {python}
dependencies = {dependencies}

[project.scripts]
coffre-agent = "agent.__main__:main"

[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[tool.setuptools.packages.find]
include = ["agent*", "libs*"]

[tool.setuptools.package-data]
"*" = ["*.txt", "*.toml"]
"""


def build(root: Path, work: Path, output: Path) -> Path:
    """The wheel's file."""
    source = work / "source"
    _copy(root / "agent", source / "agent")
    for module in sorted(_shared()):
        _copy_module(root, source, module)
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    (source / "pyproject.toml").write_text(
        _PROJECT.format(
            version=json.dumps(VERSION),
            python=json.dumps(project["requires-python"]),
            dependencies=json.dumps(project["dependencies"]),
        )
    )
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    subprocess.run(
        [*pip, "--no-deps", "--no-build-isolation", "--wheel-dir", output, source], check=True
    )
    return next(output.glob("coffre_agent-*.whl"))


def _shared() -> set[str]:
    """The modules of `libs` that the agent can come to import."""
    graph = grimp.build_graph("agent", "libs", cache_dir=None, exclude_type_checking_imports=True)
    needed = graph.find_upstream_modules("agent", as_package=True)
    return {name for name in needed if name.startswith("libs")}


def _copy_module(root: Path, source: Path, module: str) -> None:
    place = Path(*module.split("."))
    file = place / "__init__.py" if (root / place).is_dir() else place.with_suffix(".py")
    for each in {file, *(above / "__init__.py" for above in file.parents if above != Path())}:
        (source / each).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / each, source / each)


def _copy(folder: Path, target: Path) -> None:
    # File by file, so that modes follow from the umask alone and not from the work tree.
    left_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(folder, target, ignore=left_out, copy_function=shutil.copyfile)
