"""The development overlay as `podman kube play` can start it: pods, without what podman ignores.

Out of it go probes, spreading, service accounts and services (a pod is reached by its name).
Secrets and ConfigMaps of files are folders of this machine: podman gives secrets no mode or group.
Servers run as their images want. Ours keep all that restricts them.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from libs.shared import database
from tests.deploy.kustomize import Resource, environment, of_kind, overlay, pods
from tests.deploy.test_compose import SERVICES

OURS = (*database.SERVICES, "prepare")
IMAGE = "docker.io/coffre/coffre:tested"
_CALLED = {"postgresql": "postgresql-rw"}  # by the name of its service
_FOLDERS = {"rabbitmq-administrator": "rabbitmq", "postgresql-superuser": "postgresql"}
_FOR_CLUSTERS = (
    "automountServiceAccountToken",
    "enableServiceLinks",
    "securityContext",
    "serviceAccountName",
    "terminationGracePeriodSeconds",
    "topologySpreadConstraints",
)
_UNKNOWN = ("lifecycle", "livenessProbe", "ports", "readinessProbe", "startupProbe")


def to_play(made: Path, volumes: Path) -> list[Resource]:
    """ConfigMaps and pods; made: the folder of secrets; volumes: an empty folder for data."""
    rendered = overlay("development")
    kinds = {"apiVersion": "v1"}
    maps = [
        {**kinds, "kind": "ConfigMap", "metadata": {"name": name}, "data": one["data"]}
        for name, one in of_kind(rendered, "ConfigMap").items()
    ]
    started = [
        {
            **kinds,
            "kind": "Pod",
            "metadata": {"name": _CALLED.get(name, name), "labels": template["metadata"]["labels"]},
            "spec": _spec(name, copy.deepcopy(template["spec"]), made, volumes),
        }
        for name, template in pods(rendered).items()
    ]
    return [*maps, *started]


def container(name: str) -> str:
    """What podman calls the container of a pod."""
    return f"{_CALLED.get(name, name)}-{'coffre' if name in OURS else name}"


def _spec(name: str, spec: Resource, made: Path, volumes: Path) -> Resource:
    [only] = spec["containers"]
    for key in _FOR_CLUSTERS:
        spec.pop(key, None)
    for key in _UNKNOWN:
        only.pop(key, None)
    spec["restartPolicy"] = "OnFailure" if name == "prepare" else "Always"
    if name in OURS:
        only["image"] = IMAGE
        only["securityContext"] |= {"runAsUser": 10001, "runAsGroup": 10001}
    else:
        del only["securityContext"]
    if name == "rabbitmq":  # the image made here knows its account by the environment alone
        only["command"] = [part.replace("$$", "$") for part in SERVICES[name]["entrypoint"]]
        only["env"] = []
        for mount in only["volumeMounts"]:
            if mount.pop("subPath", None):
                mount["mountPath"] = "/run/secrets"
    if name == "prepare":
        for key, value in environment(overlay("development"), name).items():
            only["args"] = [part.replace(f"$({key})", value) for part in only["args"]]
    known = {volume["name"]: volume for volume in spec.get("volumes", [])}
    spec["volumes"] = [
        {
            "name": mount["name"],
            "hostPath": {"path": str(_place(name, mount, known, made, volumes))},
        }
        for mount in only["volumeMounts"]
    ]
    return spec


def _place(name: str, mount: Any, known: Resource, made: Path, volumes: Path) -> Path:
    """The folder of this machine that a mount shows."""
    volume = known.get(mount["name"], {})
    if "secret" in volume:
        secret = volume["secret"]["secretName"]
        return made / _FOLDERS.get(secret, secret)
    if volume.get("configMap", {}).get("name") == "legal":
        return Path(__file__).parents[2] / "deploy" / "legal"
    if "configMap" in volume:
        return made / "public" / {"certificate": ""}.get(volume["configMap"]["name"], "senders")
    folder = volumes / f"{name}-{mount['name']}"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder
