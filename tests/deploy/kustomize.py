"""What Kustomize makes of deploy/k8s."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

K8S = Path(__file__).parents[2] / "deploy" / "k8s"
OVERLAYS = ("development", "production")
COMPONENTS = sorted(folder.name for folder in (K8S / "components").iterdir())
RECOMMENDED = {
    "app.kubernetes.io/name": "coffre",
    "app.kubernetes.io/instance": "coffre",
    "app.kubernetes.io/part-of": "coffre",
    "app.kubernetes.io/managed-by": "kustomize",
}
KUBECTL = Path(sys.executable).parent / "kubectl"

Resource = dict[str, Any]


@functools.cache
def render(folder: Path) -> tuple[Resource, ...]:
    """The resources of a folder with a kustomization."""
    command = [KUBECTL, "kustomize", folder]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "deprecated" not in ended.stderr, ended.stderr
    return tuple(yaml.safe_load_all(ended.stdout))


@functools.cache
def overlay(name: str) -> tuple[Resource, ...]:
    """The resources of an overlay."""
    return render(K8S / "overlays" / name)


@functools.cache
def with_component(name: str) -> tuple[Resource, ...]:
    """The base with one component."""
    with tempfile.TemporaryDirectory() as folder:
        up = os.path.relpath(K8S, Path(folder).resolve())
        asked = {"resources": [f"{up}/base"], "components": [f"{up}/components/{name}"]}
        (Path(folder) / "kustomization.yaml").write_text(yaml.safe_dump(asked))
        return render(Path(folder))


def everything() -> list[Resource]:
    """Whatever is rendered anywhere."""
    ways = [overlay(name) for name in OVERLAYS] + [with_component(name) for name in COMPONENTS]
    return [resource for rendered in ways for resource in rendered]


def of_kind(rendered: tuple[Resource, ...], kind: str) -> dict[str, Resource]:
    """The resources of one kind by their names."""
    return {one["metadata"]["name"]: one for one in rendered if one["kind"] == kind}


def pods(rendered: tuple[Resource, ...]) -> dict[str, Resource]:
    """The templates of pods, by the name of what starts them."""
    kinds = {"Deployment", "StatefulSet", "Job"}
    found = [one for one in rendered if one["kind"] in kinds]
    return {one["metadata"]["name"]: one["spec"]["template"] for one in found}
