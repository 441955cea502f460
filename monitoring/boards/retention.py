"""What is forgotten, what is read again, what is destroyed."""

from __future__ import annotations

from monitoring.panels import WINDOW, Board, Row, areas, lines, number, rate, surroundings

BOARD = Board(
    "retention",
    "Coffre: retention and destruction",
    "What expires and is collected, what is read again, and what is destroyed with its client.",
    (
        Row(
            "Now",
            (
                number("Damaged packs", "max(coffre_packs_damaged)", "short", 1),
                number(
                    "Restore points in doubt", "max(coffre_restore_points_unproven)", "short", 1
                ),
                number("Plans that are held", "max(coffre_expiry_holds)", "short", 1),
                number("Destructions that are late", "max(coffre_destructions_late)", "short", 1),
            ),
        ),
        Row(
            "Reading again",
            (
                lines(
                    "Age of the oldest verification",
                    "s",
                    ("max(coffre_scrub_oldest_seconds)", "oldest"),
                    ("max(coffre_scrub_within_seconds)", "at most"),
                ),
                lines(
                    "Bytes read again",
                    "Bps",
                    (f"sum(rate(coffre_scrubbed_bytes_total[{WINDOW}]))", "read"),
                ),
            ),
        ),
        Row(
            "Forgetting",
            (
                lines("Garbage in its grace", "bytes", ("max(coffre_garbage_bytes)", "garbage")),
                lines(
                    "Versions that expired, objects that were swept",
                    "reqps",
                    (f"sum(rate(coffre_versions_expired_total[{WINDOW}]))", "versions"),
                    (f"sum(rate(coffre_strays_swept_total[{WINDOW}]))", "objects without a row"),
                    (f"sum(rate(coffre_parts_swept_total[{WINDOW}]))", "parts of failed runs"),
                ),
                lines(
                    "Packs by what collection did",
                    "reqps",
                    (rate("coffre_packs_collected_total", "done"), "{{done}}"),
                ),
                lines(
                    "Clients that a pass failed for",
                    "reqps",
                    (rate("coffre_retention_failures_total", "job_name"), "{{job_name}}"),
                    text="`tenant.failed` and `tenant.postponed` in the log name the client.",
                ),
                lines(
                    "Clients that passes went over",
                    "reqps",
                    (rate("coffre_retention_passes_total", "job_name"), "{{job_name}}"),
                ),
            ),
        ),
        Row(
            "Destruction",
            (
                areas(
                    "Destructions by state",
                    "short",
                    ("max by (state) (coffre_destructions)", "{{state}}"),
                ),
                lines(
                    "Objects to be deleted yet",
                    "short",
                    ("max(coffre_destruction_objects_left)", "left"),
                ),
                number(
                    "Done again after a restore of the database",
                    "sum(coffre_destructions_replayed_total)",
                ),
            ),
        ),
        Row(
            "Backup of our own database",
            (
                number(
                    "Since WAL was last archived",
                    "time() - max(coffre_wal_archived_timestamp_seconds > 0)",
                    "s",
                    1800,
                    "What a fire would take; empty where PostgreSQL is to archive nothing.",
                ),
                number(
                    "Since the last base backup",
                    "time() - max(coffre_base_backup_timestamp_seconds > 0)",
                    "s",
                    180_000,
                    "Empty where PostgreSQL knows of none, as where a replica is copied.",
                ),
                lines(
                    "Tries to archive WAL that failed",
                    "short",
                    ("max(coffre_wal_archive_failures)", "since PostgreSQL counts"),
                    text="Each is tried again; PostgreSQL's log says why.",
                ),
            ),
        ),
        surroundings("retention"),
    ),
)
