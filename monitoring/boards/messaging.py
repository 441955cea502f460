"""Events: out of the outbox, through the broker, into the inbox, handled."""

from __future__ import annotations

from monitoring.panels import Board, Row, lines, number, quantile, rate

BOARD = Board(
    "messaging",
    "Coffre: messaging",
    "Events go out, come in, and are handled once. What waits here is late, and not lost.",
    (
        Row(
            "Now",
            (
                number(
                    "Events that wait for a person",
                    "sum(max by (service) (coffre_inbox_parked))",
                    "short",
                    1,
                ),
                number("Events without a queue", "max(coffre_events_unrouted)", "short", 1),
                number(
                    "Services whose events go out",
                    "sum(max by (service) (coffre_relay_active))",
                    text="Five, if all is well.",
                ),
                number(
                    "Services that hear",
                    "sum(max by (service) (coffre_consumer_connected))",
                    text="Five, if all is well.",
                ),
            ),
        ),
        Row(
            "Out",
            (
                lines(
                    "Not published yet",
                    "short",
                    ("max by (service) (coffre_outbox_unpublished)", "{{service}}"),
                ),
                lines(
                    "Age of the oldest unpublished",
                    "s",
                    ("max by (service) (coffre_outbox_oldest_seconds)", "{{service}}"),
                ),
                lines(
                    "Age of the oldest that a reader has not confirmed",
                    "s",
                    (
                        "max by (service, reader) (coffre_outbox_unanswered_seconds)",
                        "{{service}} to {{reader}}",
                    ),
                ),
                lines(
                    "Messages in the broker",
                    "short",
                    ("max by (service) (coffre_queue_messages)", "{{service}}"),
                ),
            ),
        ),
        Row(
            "In",
            (
                lines(
                    "Not handled yet",
                    "short",
                    ("max by (service) (coffre_inbox_pending)", "{{service}}"),
                ),
                lines(
                    "Age of the oldest not handled",
                    "s",
                    ("max by (service) (coffre_inbox_oldest_seconds)", "{{service}}"),
                ),
                lines(
                    "Messages that came",
                    "reqps",
                    (rate("coffre_events_arrived_total", "service"), "{{service}}"),
                    (rate("coffre_events_duplicate_total", "service"), "{{service}}, once more"),
                ),
            ),
        ),
        Row(
            "Handling",
            (
                lines(
                    "Events handled",
                    "reqps",
                    (rate("coffre_events_handled_total", "type"), "{{type}}"),
                ),
                lines(
                    "Seconds an event",
                    "s",
                    (quantile(0.95, "coffre_event_seconds", "service"), "{{service}} p95"),
                ),
                lines(
                    "Tries that failed",
                    "reqps",
                    (rate("coffre_event_tries_failed_total", "service"), "{{service}}"),
                    (rate("coffre_events_parked_total", "service"), "{{service}}, parked"),
                ),
                lines(
                    "Messages that no sender has signed",
                    "reqps",
                    (f"{rate('coffre_events_refused_total', 'service')} or vector(0)", "refused"),
                ),
            ),
        ),
    ),
)
