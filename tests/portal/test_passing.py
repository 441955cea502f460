"""What an archive keeps until its end, on a disk that takes no more."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from libs.shared.passing_files import NoRoom
from services.portal.actions.files.passing import SPOOL_BYTES, Passing
from tests.agent.test_restores_gone_wrong import disk


def test_what_finds_no_room_says_so_and_finds_it_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with disk(tmp_path / "small", str(4 * SPOOL_BYTES)):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "small"))
        ballast = tmp_path / "small" / "ballast"
        ballast.write_bytes(bytes(3 * SPOOL_BYTES))
        pieces = [os.urandom(SPOOL_BYTES // 2) for _ in range(5)]
        passing = Passing()
        passing.write(pieces[0])
        passing.write(pieces[1])
        with pytest.raises(NoRoom, match="disk for passing files is full"):
            passing.write(b"".join(pieces))
        passing.close()
        ballast.unlink()
        passing = Passing()
        for piece in pieces:
            passing.write(piece)
        assert passing.size() == 5 * SPOOL_BYTES // 2
        assert b"".join(passing.read()) == b"".join(pieces)
        passing.close()
