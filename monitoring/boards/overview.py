"""Is the promise kept: copies that come, can be read, and are told of."""

from __future__ import annotations

from monitoring.panels import Board, Row, areas, lines, number, rate

_SUCCESS = "coffre_job_last_success_timestamp_seconds"
_PLANS = "max by (last_good) (coffre_plans)"

BOARD = Board(
    "overview",
    "Coffre: is the promise kept",
    "Copies come, what is stored can be read again, and everybody is told what became of it.",
    (
        Row(
            "Now",
            (
                number(
                    "Plans without a good run for two days",
                    'sum(max by (last_good) (coffre_plans{last_good!~"1d|2d|new"})) / '
                    "sum(max by (last_good) (coffre_plans))",
                    "percentunit",
                    0.05,
                    "Of plans of clients with a subscription that aren't paused.",
                ),
                number("Runs that are missed", "max(coffre_plans_overdue)", "short", 1),
                number(
                    "Since the newest good run",
                    "time() - max(coffre_last_good_run_timestamp_seconds)",
                    "s",
                    86_400,
                ),
                number(
                    "Restore points in doubt",
                    "max(coffre_restore_points_unproven)",
                    "short",
                    1,
                    "Altered or missing: somebody writes to the database.",
                ),
                number("Damaged packs", "max(coffre_packs_damaged)", "short", 1),
                number(
                    "Oldest unsent mail",
                    "max(coffre_mail_oldest_seconds)",
                    "s",
                    3600,
                ),
                number(
                    "Events that wait for a person",
                    "sum(max by (service) (coffre_inbox_parked))",
                    "short",
                    1,
                ),
                number(
                    "Processes that answer",
                    'sum(up{job="coffre"}) / count(up{job="coffre"})',
                    "percentunit",
                    text="Of those that Prometheus asks.",
                ),
            ),
        ),
        Row(
            "Copies",
            (
                areas(
                    "Plans by the age of their last good run",
                    "short",
                    (_PLANS, "{{last_good}}"),
                ),
                areas(
                    "Runs that ended in the last hour",
                    "short",
                    ("sum by (outcome) (increase(coffre_runs_ended_total[1h]))", "{{outcome}}"),
                ),
                areas(
                    "What the hotline has open",
                    "short",
                    ("max by (cause) (coffre_incidents_open)", "{{cause}}"),
                ),
            ),
        ),
        Row(
            "What waits",
            (
                lines(
                    "Oldest of what waits",
                    "s",
                    ("max(coffre_outbox_oldest_seconds)", "event, unpublished"),
                    ("max(coffre_inbox_oldest_seconds)", "event, not handled"),
                    ("max(coffre_mail_oldest_seconds)", "mail, unsent"),
                ),
                lines(
                    "Share of requests that we failed",
                    "percentunit",
                    (
                        "("
                        + rate('coffre_http_requests_total{status=~"5.."}', "service")
                        + f" or 0 * {rate('coffre_http_requests_total', 'service')}) / "
                        + rate("coffre_http_requests_total", "service"),
                        "{{service}}",
                    ),
                ),
                lines(
                    "Since the last success of each job",
                    "s",
                    (
                        f"time() - max by (service, job_name) ({_SUCCESS})",
                        "{{service}} {{job_name}}",
                    ),
                    text="Compare with how often each is done: see operations, Work by the clock.",
                ),
                lines(
                    "Clocks in doubt",
                    "short",
                    ("max by (service) (coffre_time_doubtful)", "{{service}}"),
                    text="1: nothing is decided by the date that can't be undone.",
                ),
            ),
        ),
    ),
)
