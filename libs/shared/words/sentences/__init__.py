"""The sentences for each code of `libs.shared.reasons`, in English: a module for each kind.

Places are {subject}, {amount}, {limit}, and the foreign words: {words} where the sentence needs
them, in quotes, and {detail} where they are for a technician only. What stands in square brackets
is left out where a place in it is empty. Runs, warnings and restores have whole sentences; dumps,
files and what a restore left out have what can follow a colon, in small letters and without a full
stop. French is in `locales/fr/LC_MESSAGES/common.po`, without what {detail} stands in.
"""

from __future__ import annotations

from typing import NamedTuple


class Explanation(NamedTuple):
    """What a code means, and the next step for the technician, the client and the hotline.

    technician: who reads it sits at the machine, before the agent's log; empty where the cause
    says it all.
    """

    cause: str
    technician: str
    client: str
    hotline: str
