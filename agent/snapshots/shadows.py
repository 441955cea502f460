"""Shadow copies of Windows' volumes, by its own PowerShell and CIM.

Which one is ours is written down by the program that takes it, beside the agent's other files: the
next run finds there what a crash left behind.
"""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from pathlib import Path

from agent.platforms import SYSTEM, paths
from agent.platforms.places import system_program
from agent.snapshots.mounts import Mount
from agent.snapshots.programs import NotTaken, run

if sys.platform == "win32":
    from agent.platforms import calls

VOLUME = "a volume of Windows"
_POWERSHELL = r"WindowsPowerShell\v1.0\powershell"
# Client accessible: it lasts until it is removed, and asks no program to hold still.
_TAKE = """
$taken = Invoke-CimMethod -ClassName Win32_ShadowCopy -MethodName Create -Arguments @{{
    Volume = {volume}; Context = 'ClientAccessible' }}
if ($taken.ReturnValue) {{ throw ('Win32_ShadowCopy.Create said ' + $taken.ReturnValue) }}
[IO.File]::WriteAllText({note}, $taken.ShadowID)
(Get-CimInstance Win32_ShadowCopy | Where-Object ID -eq $taken.ShadowID).DeviceObject
"""
_REMOVE = """
Get-CimInstance Win32_ShadowCopy | Where-Object ID -eq {known} | Remove-CimInstance
"""
_WHOLE = """
$ErrorActionPreference = 'Stop'
[Console]::OutputEncoding = New-Object Text.UTF8Encoding
try {{ {script} }} catch {{ [Console]::Error.WriteLine($_.Exception.Message); exit 1 }}
"""


class Shadow:
    """A shadow copy of one volume."""

    is_cheap = True

    def __init__(self, mount: Mount, name: str, folder: Path) -> None:
        self.covers = mount.place
        self.shows = b""
        self._volume = os.fsdecode(mount.source)
        told = hashlib.sha256(mount.place.lower()).hexdigest()[:12]
        self._note = folder / f"{name}-{told}.shadow"

    def take(self) -> None:
        """Takes it."""
        self.remove()
        try:
            self._note.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NotTaken(str(error)) from error
        script = _TAKE.format(volume=_quoted(self._volume), note=_quoted(str(self._note)))
        device = _powershell(script).strip()
        if not device.startswith(paths.SHOWN):
            with suppress(NotTaken):
                self.remove()
            raise NotTaken(f"Windows calls it {device!r}")
        self.shows = b"/" + os.fsencode(device[4:].replace("\\", "/"))

    def remove(self) -> None:
        """Removes it."""
        try:
            known = self._note.read_text().strip()
        except FileNotFoundError:
            return
        except OSError as error:
            raise NotTaken(str(error)) from error
        if known:
            _powershell(_REMOVE.format(known=_quoted(known)))
        self._note.unlink(missing_ok=True)


def real_path(logical: bytes) -> bytes:
    """Where a folder of a plan lies, symlinks followed; absolute, with slashes."""
    if SYSTEM != "windows":
        return os.path.realpath(b"/" + logical)
    found = os.path.realpath(paths.system_path(os.fsdecode(logical), SYSTEM))
    try:
        return os.fsencode(paths.plan_folder(found, SYSTEM))
    except ValueError:
        # A volume without a letter.
        return b"/" + logical


def volume_of(path: bytes) -> Mount | None:
    """The volume that a folder lies in, as Windows tells it."""
    if sys.platform == "win32":
        told = paths.system_path(os.fsdecode(path.lstrip(b"/")), SYSTEM)
        try:
            return volume_called(calls.volume_of(told))
        except (OSError, ValueError):
            return None
    return None


def volume_called(name: str) -> Mount:
    """A volume by its name for Windows, `C:\\\\` or that of a share; ValueError if it is none."""
    place = os.fsencode(paths.plan_folder(name, "windows"))
    if place.startswith(b"/%s/" % paths.UNC.encode()):
        return Mount(place, "a network drive", b"")
    return Mount(place, VOLUME, os.fsencode(name.removeprefix("\\\\?\\")))


def _powershell(script: str) -> str:
    """What a script writes; raises NotTaken."""
    whole = _WHOLE.format(script=script)
    program = system_program(_POWERSHELL)
    return run(program, "-NoProfile", "-NonInteractive", "-Command", whole)


def _quoted(text: str) -> str:
    """A string of PowerShell in which nothing has a meaning."""
    for quote in "'\u2018\u2019\u201a\u201b":
        text = text.replace(quote, quote * 2)
    return f"'{text}'"
