"""Every kind of mail: one module a kind, and one table of them all."""

from __future__ import annotations

from typing import Any

from services.reporting.mail.letters import (
    approached,
    certificate,
    closed,
    delayed,
    digest,
    document,
    forgotten,
    hotline,
    incident,
    invitation,
    links,
    maintenance,
    missed,
    morning,
    notice,
    order,
    overage,
    password,
    recipients,
    recovered,
    report,
    review,
    silent,
    subscription,
)
from services.reporting.mail.letters.kinds import Kind, Letter

__all__ = [
    "KINDS",
    "Kind",
    "Letter",
    "approached",
    "certificate",
    "closed",
    "delayed",
    "digest",
    "document",
    "forgotten",
    "hotline",
    "incident",
    "invitation",
    "links",
    "maintenance",
    "missed",
    "morning",
    "notice",
    "order",
    "overage",
    "password",
    "recipients",
    "recovered",
    "report",
    "review",
    "silent",
    "subscription",
]

KINDS: dict[str, Kind[Any]] = {
    kind.name: kind
    for kind in (
        report.KIND,
        hotline.KIND,
        incident.KIND,
        recovered.KIND,
        closed.KIND,
        morning.KIND,
        review.KIND,
        missed.KIND,
        silent.KIND,
        password.KIND,
        forgotten.KIND,
        delayed.KIND,
        recipients.KIND,
        invitation.KIND,
        digest.KIND,
        order.KIND,
        approached.KIND,
        overage.KIND,
        subscription.KIND,
        maintenance.KIND,
        document.KIND,
        notice.KIND,
        certificate.KIND,
    )
}
