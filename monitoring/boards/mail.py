"""The mail queue, and how the mail server takes it."""

from __future__ import annotations

from monitoring.panels import WINDOW, Board, Row, areas, lines, number, quantile, rate

BOARD = Board(
    "mail",
    "Coffre: mail and webhooks",
    "Each report goes out once, to each person; what waits is tried again for five days.",
    (
        Row(
            "Now",
            (
                number("Oldest unsent mail", "max(coffre_mail_oldest_seconds)", "s", 3600),
                number("Mails in the queue", "sum(max by (state) (coffre_mails_unfinished))"),
                number(
                    "Templates that failed today",
                    "sum(increase(coffre_mail_templates_failed_total[1d])) or vector(0)",
                    "short",
                    1,
                    "The mail went out in plain words; it is a bug to report.",
                ),
                number("Domains that asked for fewer mails", "max(coffre_mail_slowed_domains)"),
            ),
        ),
        Row(
            "Queue",
            (
                areas(
                    "Mails unfinished",
                    "short",
                    ("max by (state) (coffre_mails_unfinished)", "{{state}}"),
                ),
                lines(
                    "What the mail server said",
                    "reqps",
                    (rate("coffre_mail_outcomes_total", "outcome"), "{{outcome}}"),
                ),
                lines(
                    "Seconds a mail",
                    "s",
                    (quantile(0.5, "coffre_smtp_transaction_seconds"), "p50"),
                    (quantile(0.95, "coffre_smtp_transaction_seconds"), "p95"),
                ),
                lines(
                    "Connections that failed, mails that may have gone twice",
                    "reqps",
                    (f"sum(rate(coffre_smtp_unreachable_total[{WINDOW}]))", "no connection"),
                    (
                        f"sum(rate(coffre_mail_possible_duplicates_total[{WINDOW}]))",
                        "possible duplicates",
                    ),
                ),
                lines(
                    "Mails that came back",
                    "reqps",
                    (f"{rate('coffre_mail_bounces_total', 'outcome')} or vector(0)", "{{outcome}}"),
                ),
            ),
        ),
        Row(
            "Webhooks",
            (
                areas(
                    "Calls that wait",
                    "short",
                    ("max by (kind) (coffre_webhook_calls_unfinished) or vector(0)", "{{kind}}"),
                ),
                lines(
                    "Calls by outcome",
                    "reqps",
                    (
                        f"{rate('coffre_webhook_outcomes_total', 'outcome')} or vector(0)",
                        "{{outcome}}",
                    ),
                ),
            ),
        ),
    ),
)
