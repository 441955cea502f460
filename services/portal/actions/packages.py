"""The agent's packages, as `./run package` laid them into a folder."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path

from libs.shared import errors
from services.portal.actions.resources import DOWNLOAD_WAIT_SECONDS, Resources
from services.portal.rules.packages import File, Release

SUMS = "SHA256SUMS"
ALWAYS = (SUMS, "SHA256SUMS.sig", "release-key.pem")
_PIECE_BYTES = 256 << 10


async def find_release(resources: Resources) -> Release | None:
    """What there is now; None where the folder has none, or the installation no folder."""
    if resources.agent_folder is None:
        return None
    return await asyncio.to_thread(_read, resources.agent_folder)


async def find_file(resources: Resources, name: str) -> Path:
    """A file of the release, its sums or their signature; raises NotFound for any other."""
    release = await find_release(resources)
    folder = resources.agent_folder
    if folder is None or release is None:
        raise NoPackages
    if name not in ALWAYS and name not in {file.name for file in release.files}:
        raise errors.NotFound("file")
    return folder / name


async def read_file(resources: Resources, file: Path, address: str) -> AsyncGenerator[bytes, None]:
    """A file's bytes; whoever asks from one address holds only so many at once."""
    async with resources.packages.hold(address, 1, DOWNLOAD_WAIT_SECONDS):
        opened = await asyncio.to_thread(file.open, "rb")
        try:
            while piece := await asyncio.to_thread(opened.read, _PIECE_BYTES):
                yield piece
        finally:
            opened.close()


class NoPackages(errors.NotFound):
    """The provider hasn't put the agent's packages here."""

    code = "no-packages"
    title = "This portal has no packages of the agent"

    @property
    def detail(self) -> str:
        return "This portal has no packages of the agent: ask your provider for them."


def _read(folder: Path) -> Release | None:
    try:
        told = json.loads((folder / "release.json").read_text())
        listed = [line.split("  ", 1) for line in (folder / SUMS).read_text().splitlines()]
        files = [File(name, (folder / name).stat().st_size, digest) for digest, name in listed]
    except FileNotFoundError:
        return None
    return Release(told["version"], told["glibc"], tuple(files))
