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
ON_TOP_OF = {"postgres-cnpg-backup": ("postgres-cnpg",)}
"""What a component changes, which has to be there."""
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
        components = [*ON_TOP_OF.get(name, ()), name]
        asked = {
            "resources": [f"{up}/base"],
            "components": [f"{up}/components/{each}" for each in components],
        }
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


def environment(rendered: tuple[Resource, ...], name: str) -> dict[str, str]:
    """The variables that a pod starts with, out of its ConfigMaps."""
    maps = {one: about["data"] for one, about in of_kind(rendered, "ConfigMap").items()}
    [container] = pods(rendered)[name]["spec"]["containers"]
    given: dict[str, str] = {}
    for source in container.get("envFrom", []):
        given |= maps[source["configMapRef"]["name"]]
    for one in container["env"]:
        if "value" in one:
            given[one["name"]] = one["value"]
        else:
            key = one["valueFrom"]["configMapKeyRef"]
            given[one["name"]] = maps[key["name"]][key["key"]]
    return given
