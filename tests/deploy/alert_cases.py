"""What makes each alert fire, in the notation of `promtool test rules`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Case:
    """Series a minute apart, when the alert is still quiet, when it fires, with which labels."""

    series: dict[str, str]
    quiet_at: str
    fires_at: str
    labels: dict[str, str] = field(default_factory=dict)


SERVICE = '{service="ingest"}'
JOB = '{service="ingest", job_name="%s"}'
REQUESTS = 'coffre_http_requests_total{service="%s", route="%s", status="%s"}'
UP = 'up{job="coffre", instance="%s", service="%s"}'
OF_INGEST = {"service": "ingest"}


def turns_bad(name: str, good: str = "0", bad: str = "1") -> dict[str, str]:
    """A gauge that is good for ten minutes, then bad."""
    return {name: f"{good}x10 {bad}x2000"}


def counts(name: str, fast: str = "0+1x300") -> dict[str, str]:
    """A counter that stands still for an hour, then counts each minute."""
    return {name: f"0x60 {fast}"}


CASES: dict[str, Case] = {
    "CoffreServiceDown": Case(
        turns_bad('up{job="coffre", instance="a:8101", service="ingest"}', "1", "0"),
        "11m",
        "14m",
        {"job": "coffre", "instance": "a:8101", "service": "ingest"},
    ),
    "CoffreServiceGone": Case(
        # Of two of ingest one is down, which CoffreServiceDown says. Portal's target vanishes.
        {
            **turns_bad(UP % ("a", "ingest"), "1", "0"),
            UP % ("b", "ingest"): "1x2000",
            UP % ("a", "portal"): "1x10 stale",
            UP % ("a", "quota"): "1x2000",
            UP % ("a", "reporting"): "1x2000",
            UP % ("a", "retention"): "1x2000",
        },
        "11m",
        "14m",
        {"service": "portal"},
    ),
    "CoffreRequestsFail": Case(
        {
            REQUESTS % ("ingest", "/v1/runs", 200): "0+9x99",
            REQUESTS % ("ingest", "/v1/runs", 503): "0x20 0+1x79",
            # What checks ask is no request of anybody's.
            REQUESTS % ("quota", "/health/ready", 503): "0+9x99",
        },
        "20m",
        "35m",
        OF_INGEST,
    ),
    "CoffrePoolFull": Case(
        {
            'coffre_pool_connections{service="ingest", instance="a"}': "20x99",
            'coffre_pool_idle{service="ingest", instance="a"}': "3x10 0x89",
            'coffre_pool_limit{service="ingest", instance="a"}': "20x99",
        },
        "10m",
        "17m",
        {"service": "ingest", "instance": "a"},
    ),
    "CoffreTimeDoubtful": Case(
        turns_bad(f"coffre_time_doubtful{SERVICE}"), "15m", "22m", OF_INGEST
    ),
    "CoffreJobLate": Case(
        {
            f"coffre_job_last_success_timestamp_seconds{JOB % 'tell_ends'}": "0x99",
            # The other process leads, and does it.
            f"coffre_job_last_success_timestamp_seconds{JOB % 'write_lists'}": "0+60x99",
            f"coffre_job_last_success_timestamp_seconds{JOB % 'collect'}": "0x99",
        },
        "30m",
        "40m",
        {"service": "ingest", "job_name": "tell_ends"},
    ),
    "CoffreRareJobLate": Case(
        {f"coffre_job_last_success_timestamp_seconds{JOB % 'collect'}": "0x4000"},
        "49h",
        "51h",
        {"service": "ingest", "job_name": "collect"},
    ),
    "CoffreJobFails": Case(
        {f"coffre_job_failures_total{JOB % 'tell_ends'}": "0x20 1x99"},
        "20m",
        "22m",
        {"service": "ingest", "job_name": "tell_ends"},
    ),
    "CoffreOutboxStuck": Case(
        turns_bad(f"coffre_outbox_oldest_seconds{SERVICE}", "2", "400"), "11m", "14m", OF_INGEST
    ),
    "CoffreRelayMissing": Case(
        {
            'coffre_relay_active{service="ingest", instance="a"}': "1x10 0x99",
            'coffre_relay_active{service="ingest", instance="b"}': "0x109",
        },
        "10m",
        "17m",
        OF_INGEST,
    ),
    "CoffreConsumerCut": Case(
        turns_bad(f"coffre_consumer_connected{SERVICE}", "1", "0"), "12m", "17m", OF_INGEST
    ),
    "CoffreInboxStuck": Case(
        turns_bad(f"coffre_inbox_oldest_seconds{SERVICE}", "2", "1000"), "12m", "17m", OF_INGEST
    ),
    "CoffreEventsUnanswered": Case(
        turns_bad(
            'coffre_outbox_unanswered_seconds{service="ingest", reader="quota"}', "2", "1000"
        ),
        "12m",
        "17m",
        {"service": "ingest", "reader": "quota"},
    ),
    "CoffreEventsParked": Case(turns_bad(f"coffre_inbox_parked{SERVICE}"), "10m", "13m", OF_INGEST),
    "CoffreEventsUnrouted": Case(turns_bad(f"coffre_events_unrouted{SERVICE}"), "12m", "17m"),
    "CoffreEventsRefused": Case(
        {'coffre_events_refused_total{service="ingest", reason="unsigned"}': "0x20 1x99"},
        "20m",
        "22m",
        OF_INGEST,
    ),
    "CoffreStoreFails": Case(
        {
            'coffre_storage_failures_total{service="ingest", operation="put"}': "0x20 0+1x79",
            'coffre_storage_request_seconds_count{service="ingest", operation="put"}': "0+9x99",
        },
        "20m",
        "35m",
        OF_INGEST,
    ),
    "CoffreStoreSlow": Case(
        {
            'coffre_storage_request_seconds_bucket{service="ingest", operation="put", le="5"}': (
                "0+9x20 180x79"
            ),
            'coffre_storage_request_seconds_bucket{service="ingest", operation="put", le="30"}': (
                "0+9x99"
            ),
            'coffre_storage_request_seconds_bucket{service="ingest", operation="put", le="+Inf"}': (
                "0+9x99"
            ),
        },
        "20m",
        "55m",
        {"service": "ingest", "operation": "put"},
    ),
    "CoffrePacksDamaged": Case(turns_bad("coffre_packs_damaged"), "12m", "17m"),
    "CoffreRestorePointsUnproven": Case(turns_bad("coffre_restore_points_unproven"), "10m", "12m"),
    "CoffreWalNotArchived": Case(
        # Another process of retention was asked before it stood still, and one knows of none.
        {
            'coffre_wal_archived_timestamp_seconds{instance="a"}': "0+60x20 1200x99",
            'coffre_wal_archived_timestamp_seconds{instance="b"}': "0x119",
        },
        "50m",
        "56m",
    ),
    "CoffreBaseBackupLate": Case(
        {"coffre_base_backup_timestamp_seconds": "60x4000"},
        "50h",
        "51h",
    ),
    "CoffreScrubLate": Case(
        {
            "coffre_scrub_oldest_seconds": "9x10 2592001x200",
            "coffre_scrub_within_seconds": "2592000x210",
        },
        "40m",
        "80m",
    ),
    "CoffreRetentionFails": Case(
        counts('coffre_retention_failures_total{job_name="collect"}'),
        "90m",
        "130m",
        {"job_name": "collect"},
    ),
    "CoffreDestructionsLate": Case(turns_bad("coffre_destructions_late"), "20m", "30m"),
    "CoffreMailWaits": Case(turns_bad("coffre_mail_oldest_seconds", "9", "3700"), "12m", "17m"),
    "CoffreMailServerUnreachable": Case(counts("coffre_smtp_unreachable_total"), "60m", "75m"),
    "CoffreMailTemplateFailed": Case(
        {'coffre_mail_templates_failed_total{kind="report"}': "0x20 1x99"},
        "20m",
        "22m",
        {"kind": "report"},
    ),
    "CoffreNoGoodRuns": Case({"coffre_last_good_run_timestamp_seconds": "60x3000"}, "23h", "25h"),
    "CoffreRunsFail": Case(
        {
            'coffre_runs_ended_total{outcome="succeeded"}': "0+3x300",
            'coffre_runs_ended_total{outcome="failed"}': "0x60 0+1x240",
        },
        "70m",
        "150m",
    ),
    "CoffreRunsMissed": Case(
        {"coffre_plans_overdue": "1x10 6x99", 'coffre_plans{last_good="1d"}': "100x109"},
        "20m",
        "45m",
    ),
    "CoffrePlansWithoutGoodRun": Case(
        {
            'coffre_plans{last_good="1d"}': "80x200",
            'coffre_plans{last_good="new"}': "20x200",
            'coffre_plans{last_good="never"}': "1x10 30x190",
        },
        "30m",
        "80m",
    ),
    "CoffreExpiryHeld": Case(turns_bad("coffre_expiry_holds"), "12m", "17m"),
    "CoffreGrowthBlocked": Case(turns_bad("coffre_clients_blocked"), "12m", "17m"),
    "CoffreOverageEndsSoon": Case(
        turns_bad('coffre_overage_cases_open{days_left="1"}'), "10m", "12m"
    ),
    "CoffreAllowanceUsed": Case(
        {'coffre_allowances_refused_total{kind="packs"}': "0x20 1x99"},
        "20m",
        "22m",
        {"kind": "packs"},
    ),
}
