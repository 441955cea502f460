"""What the agent knows of Windows without one: its answers, rights, shadow copies."""

from __future__ import annotations

import ctypes
import os
import random
import stat
from pathlib import Path

import pytest

from agent.config import Plan
from agent.platforms import ntfs
from agent.platforms.attributes import Marks, give
from agent.platforms.places import system_program
from agent.snapshots import shadows, taking
from agent.snapshots.kinds import snapshot_of
from agent.snapshots.programs import NotTaken
from agent.walking.beside import Beside
from agent.walking.tree import Listing, Row
from libs.shared import attributes
from libs.shared.attributes import WINDOWS_SECURITY, WINDOWS_STREAM
from libs.shared.reasons import Reason
from tests.world.files import OF_WINDOWS

SECURITY = OF_WINDOWS[WINDOWS_SECURITY]


# As the compiler of Windows lays them out: each member at a multiple of its size.
class StreamInfo(ctypes.Structure):
    _fields_ = [
        ("next", ctypes.c_uint32),
        ("name_length", ctypes.c_uint32),
        ("size", ctypes.c_int64),
        ("allocated", ctypes.c_int64),
        ("name", ctypes.c_uint16 * 1),
    ]


class EntryInfo(ctypes.Structure):
    _fields_ = [
        ("next", ctypes.c_uint32),
        ("index", ctypes.c_uint32),
        ("created", ctypes.c_int64),
        ("accessed", ctypes.c_int64),
        ("written", ctypes.c_int64),
        ("changed", ctypes.c_int64),
        ("size", ctypes.c_int64),
        ("allocated", ctypes.c_int64),
        ("attributes", ctypes.c_uint32),
        ("name_length", ctypes.c_uint32),
        ("tag", ctypes.c_uint32),
        ("short_length", ctypes.c_int8),
        ("short", ctypes.c_uint16 * 12),
        ("id", ctypes.c_int64),
        ("name", ctypes.c_uint16 * 1),
    ]


def answer(kind: type[ctypes.Structure], *found: dict[str, int | str]) -> bytes:
    """What Windows writes into a buffer, which is longer."""
    parts: list[bytes] = []
    for number, one in enumerate(found):
        name = str(one["called"]).encode("utf-16-le", "surrogatepass")
        info = kind(name_length=len(name))
        for key, value in one.items():
            if key != "called":
                setattr(info, key, value)
        body = bytes(info)[: kind.name.offset] + name  # type: ignore[attr-defined]
        body += bytes(-len(body) % 8)
        if number < len(found) - 1:
            body = len(body).to_bytes(4, "little") + body[4:]
        parts.append(body)
    return b"".join(parts) + b"\xee" * 500


def test_streams_are_read_out_of_what_windows_tells() -> None:
    told = answer(
        StreamInfo,
        {"called": "::$DATA", "size": 12},
        {"called": ":Zone.Identifier:$DATA", "size": 26},
        {"called": ":été \ud800:$DATA", "size": 1 << 40},
        {"called": ":index:$BITMAP", "size": 8},
    )
    assert ntfs.streams_of(told) == {"Zone.Identifier": 26, "été \ud800": 1 << 40}
    assert ntfs.streams_of(b"") == {}


def test_a_listing_tells_when_anything_of_a_file_changed() -> None:
    made, written, changed = (
        131_000_000_000_000_000,
        132_000_000_000_000_001,
        133_000_000_000_000_002,
    )
    told = answer(
        EntryInfo,
        {"called": ".", "attributes": 0x10},
        {"called": "..", "attributes": 0x10},
        {"called": "a.txt", "attributes": 0x20, "size": 1 << 33, "created": made,
         "written": written, "changed": changed, "tag": 7},
        {"called": "fat", "attributes": 0x11, "created": made, "written": written},
        {"called": "link", "attributes": 0x410, "tag": 0xA000000C},
    )  # fmt: skip
    file, folder, link = ntfs.entries_of(told)
    assert (file.name, folder.name, link.name) == ("a.txt", "fat", "link")
    state = file.stat(follow_symlinks=False)
    assert (state.st_size, state.st_mode, state.st_reparse_tag) == (
        1 << 33,
        stat.S_IFREG | 0o666,
        0,
    )
    assert state.st_mtime_ns == 1_555_526_400_000_000_100
    assert state.st_ctime_ns == 1_655_526_400_000_000_200
    assert folder.status.st_mode == stat.S_IFDIR | 0o555
    assert folder.status.st_ctime_ns == 1_455_526_400_000_000_000, "when it was made"
    assert link.status.st_reparse_tag == 0xA000000C


