"""What is stored and where: the queries that two services or more share.

Paths are bytes relative to the plan's root, components joined by `/`, `b""` for the root.
A run N sees a version when first_run <= N and last_run is null or >= N.
"""

from libs.shared.catalogue.digests import (
    Folders,
    digest_at,
    prove_entries,
    read_folders,
)
from libs.shared.catalogue.history import (
    NEWEST,
    FolderEntry,
    Version,
    list_versions,
)
from libs.shared.catalogue.listing import (
    SORTED_MAX,
    FolderOrder,
    FolderPage,
    Sort,
    find_opening,
    list_page,
    pass_through,
)
from libs.shared.catalogue.packs import add_pack, is_being_removed
from libs.shared.catalogue.points import Around, find_around, list_between
from libs.shared.catalogue.reading import (
    find_entries,
    find_entry,
    find_folder,
    find_oldest_kept,
    find_plan,
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
    VERSIONS_AT_ONCE,
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
    "SORTED_MAX",
    "VERSIONS_AT_ONCE",
    "Around",
    "CataloguePlan",
    "ChunkPlace",
    "Columns",
    "Cursor",
    "EntryRow",
    "FolderEntry",
    "FolderOrder",
    "FolderPage",
    "Folders",
    "Found",
    "Kind",
    "PathProof",
    "PointExpired",
    "RestorePoint",
    "Search",
    "Sort",
    "Tree",
    "Version",
    "add_pack",
    "digest_at",
    "find_around",
    "find_entries",
    "find_entry",
    "find_folder",
    "find_oldest_kept",
    "find_opening",
    "find_paths",
    "find_plan",
    "is_being_removed",
    "join_path",
    "list_between",
    "list_page",
    "list_runs",
    "list_versions",
    "locate_chunks",
    "pass_through",
    "prove_entries",
    "read_folders",
    "resolve_run",
    "resolve_run_at",
    "search",
    "split_path",
    "walk",
]
