"""Every kind of mail: one module a kind, and one table of them all."""

from __future__ import annotations

from typing import Any

from services.reporting.mail.letters import (
    approached,
    called,
    certificate,
    cleared,
    damage,
    digest,
    document,
    held,
    hotline,
    invitation,
    links,
    maintenance,
    missed,
    morning,
    order,
    overage,
    password,
    recipients,
    recovered,
    report,
    silent,
    subscription,
    undeliverable,
    waiting,
)
from services.reporting.mail.letters.kinds import Kind, Letter

__all__ = [
    "KINDS",
    "Kind",
    "Letter",
    "approached",
    "called",
    "certificate",
    "cleared",
    "damage",
    "digest",
    "document",
    "held",
    "hotline",
    "invitation",
    "links",
    "maintenance",
    "missed",
    "morning",
    "order",
    "overage",
    "password",
    "recipients",
    "recovered",
    "report",
    "silent",
    "subscription",
    "undeliverable",
    "waiting",
]

KINDS: dict[str, Kind[Any]] = {
    kind.name: kind
    for kind in (
        report.KIND,
        hotline.KIND,
        recovered.KIND,
        cleared.KIND,
        morning.KIND,
        missed.KIND,
        silent.KIND,
        password.KIND,
        undeliverable.KIND,
        damage.KIND,
        recipients.KIND,
        invitation.KIND,
        digest.KIND,
        held.KIND,
        order.KIND,
        approached.KIND,
        overage.KIND,
        called.KIND,
        subscription.KIND,
        maintenance.KIND,
        document.KIND,
        waiting.KIND,
        certificate.KIND,
    )
}