def test_inherited_rights_are_asked_for_as_such_and_else_all_stays() -> None:
    assert ntfs.parts_of(SECURITY) == ntfs.OWNER | ntfs.GROUP | ntfs.DACL
    assert ntfs.to_be_set(SECURITY) == SECURITY
    inherited = SECURITY[:2] + b"\x04\x84" + SECURITY[4:]
    assert ntfs.to_be_set(inherited) == SECURITY[:2] + b"\x04\x85" + SECURITY[4:]
    nothing = b"\1\0\0\x80" + bytes(16)
    assert (ntfs.parts_of(nothing), attributes.is_descriptor(nothing)) == (0, True)


def test_a_descriptor_that_points_outside_of_itself_is_none() -> None:
    """The system that it is given to would read what lies behind it."""
    assert attributes.is_descriptor(SECURITY)
    for length in range(len(SECURITY)):
        assert not attributes.is_descriptor(SECURITY[:length]), length
    for at, value in (
        (0, 2),
        (3, 0),
        (4, 250),
        (8, 19),
        (16, 158),
        (78, 255),
        (80, 99),
        (86, 0),
        (0x16, 2),
    ):
        broken = bytearray(SECURITY)
        broken[at] = value
        assert attributes.is_descriptor(bytes(broken)) == (at == 0x16), (at, value)
    chance = random.Random(1)
    for _ in range(2000):
        attributes.is_descriptor(chance.randbytes(chance.randrange(200)))
    assert attributes.find_fault(attributes.write(OF_WINDOWS)) is None
    assert attributes.find_fault(attributes.write({WINDOWS_SECURITY: SECURITY[:-1]})) is not None


