"""A file server's share comes back with all that its programs need: compared by its own tools."""

from __future__ import annotations

import io
import os
import stat
import struct
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.world.clients import Client
from tests.world.machines import Machine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give all of this")

LONG_HOLE = 40_000_000


def build_share(share: Path) -> None:
    """What Samba and its clients leave on a disk, and what programs of a server do."""
    for name in ("Buchhaltung", "Éléments", "archive"):
        (share / name).mkdir(parents=True)
        set_attribute(share / name, "user.DOSATTRIB", b"0x10\0\0\5\0" + os.urandom(48))
        acl("-m", "u:5678:rwx,g:2001:r-x,m::rwx", share / name)
        acl("-d", "-m", "u::rwx,u:5678:rwx,g::r-x,g:2001:r-x,o::---", share / name)
    descriptor = os.urandom(300)
    for number in range(40):
        file = share / "Buchhaltung" / f"facture {number}.ods"
        file.write_bytes(b"x" * number)
        set_attribute(file, "security.NTACL", descriptor)
        set_attribute(file, "user.DOSATTRIB", b"0x20" + number.to_bytes(2, "big"))
        os.chown(file, 5678, 2001)
    secret = share / "archive" / "secret"
    secret.write_bytes(b"nobody of the group")
    acl("--set", "u::rw-,u:5678:rw-,g::---,m::rw-,o::---", secret)
    for name in ("a first name", "Éléments/a second name", "Buchhaltung/a third name"):
        if name == "a first name":
            (share / name).write_bytes(os.urandom(900_000))
        else:
            os.link(share / "a first name", share / name)
    os.link(share / "archive" / "secret", share / "archive" / "secret too")
    with (share / "disk.img").open("wb") as image:
        image.write(b"boot" * 1000)
        image.seek(LONG_HOLE)
        image.write(os.urandom(700_000))
        image.truncate(3 * LONG_HOLE)
    with (share / "small holes").open("wb") as file:
        for at in range(0, 400_000, 50_000):
            file.seek(at)
            file.write(b"island")
        file.truncate(450_000)
    ping = share / "ping"
    ping.write_bytes(b"#!")
    ping.chmod(0o4755)
    # VFS_CAP_REVISION_2: cap_net_raw, permitted and effective.
    set_attribute(ping, "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0))
    set_attribute(ping, "trusted.of_root", b"\0\xff")
    os.mkfifo(share / "pipe", 0o640)
    os.mknod(share / "console", stat.S_IFCHR | 0o620, os.makedev(5, 1))
    os.mknod(share / "disk", stat.S_IFBLK | 0o660, os.makedev(8, 17))
    (share / "link").symlink_to("archive/secret")
    os.lchown(share / "link", 5678, 2001)
    os.setxattr(share / "link", "trusted.of_a_link", b"1", follow_symlinks=False)
    os.utime(share / "link", (10**9, 10**9), follow_symlinks=False)


def set_attribute(path: Path, name: str, value: bytes) -> None:
    os.setxattr(path, name, value)


def acl(*arguments: str | Path) -> None:
    subprocess.run(["setfacl", *map(str, arguments)], check=True)


def told(place: Path, *command: str) -> str:
    return subprocess.run(
        [*command, "."], cwd=place, capture_output=True, text=True, check=True
    ).stdout


def differences(one: Path, other: Path) -> list[str]:
    """What the tools of the three trades see, line by line."""
    found = []
    for command in (
        ("getfacl", "-R", "-n", "--absolute-names"),
        ("getfattr", "-R", "-h", "-d", "-m", "-", "-e", "hex"),
    ):
        before, after = (
            sorted(told(one, *command).split("\n\n")),
            sorted(told(other, *command).split("\n\n")),
        )
        found += [f"{command[0]}: {block}" for block in set(before) ^ set(after)]
    compared = subprocess.run(
        ["rsync", "-naHAXS", "--checksum", "--delete", "--itemize-changes", f"{one}/", f"{other}/"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return found + compared.stdout.splitlines()


def allocated(path: Path) -> int:
    return path.stat().st_blocks * 512


@pytest.fixture
def share(tmp_path: Path) -> Path:
    share = tmp_path / "share"
    build_share(share)
    return share


@pytest.fixture
def server(client: Client, tmp_path: Path, share: Path) -> Machine:
    """A machine whose plan is the share."""
    return client.machine(tmp_path / "machine", {"share": {"folders": [str(share)]}})


def back_in(folder: Path, share: Path) -> Path:
    return folder / str(share).lstrip("/")


@pytest.mark.usefixtures("either_way")
def test_a_share_comes_back_equal(
    server: Machine, client: Client, share: Path, tmp_path: Path
) -> None:
    assert differences(share, share) == []
    server.run("share")
    client.restore(server, tmp_path / "back", plan="share")
    back = back_in(tmp_path / "back", share)
    assert differences(share, back) == []
    assert (back / "link").lstat().st_mtime == 10**9
    for name in ("disk.img", "small holes"):
        assert allocated(back / name) <= allocated(share / name) + 16_384
    first = (back / "a first name").stat()
    assert (first.st_nlink, first.st_ino) == (3, (back / "Éléments/a second name").stat().st_ino)


@pytest.mark.parametrize(
    "unpacking",
    [
        ["tar", "--acls", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf", "-"],
        ["bsdtar", "--numeric-owner", "-xpf", "-"],
    ],
    ids=lambda command: command[0],
)
def test_a_share_comes_back_equal_by_tar(
    server: Machine, client: Client, share: Path, tmp_path: Path, unpacking: Sequence[str]
) -> None:
    server.run("share")
    with client.sign_in() as api:
        answer = api.get("plans/share/archive", params={"format": "tar", "path": str(share)})
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == len(answer.content)
    back = tmp_path / "tar"
    back.mkdir()
    subprocess.run(unpacking, input=answer.content, cwd=back, check=True)
    assert differences(share, back / "share") == []


def test_a_tar_that_is_unpacked_without_acls_widens_no_rights(
    server: Machine, client: Client, share: Path, tmp_path: Path
) -> None:
    server.run("share")
    with client.sign_in() as api:
        path = str(share / "archive")
        answer = api.get("plans/share/archive", params={"format": "tar", "path": path})
    subprocess.run(["tar", "-xpf", "-"], input=answer.content, cwd=tmp_path, check=True)
    assert stat.S_IMODE((share / "archive" / "secret").stat().st_mode) == 0o660
    assert stat.S_IMODE((tmp_path / "archive" / "secret").stat().st_mode) == 0o600


def test_each_kind_is_listed_by_its_name(server: Machine, client: Client, share: Path) -> None:
    server.run("share")
    with client.sign_in() as api:
        answer = api.get("plans/share/entries", params={"path": str(share)})
        assert answer.status_code == 200, answer.text
    found = {one["name"]: (one["kind"], one.get("target")) for one in answer.json()["entries"]}
    assert found["pipe"] == ("fifo", None)
    assert found["disk"] == ("block_device", "8:17")
    assert found["console"] == ("character_device", "5:1")
    assert found["a first name"] == ("file", None)


def test_a_zip_says_what_it_can_not_hold(server: Machine, client: Client, share: Path) -> None:
    server.run("share")
    with client.sign_in() as api:
        answer = api.get("plans/share/archive", params={"format": "zip", "path": str(share)})
    assert int(answer.headers["content-length"]) == len(answer.content)
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    assert not {"share/pipe", "share/disk", "share/console"} & set(archive.namelist())
    assert archive.read("share/a first name") == archive.read("share/Buchhaltung/a third name")
    told = archive.read("_coffre-names.txt").decode()
    assert "FIFOs and devices, which a zip can't hold, were left out: 3.\r\n" in told
    assert "share/pipe\r\n" in told
    assert "Files with several names are in this archive once for each name: 5.\r\n" in told
    assert "Extended attributes and ACLs, which a zip can't hold, were left out of: " in told
    secret = archive.getinfo("share/archive/secret").external_attr >> 16
    assert stat.S_IMODE(secret) == 0o600
