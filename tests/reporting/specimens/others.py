"""The mails of the contract, and of people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from libs.shared.events import (
    DestructionCompleted,
    DocumentPublished,
    MaintenanceNearing,
    NoticePublished,
    NoticeWithdrawn,
    Offer,
    OrderConfirmed,
    OverageBlocked,
    OverageClosed,
    PasswordForgotten,
    PasswordIssued,
    RecipientInvited,
    RecipientsChanged,
    SubscriptionMoved,
    VolumeApproached,
)
from services.reporting.mail import letters
from services.reporting.mail.letters import Kind
from services.reporting.mail.letters.approached import ApproachedFacts
from services.reporting.mail.letters.certificate import CertificateFacts
from services.reporting.mail.letters.digest import DigestFacts
from services.reporting.mail.letters.document import DocumentFacts
from services.reporting.mail.letters.forgotten import ForgottenFacts
from services.reporting.mail.letters.invitation import InvitationFacts
from services.reporting.mail.letters.maintenance import MaintenanceFacts
from services.reporting.mail.letters.notice import NoticeFacts
from services.reporting.mail.letters.order import OrderFacts
from services.reporting.mail.letters.overage import OverageFacts
from services.reporting.mail.letters.password import PasswordFacts
from services.reporting.mail.letters.recipients import RecipientsFacts
from services.reporting.mail.letters.subscription import SubscriptionFacts
from services.reporting.rules.mails import Withheld
from services.reporting.rules.offers import Offers
from tests.reporting.conftest import MAIL_KEY
from tests.reporting.specimens.facts import (
    NIGHT,
    PORTAL,
    ZONE,
    a_case,
    a_certificate,
    a_tenant,
    read,
)


def list_all() -> Mapping[str, tuple[Kind[Any], Any]]:
    """The mails of the contract, and of people."""
    subscription, overage = letters.subscription.KIND, letters.overage.KIND
    offers = Offers("EUR", (
        Offer(storage_bytes=150 * 10**9, monthly=Decimal("45.00")),
        Offer(storage_bytes=200 * 10**9, monthly=Decimal("58.00")),
    ))  # fmt: skip
    withheld = [
        Withheld("[REUSSIE] Boulangerie Martin · documents", 212, NIGHT - timedelta(days=1), NIGHT,
                 "fr"),
        Withheld("[ECHEC] Boulangerie Martin · caisse", 7, NIGHT - timedelta(hours=5), NIGHT, "fr"),
    ]  # fmt: skip
    return {
        "password": (
            letters.password.KIND,
            PasswordFacts(read(PasswordIssued), "Zk3-9xQm-77Lp", ZONE, PORTAL),
        ),
        "forgotten": (
            letters.forgotten.KIND,
            ForgottenFacts(read(PasswordForgotten), a_tenant(), PORTAL, ()),
        ),
        "recipients": (
            letters.recipients.KIND,
            RecipientsFacts(read(RecipientsChanged), a_tenant(), PORTAL, NIGHT),
        ),
        "invitation": (
            letters.invitation.KIND,
            InvitationFacts(read(RecipientInvited), a_tenant(), PORTAL, "token"),
        ),
        "notice": (
            letters.notice.KIND,
            NoticeFacts(read(NoticePublished), a_tenant(), PORTAL),
        ),
        "notice-location": (
            letters.notice.KIND,
            NoticeFacts(
                read(NoticePublished, kind="location", ends_at=None), a_tenant(), PORTAL
            ),
        ),
        "notice-withdrawn": (
            letters.notice.KIND,
            NoticeFacts(read(NoticeWithdrawn), a_tenant(), PORTAL),
        ),
        "digest": (
            letters.digest.KIND,
            DigestFacts(UUID(int=9), "Boulangerie Martin", ZONE, "a@m.example", withheld, PORTAL),
        ),
        "order": (letters.order.KIND, OrderFacts(read(OrderConfirmed), a_tenant(), PORTAL)),
        "order-kept": (
            letters.order.KIND,
            OrderFacts(read(OrderConfirmed, is_kept=True), a_tenant(), PORTAL),
        ),
        "approached": (
            letters.approached.KIND,
            ApproachedFacts(read(VolumeApproached), a_tenant(), PORTAL),
        ),
        "overage": (overage, OverageFacts(a_case(), a_tenant(), PORTAL, MAIL_KEY, offers)),
        "overage-blocked": (
            overage,
            OverageFacts(
                a_case(OverageBlocked, ceiling_bytes=104 * 10**9), a_tenant(), PORTAL, MAIL_KEY
            ),
        ),
        "overage-closed": (
            overage,
            OverageFacts(
                a_case(OverageClosed, stored_bytes=99 * 10**9), a_tenant(), PORTAL, MAIL_KEY
            ),
        ),
        "subscription": (
            subscription,
            SubscriptionFacts(read(SubscriptionMoved), a_tenant(), PORTAL),
        ),
        "maintenance": (
            letters.maintenance.KIND,
            MaintenanceFacts(read(MaintenanceNearing), a_tenant(), PORTAL),
        ),
        "document": (
            letters.document.KIND,
            DocumentFacts(read(DocumentPublished), a_tenant(), PORTAL),
        ),
        "certificate": (
            letters.certificate.KIND,
            CertificateFacts(
                read(DestructionCompleted, certificate=a_certificate()),
                a_tenant(), PORTAL, MAIL_KEY,
            ),
        ),
    }  # fmt: skip
