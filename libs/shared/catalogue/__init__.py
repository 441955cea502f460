"""What is stored and where: the queries that two services or more share.

Paths are bytes relative to the plan's root, components joined by `/`, `b""` for the root.
A run N sees a version when first_run <= N and last_run is null or >= N.
"""

from libs.shared.catalogue.digests import Folders, digest_at, prove_path, read_folders
from libs.shared.catalogue.history import (
    NEWEST,
    FolderEntry,
    Version,
    list_folder_with_deleted,
    list_versions,
)
from libs.shared.catalogue.packs import add_pack, is_being_removed
from libs.shared.catalogue.reading import (
    find_entry,
    find_folder,
    find_oldest_kept,
    find_plan,
    list_folder,
    list_runs,
    locate_chunks,
    resolve_run,
    resolve_run_at,
)
from libs.shared.catalogue.rows import (
    ATTRIBUTES,
    PROVEN_COLUMNS,
    ROOT,
    CataloguePlan,
    ChunkPlace,
    EntryRow,
    Kind,
    RestorePoint,
    join_path,
    split_path,
)
from libs.shared.catalogue.search import Cursor, Found, Search, find_paths, search
from libs.shared.catalogue.walking import (
    ENTRIES,
    LISTED,
    ROWS,
    Columns,
    PathProof,
    PointExpired,
    Tree,
    walk,
)

__all__ = [
    "ATTRIBUTES",
    "ENTRIES",
    "LISTED",
    "NEWEST",
    "PROVEN_COLUMNS",
    "ROOT",
    "ROWS",
    "CataloguePlan",
    "ChunkPlace",
    "Columns",
    "Cursor",
    "EntryRow",
    "FolderEntry",
    "Folders",
    "Found",
    "Kind",
    "PathProof",
    "PointExpired",
    "RestorePoint",
    "Search",
    "Tree",
    "Version",
    "add_pack",
    "digest_at",
    "find_entry",
    "find_folder",
    "find_oldest_kept",
    "find_paths",
    "find_plan",
    "is_being_removed",
    "join_path",
    "list_folder",
    "list_folder_with_deleted",
    "list_runs",
    "list_versions",
    "locate_chunks",
    "prove_path",
    "read_folders",
    "resolve_run",
    "resolve_run_at",
    "search",
    "split_path",
    "walk",
]
