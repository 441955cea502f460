"""What the agent's packages are for, and what is pasted on a machine to install one."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Literal

System = Literal["linux", "debian", "redhat", "windows"]

_ENDINGS: dict[System, str] = {
    "debian": ".deb",
    "redhat": ".rpm",
    "linux": "-linux-x86_64",
    "windows": "-windows-x86_64.zip",
}
# What downloads on a machine that has next to nothing: Debian's package manager brings its own.
_GET = (
    'get() { if command -v curl >/dev/null; then curl -fsSLo "$2" "$1"; '
    'elif command -v wget >/dev/null; then wget -qO "$2" "$1"; '
    'else /usr/lib/apt/apt-helper download-file "$1" "$2" >/dev/null; fi; }'
)
_INSTALL: dict[System, str] = {
    "debian": "$as dpkg -i {file} && $as coffre-agent",
    "redhat": "$as rpm -U {file} && $as coffre-agent",
    "linux": "$as sh {file}",
}
_WINDOWS = """\
$zip = "$env:TEMP\\{name}"
Invoke-WebRequest {address} -OutFile $zip
if ((Get-FileHash $zip -Algorithm SHA256).Hash -ne '{sum}') {{ throw 'The sum is wrong.' }}
Expand-Archive $zip "$env:ProgramFiles\\coffre-agent" -Force
& "$env:ProgramFiles\\coffre-agent\\coffre-agent.exe" setup {options}"""


@dataclass(frozen=True)
class File:
    """One package; sha256: as it was signed."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Release:
    """A version of the agent; glibc: the oldest that the packages for Linux run on."""

    version: str
    glibc: str
    files: tuple[File, ...]

    def file_for(self, system: System) -> File | None:
        """The package for a system, None where there is none."""
        found = (file for file in self.files if file.name.endswith(_ENDINGS[system]))
        return next(found, None)


@dataclass(frozen=True)
class Block:
    """What is pasted into a shell of a system: it downloads, checks the sum, installs, sets up."""

    system: System
    text: str


def blocks(release: Release, portal_url: str, ingest_url: str, code: str) -> list[Block]:
    """One block for each system that there is a package for."""
    options = shlex.join(["--server", ingest_url, "--portal", portal_url, "--code", code])
    found = []
    for system in _ENDINGS:
        file = release.file_for(system)
        if file is not None:
            found.append(Block(system, _block(system, file, portal_url, options)))
    return found


def _block(system: System, file: File, portal_url: str, options: str) -> str:
    address = f"{portal_url}/agent/{file.name}"
    if system == "windows":
        return _WINDOWS.format(name=file.name, address=address, sum=file.sha256, options=options)
    return (
        f'{_GET}; as=$(command -v sudo); cd "$(mktemp -d)" && \\\n'
        f"get {address} {file.name} && \\\n"
        f'echo "{file.sha256}  {file.name}" | sha256sum -c && \\\n'
        f"{_INSTALL[system].format(file=f'./{file.name}')} setup {options}"
    )
