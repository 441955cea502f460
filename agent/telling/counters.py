"""What a run saw and did, in numbers, and what it had to leave out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from libs.shared.reasons import Reason
from libs.shared.words.explanations import say_missed


@dataclass
class Counters:
    """What a run saw and did.

    files_in_hand, bytes_in_hand: read of the present folder, not yet in the totals.
    """

    files_total: int = 0
    files_new: int = 0
    files_changed: int = 0
    files_removed: int = 0
    files_not_copied: int = 0
    folders_total: int = 0
    specials_skipped: int = 0
    bytes_protected: int = 0
    bytes_read: int = 0
    bytes_sent: int = 0
    files_in_hand: int = 0
    bytes_in_hand: int = 0


class Missed(NamedTuple):
    """Why a file was not copied as it should, or a folder with all below it."""

    reason: Reason
    is_folder: bool = False

    @property
    def sentence(self) -> str:
        """What can follow the path, for the technician."""
        return say_missed(self.reason, is_folder=self.is_folder)