def test_linux_says_by_kind_what_it_can_not_be_given(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("kept")
    refused = give(str(file), Marks(0o640, 10**18, None, attributes.write(OF_WINDOWS)))
    assert refused == {"owners and access lists of Windows", "alternate streams of Windows"}
    assert os.listxattr(file) == []
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_stream_that_is_too_long_or_has_too_long_a_name_stays_behind_and_is_told() -> None:
    lost: list[tuple[bytes, Reason]] = []
    beside = Beside(["windows.*"], lambda path, reason: lost.append((path, reason)))
    row: Row = (b"file", stat.S_IFREG | 0o644, 0, 1, 1, 1, 0, 0)
    found = {WINDOWS_SECURITY: SECURITY, WINDOWS_STREAM + b"x": b"excluded"}
    held = beside.hold(Listing(b"d"), row, b"", found)
    assert attributes.read(held.attributes) == {WINDOWS_SECURITY: SECURITY}  # type: ignore[union-attr]
    beside = Beside([], lambda path, reason: lost.append((path, reason)))
    long_name, large = WINDOWS_STREAM + b"n" * 755, WINDOWS_STREAM + b"large"
    found |= {long_name: b"1", large: bytes(attributes.MAX_BYTES + 1)}
    held = beside.hold(Listing(b"d"), row, b"", found)
    assert attributes.read(held.attributes).keys() == {WINDOWS_SECURITY, WINDOWS_STREAM + b"x"}  # type: ignore[union-attr]
    assert [(path, reason.code, reason.subject) for path, reason in lost] == [
        (b"d/file", "attributes-too-long", os.fsdecode(long_name)),
        (b"d/file", "attributes-too-long", os.fsdecode(large)),
    ]


# --- shadow copies: the programs that would run


@pytest.fixture
def powershell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name that writes down what it is told, and takes what it is told to."""
    folder = tmp_path / "bin"
    folder.mkdir()
    name = system_program(r"WindowsPowerShell\v1.0\powershell")
    (folder / name).write_text(
        '#!/bin/sh\nfor last in "$@"; do :; done\n'
        f'echo "$last" >> {tmp_path}/called\n'
        f"[ -e {tmp_path}/fails ] && {{ echo 'Access denied' >&2; exit 1; }}\n"
        'note=$(echo "$last" | sed -n "s/.*WriteAllText(\'\\(.*\\)\', .*/\\1/p")\n'
        'note=$(echo "$note" | sed "s/\'\'/\'/g")\n'
        '[ -z "$note" ] || { printf "{AB-1}" > "$note"; '
        "printf '%s\\n' '\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy7'; }\n"
    )
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return tmp_path / "called"


def test_a_volume_of_windows_is_read_from_a_shadow_copy_which_goes_again(
    powershell: Path, tmp_path: Path
) -> None:
    volume = shadows.volume_called("\\\\?\\C:\\")
    snapshot = snapshot_of(b"/C:/it's", volume, "coffre-1", tmp_path / "snap'shots")
    assert snapshot.is_cheap
    snapshot.take()
    assert (snapshot.covers, snapshot.shows) == (
        b"/C:",
        b"/GLOBALROOT/Device/HarddiskVolumeShadowCopy7",
    )
    told = powershell.read_text()
    assert "Volume = 'C:\\'; Context = 'ClientAccessible'" in told
    assert "/snap''shots/coffre-1-" in told
    (note,) = (tmp_path / "snap'shots").iterdir()
    snapshot.remove()
    assert "Where-Object ID -eq '{AB-1}' | Remove-CimInstance" in powershell.read_text()
    assert not note.exists()
    before = powershell.read_text()
    snapshot.remove()
    assert powershell.read_text() == before, "there is none any more"


def test_a_shadow_copy_that_a_crash_left_goes_before_the_next_is_taken(
    powershell: Path, tmp_path: Path
) -> None:
    volume = shadows.volume_called("D:\\")
    snapshot_of(b"/D:/x", volume, "coffre-1", tmp_path).take()
    again = snapshot_of(b"/D:/x", volume, "coffre-1", tmp_path)
    again.take()
    called = powershell.read_text()
    assert called.count("MethodName Create") == 2
    assert called.index("Remove-CimInstance") < called.rindex("MethodName Create")
    (tmp_path / "fails").touch()
    with pytest.raises(NotTaken, match="Access denied"):
        again.remove()
    assert list(tmp_path.glob("*.shadow")), "the next run tries again"


def test_a_network_drive_has_no_shadow_copies(tmp_path: Path) -> None:
    share = shadows.volume_called("\\\\?\\UNC\\nas\\share\\")
    with pytest.raises(NotTaken, match="a network drive has no snapshots"):
        snapshot_of(b"/UNC/nas/share/x", share, "coffre-1", tmp_path)


def test_paths_of_a_plan_are_its_own_whatever_shadow_they_are_read_from(
    powershell: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking, "SYSTEM", "windows")
    monkeypatch.setattr(taking, "real_path", lambda logical: b"/" + logical)
    monkeypatch.setattr(taking, "volume_of", lambda _: shadows.volume_called("C:\\"))
    plan = Plan(
        "p", ("/C:/Users", "/C:/Data"), (), "0 2 * * *", "UTC", (), True, snapshot="required"
    )
    told: list[str] = []
    with taking.snapshots(plan, tmp_path, told.append, print) as taken:
        shown = b"GLOBALROOT/Device/HarddiskVolumeShadowCopy7"
        assert taken.views.actual(b"C:/Users/anne/x") == shown + b"/Users/anne/x"
        assert taken.views.actual(b"C:/Data") == shown + b"/Data"
        assert taken.views.actual(b"D:/Data") == b"D:/Data"
    assert told == ["Reading /C: as a snapshot holds it."]
    assert powershell.read_text().count("MethodName Create") == 1
