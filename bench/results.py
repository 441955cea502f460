"""What the measured parts come to, as tables of docs/benchmarks.md."""

from __future__ import annotations

from statistics import median
from typing import Any

from bench import ways
from bench.copy import Compared, Side, Step
from bench.uploads import Uploads, Way

GIGABYTE = 1e9
_STEPS = (
    ("first", "First copy"),
    ("again", "The same again, unchanged"),
    ("restore", "Restore"),
)


def show_copies(measured: ways.Measured, tree_bytes: int) -> list[str]:
    """A table for each step, with a row for each way; then sizes, memory, and where time went."""
    lines: list[str] = []
    for step, title in _STEPS:
        lines += [
            (
                f"{title}: seconds; processor seconds for each GB of the tree, of the client itself"
                " and of its servers; and those that 1 GiB of fresh memory cost before the rounds."
            ),
            "",
            (
                "| | Coffre | restic | Coffre is | goal | Coffre, client + servers"
                " | restic, client + servers | client's of restic's | all of restic's | memory |"
            ),
            "|---|---|---|---|---|---|---|---|---|---|",
            *(_compare(step, way, compared, tree_bytes) for way, compared in measured),
            "",
        ]
    return [*lines, *_sizes(measured), "", *_shares(measured)]


def _compare(step: str, way: ways.Way, compared: Compared, tree_bytes: int) -> str:
    mine, other = getattr(compared.ours, step), getattr(compared.theirs, step)
    mine_s, other_s = _seconds(mine), _seconds(other)
    goal = f"≥ {way.goals[step]:g} times" if step in way.goals else ""
    mine_cpu, other_cpu = _processor(mine, tree_bytes), _processor(other, tree_bytes)
    return (
        f"| {way.title} | {mine_s:.1f} s | {other_s:.1f} s | {other_s / mine_s:.2f} times as fast"
        f" | {goal} | {mine_cpu[0]:.1f} + {mine_cpu[1]:.1f} | {other_cpu[0]:.1f} +"
        f" {other_cpu[1]:.1f} | {mine_cpu[0] / other_cpu[0]:.2f}"
        f" | {sum(mine_cpu) / sum(other_cpu):.2f}"
        f" | {min(compared.memory_seconds):.2f} to {max(compared.memory_seconds):.2f} s |"
    )


def _seconds(steps: list[Step]) -> float:
    return median(each.took.seconds for each in steps)


def _processor(steps: list[Step], tree_bytes: int) -> tuple[float, float]:
    """(client's, servers') processor seconds for each GB of the tree, medians of all rounds."""
    scale = GIGABYTE / tree_bytes
    client = median(each.took.cpu_seconds for each in steps)
    servers = median(sum(each.servers.values()) for each in steps)
    return client * scale, servers * scale


def _peak(steps: list[Step]) -> str:
    return f"{max(each.took.peak_bytes for each in steps) / 1e6:.0f}"


def _sizes(measured: ways.Measured) -> list[str]:
    lines = [
        "What was stored, and what it took of memory.",
        "",
        (
            "| | stored: Coffre, restic | ratio (goal: ≤ 1.0) | client's peak, first, unchanged,"
            " restore (goal: ≤ 150 MB) | restic's | ingest's peak (goal: ≤ 400 MB)"
            " | rows of an unchanged run |"
        ),
        "|---|---|---|---|---|---|---|",
    ]
    for way, compared in measured:
        ours, theirs = compared.ours, compared.theirs
        mine_b, other_b = max(ours.stored_bytes), max(theirs.stored_bytes)
        lines.append(
            f"| {way.title} | {mine_b / 1e6:,.0f} MB, {other_b / 1e6:,.0f} MB"
            f" | {mine_b / other_b:.3f} | {_peaks(ours)} MB | {_peaks(theirs)} MB"
            f" | {max(ours.ingest_bytes) / 1e6:.0f} MB | {max(ours.rows_added)} |"
        )
    return lines


def _peaks(side: Side) -> str:
    return ", ".join(_peak(steps) for steps in (side.first, side.again, side.restore))


def _shares(measured: ways.Measured) -> list[str]:
    """Where the processor's time went, largest first: what bounds each step."""
    lines = ["Processor seconds of the last round, by process:", "", "| | | |", "|---|---|---|"]
    for way, compared in measured:
        for step in ("first", "restore"):
            for who, side in (("Coffre", compared.ours), ("restic", compared.theirs)):
                last: Step = getattr(side, step)[-1]
                used = {"the client itself": last.took.cpu_seconds, **last.servers}
                shown = sorted(used.items(), key=lambda each: -each[1])
                words = ", ".join(f"{name} {used:.1f}" for name, used in shown if used >= 0.1)
                title = f"{who}, {step} ({last.took.seconds:.1f} s)"
                lines.append(f"| {way.title} | {title} | {words} |")
    return lines


