"""What ingest does, in verbs."""

from services.ingest.actions.agents import authenticate, declare_plan, enrol
from services.ingest.actions.commits import commit_run
from services.ingest.actions.deltas import take_batch
from services.ingest.actions.ends import tell_ends
from services.ingest.actions.files import MAX_FILE_BYTES, TakenFile, put_file
from services.ingest.actions.fingerprints import list_tenants, take_fingerprint
from services.ingest.actions.ingest import Ingest
from services.ingest.actions.listings import find_plan, list_entries, read_file
from services.ingest.actions.lists import write_due_lists
from services.ingest.actions.memory import give_memory_back
from services.ingest.actions.naming import add_due_names
from services.ingest.actions.packs import find_missing, take_pack
from services.ingest.actions.rebuilding import Rebuilt, compare, describe_rebuilt, rebuild
from services.ingest.actions.rotating import describe_rotated, rotate_master_key
from services.ingest.actions.runs import (
    abort_run,
    fail_abandoned,
    fail_run,
    fail_runs_of,
    start_run,
)
from services.ingest.actions.uploads import Upload

__all__ = [
    "MAX_FILE_BYTES",
    "Ingest",
    "Rebuilt",
    "TakenFile",
    "Upload",
    "abort_run",
    "add_due_names",
    "authenticate",
    "commit_run",
    "compare",
    "declare_plan",
    "describe_rebuilt",
    "describe_rotated",
    "enrol",
    "fail_abandoned",
    "fail_run",
    "fail_runs_of",
    "find_missing",
    "find_plan",
    "give_memory_back",
    "list_entries",
    "list_tenants",
    "put_file",
    "read_file",
    "rebuild",
    "rotate_master_key",
    "start_run",
    "take_batch",
    "take_fingerprint",
    "take_pack",
    "tell_ends",
    "write_due_lists",
]
