"""Acts with copies: what was looked at, searched, downloaded, restored."""

from __future__ import annotations

from dataclasses import dataclass

from services.portal.rules.log.acts.base import Act


@dataclass(frozen=True)
class PlansListed(Act):
    """A client's plans with their last runs."""

    code = "plans-listed"


@dataclass(frozen=True)
class RunsListed(Act):
    """A plan's runs, or restore points."""

    code = "runs-listed"
    plan: str


@dataclass(frozen=True)
class RunViewed(Act):
    """One run with its report."""

    code = "run-viewed"
    plan: str
    run: int


@dataclass(frozen=True)
class PointsCompared(Act):
    """What two restore points have otherwise in a folder, by the numbers of their runs."""

    code = "points-compared"
    plan: str
    older: int
    newer: int
    path: str


@dataclass(frozen=True)
class _AtAPlace(Act):
    """Something in a restore point: its plan, its run, and the path as it is shown."""

    plan: str
    run: int
    path: str


@dataclass(frozen=True)
class FolderListed(_AtAPlace):
    """What a folder holds; `deleted`: and what it held before."""

    code = "folder-listed"
    deleted: bool


@dataclass(frozen=True)
class HistoryListed(Act):
    """The versions of a path."""

    code = "history-listed"
    plan: str
    path: str


@dataclass(frozen=True)
class Searched(Act):
    """A search by name: for what, where ("" for everywhere), and how much a page found."""

    code = "searched"
    text: str
    plan: str
    below: str
    results: int


@dataclass(frozen=True)
class FileViewed(_AtAPlace):
    """Whether there is such a file, how large, how old: without its content."""

    code = "file-viewed"


@dataclass(frozen=True)
class FileDownloaded(_AtAPlace):
    """One file, or the bytes of it that `part` says, such as `0-99`; "" for all."""

    code = "file-downloaded"
    part: str


@dataclass(frozen=True)
class FolderDownloaded(_AtAPlace):
    """An archive of a path with all that lies below it."""

    code = "folder-downloaded"


@dataclass(frozen=True)
class SelectionDownloaded(_AtAPlace):
    """An archive of some of what a restore point holds; path: the folder that all of it is in.

    names: the first of them, parted by slashes, or paths, by two; number: how many they are."""

    code = "selection-downloaded"
    names: str
    number: int


@dataclass(frozen=True)
class FilePreviewed(_AtAPlace):
    """A file's content, or the beginning of it, shown in a page."""

    code = "file-previewed"


@dataclass(frozen=True)
class FolderViewed(_AtAPlace):
    """How large an archive of a path would be: without its content."""

    code = "folder-viewed"


@dataclass(frozen=True)
class RestoreListed(_AtAPlace):
    """The list of files and chunks that a restore begins with."""

    code = "restore-listed"


@dataclass(frozen=True)
class RestoreRead(Act):
    """Contents of a plan went to a restorer: told at its first chunks, once a sign-in and plan."""

    code = "restore-read"
    plan: str