def show_uploads(uploads: Uploads) -> list[str]:
    """Packs on each way, with what ingest adds and what the store takes."""
    direct = median(uploads.direct.bytes_per_second)
    goals = {"s3": "", "file": "≥ 1.0"}
    names = {"s3": "SeaweedFS", "file": "the folder store"}
    return [
        "Packs, 4 in flight, and processor time for each MB of them.",
        "",
        (
            "| | rate | of the SDK's put to SeaweedFS | goal | added by ingest and its database"
            " | goal | SeaweedFS's own |"
        ),
        "|---|---|---|---|---|---|---|",
        *(
            f"| through ingest into {names[store]} | {_rate(way)} | "
            f"{median(way.bytes_per_second) / direct:.2f} | {goals[store]}"
            f" | {median(way.added_seconds) * 1e3:.1f} ms | ≤ 10 ms | {_own(way)} |"
            for store, way in uploads.ours.items()
        ),
        (
            f"| the SDK's put to SeaweedFS | {_rate(uploads.direct)} | 1 | | | |"
            f" {_own(uploads.direct)} |"
        ),
    ]


def _rate(way: Way) -> str:
    return f"{median(way.bytes_per_second) / 1e6:.0f} MB/s"


def _own(way: Way) -> str:
    seconds = median(way.store_seconds)
    return f"{seconds * 1e3:.1f} ms" if seconds else ""


def show_agents(measured: dict[str, Any]) -> list[str]:
    """Agents far away, with a file that changed, and many at once."""
    line, large, crowd = measured["line"], measured["large"], measured["crowd"]
    return [
        "| | measured | goal |",
        "|---|---|---|",
        (
            f"| {line['files']:,} small files, {line['bytes'] / 1e6:.0f} MB: with 30 ms of latency"
            f" per round trip {line['far_seconds']:.1f} s, near by {line['near_seconds']:.1f} s"
            f" | {line['ratio']:.2f} | ≥ 0.8 |"
        ),
        (
            f"| A file of {large['bytes'] / 1e9:.0f} GB, 1 % of it overwritten in the middle:"
            f" sent again (first copy {large['first_seconds']:.0f} s,"
            f" second {large['second_seconds']:.0f} s)"
            f" | {large['share_sent'] * 100:.2f} % | ≤ 2 % |"
        ),
        (
            f"| Client's peak memory with that file | {large['peak_bytes'] / 1e6:.0f} MB"
            " | ≤ 150 MB |"
        ),
        (
            f"| {crowd['agents']} agents at once, {crowd['sent_bytes'] / 1e6:,.0f} MB in"
            f" {crowd['seconds']:.0f} s: runs that did not succeed | {crowd['failed']} | 0 |"
        ),
        (
            f"| Ingest's peak memory with {crowd['agents']} agents"
            f" | {crowd['ingest_bytes'] / 1e6:.0f} MB | ≤ 400 MB |"
        ),
    ]


def show_services(measured: dict[str, Any]) -> list[str]:
    """Events, mails and months."""
    months, counted = measured["months"], measured["counted"]
    mails, events = measured["mails"], measured["events"]
    return [
        "| | Coffre | straight | ratio | goal |",
        "|---|---|---|---|---|",
        (
            f"| Events: outbox to inbox, or published with confirms by aio-pika "
            f"| {events['events_per_second']:,}/s | {events['raw_per_second']:,}/s "
            f"| {events['ratio']:.2f} | ≥ 0.5 |"
        ),
        (
            f"| {mails['mails']:,} mails over 100 connections: from the queue, or by aiosmtplib"
            f" | {max(mails['ours_per_second']):,}/s | {max(mails['raw_per_second']):,}/s"
            f" | {mails['ratio']:.2f} | ≥ 0.7 |"
        ),
        "",
        "| | measured | goal |",
        "|---|---|---|",
        (
            f"| A month of {months['tenants']:,} clients closed, with {months['months']} months"
            f" of ledger that are compared with their orders once more"
            f" | {months['next_seconds']:.1f} s | < 10 s |"
        ),
        (
            f"| {counted['events']:,} events of volume handled by quota"
            f" | {counted['events_per_second']:,}/s | ≥ 1,000/s |"
        ),
        (
            f"| Tenants of {counted['tenants']:,} whose figures are wrong afterwards"
            f" | {counted['tenants_wrong']} | 0 |"
        ),
        (
            f"| From the end of a run until the mail server has its report, p99"
            f" | {mails['p99_seconds']:.2f} s | < 1 s |"
        ),
        (
            f"| {mails['many']:,} runs that end within {mails['many_in_seconds']:.0f} s: until the"
            f" last report is taken, after the last end | {mails['many_last_seconds']:.1f} s"
            f" | < 30 s |"
        ),
    ]


def show_catalogue(asked: dict[str, Any]) -> list[str]:
    """How long the portal's questions take in a large catalogue."""
    lines = [
        (
            f"A catalogue of {asked['versions']:,} versions of {asked['paths']:,} paths, in a"
            f" PostgreSQL of its own; {asked['bytes_per_version']:.0f} bytes a version,"
            f" {asked['name_bytes_per_version']:.0f} more to find it by its name:"
        ),
        "",
        "| question | median | p99 | goal for p99 |",
        "|---|---|---|---|",
    ]
    for kind, (median_ms, slowest_ms) in asked["times_ms"].items():
        # Where the chunks of a file of 4 GB lie is asked for a recovery: the design sets no goal.
        goal = "" if kind.endswith(" chunks") else "< 100 ms"
        lines.append(f"| {kind} | {median_ms:.1f} ms | {slowest_ms:.1f} ms | {goal} |")
    return lines
