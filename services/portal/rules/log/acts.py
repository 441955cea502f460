"""All that people do with the portal and that the access log keeps: a closed list.

An act's code names its sentence as well; its fields are what that sentence is made of, and all
that is kept beside who, when and from where. What is typed at a sign-in is never a field: it may
be a password in the wrong place.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

Fields = dict[str, str | int | bool]
Why = Literal[
    "account-unknown",
    "password-wrong",
    "password-expired",
    "password-change-required",
    "too-many-attempts",
]
"""What a sign-in lacked."""


@dataclass(frozen=True)
class Act:
    """Something that a person did; the fields are text, whole numbers or truths."""

    code: ClassVar[str]

    @property
    def fields(self) -> Fields:
        """What is kept of it, by name."""
        return asdict(self)


@dataclass(frozen=True)
class SignedIn(Act):
    """A session of a browser, or a bearer token of a program."""

    code = "signed-in"
    by: Literal["session", "token"]


@dataclass(frozen=True)
class SignInRefused(Act):
    """A sign-in or a change of password that failed, and why.

    tries: 1, but where somebody guessed too often: how many tries were turned away by then since
    one was let in. Of these just the 1st, 2nd, 4th, 8th, … is noted: whoever guesses on must not
    fill the log.
    """

    code = "sign-in-refused"
    why: Why
    tries: int = 1


@dataclass(frozen=True)
class SignedOut(Act):
    """A session or a token ended by who had it."""

    code = "signed-out"


@dataclass(frozen=True)
class PasswordChanged(Act):
    """Somebody chose a password of their own, and was signed out everywhere."""

    code = "password-changed"


@dataclass(frozen=True)
class LanguageChosen(Act):
    """Somebody chose the language of their pages and mails."""

    code = "language-chosen"
    locale: str


@dataclass(frozen=True)
class PlansListed(Act):
    """A client's plans with their last runs."""

    code = "plans-listed"


@dataclass(frozen=True)
class RunsListed(Act):
    """A plan's runs, or restore points."""

    code = "runs-listed"
    plan: str


@dataclass(frozen=True)
class RunViewed(Act):
    """One run with its report."""

    code = "run-viewed"
    plan: str
    run: int


@dataclass(frozen=True)
class _AtAPlace(Act):
    """Something in a restore point: its plan, its run, and the path as it is shown."""

    plan: str
    run: int
    path: str


@dataclass(frozen=True)
class FolderListed(_AtAPlace):
    """What a folder holds; `deleted`: and what it held before."""

    code = "folder-listed"
    deleted: bool


@dataclass(frozen=True)
class HistoryListed(Act):
    """The versions of a path."""

    code = "history-listed"
    plan: str
    path: str


@dataclass(frozen=True)
class Searched(Act):
    """A search by name: for what, where ("" for everywhere), and how much a page found."""

    code = "searched"
    text: str
    plan: str
    below: str
    results: int


@dataclass(frozen=True)
class FileViewed(_AtAPlace):
    """Whether there is such a file, how large, how old: without its content."""

    code = "file-viewed"


@dataclass(frozen=True)
class FileDownloaded(_AtAPlace):
    """One file, or the bytes of it that `part` says, such as `0-99`; "" for all."""

    code = "file-downloaded"
    part: str


@dataclass(frozen=True)
class FolderDownloaded(_AtAPlace):
    """An archive of a path with all that lies below it."""

    code = "folder-downloaded"


@dataclass(frozen=True)
class FolderViewed(_AtAPlace):
    """How large an archive of a path would be: without its content."""

    code = "folder-viewed"


@dataclass(frozen=True)
class RestoreListed(_AtAPlace):
    """The list of files and chunks that a restore begins with."""

    code = "restore-listed"


@dataclass(frozen=True)
class RestoreRead(Act):
    """Contents of a plan went to a restorer: told at its first chunks, once a sign-in and plan."""

    code = "restore-read"
    plan: str


@dataclass(frozen=True)
class TenantsListed(Act):
    """Every client at a glance, by an operator."""

    code = "tenants-listed"
    tenants: int


@dataclass(frozen=True)
class TenantViewed(Act):
    """One client's people, machines and volume, by an operator."""

    code = "tenant-viewed"


@dataclass(frozen=True)
class TenantOpened(Act):
    """A new client company."""

    code = "tenant-opened"
    name: str


@dataclass(frozen=True)
class PasswordReset(Act):
    """A new one-time password was mailed to an administrator."""

    code = "password-reset"
    email: str


@dataclass(frozen=True)
class RecipientsListed(Act):
    """Who gets a plan's reports."""

    code = "recipients-listed"
    plan: str


@dataclass(frozen=True)
class _OfRecipient(Act):
    """Something about an address and a plan's reports."""

    plan: str
    email: str


@dataclass(frozen=True)
class RecipientAdded(_OfRecipient):
    """An administrator set an address: reports go there."""

    code = "recipient-added"


@dataclass(frozen=True)
class RecipientAsked(_OfRecipient):
    """An administrator had an address asked whether it wants the reports."""

    code = "recipient-asked"


@dataclass(frozen=True)
class RecipientRemoved(_OfRecipient):
    """An administrator took an address away."""

    code = "recipient-removed"


@dataclass(frozen=True)
class InvitationOpened(Act):
    """Somebody followed the link of an invitation, or a program that looks at mails did."""

    code = "invitation-opened"


@dataclass(frozen=True)
class InvitationAnswered(Act):
    """Who was invited accepted the reports, or declined them."""

    code = "invitation-answered"
    accepted: bool


@dataclass(frozen=True)
class VolumeViewed(Act):
    """What fills a client's volume: by plan, or the folders of a plan below a path."""

    code = "volume-viewed"
    plan: str
    path: str


@dataclass(frozen=True)
class _OfReduction(Act):
    """Copies to be dropped: what of which plan, which path or moment, and the bytes it frees."""

    what: str
    plan: str
    which: str
    freed_bytes: int


@dataclass(frozen=True)
class ReductionPreviewed(_OfReduction):
    """Somebody asked what dropping would free."""

    code = "reduction-previewed"


@dataclass(frozen=True)
class ReductionOrdered(_OfReduction):
    """Copies were dropped; nothing of them is deleted for some days."""

    code = "reduction-ordered"


@dataclass(frozen=True)
class ReductionWithdrawn(Act):
    """What was dropped is taken back."""

    code = "reduction-withdrawn"
    plan: str
    reduction_id: str


@dataclass(frozen=True)
class ReductionsListed(Act):
    """What was dropped of a client's copies."""

    code = "reductions-listed"


@dataclass(frozen=True)
class EnrolmentOpened(Act):
    """A code with which one machine may join."""

    code = "enrolment-opened"
    label: str


@dataclass(frozen=True)
class AgentRevoked(Act):
    """A machine's token was withdrawn."""

    code = "agent-revoked"
    agent_id: str


@dataclass(frozen=True)
class _SubscriptionMoved(Act):
    """A subscription's next state, and why."""

    reason: str


@dataclass(frozen=True)
class SubscriptionEndAnnounced(_SubscriptionMoved):
    """A subscription will end."""

    code = "subscription-end-announced"


@dataclass(frozen=True)
class SubscriptionEnded(_SubscriptionMoved):
    """A subscription ended, by an operator or because its day had come."""

    code = "subscription-ended"


@dataclass(frozen=True)
class SubscriptionSuspended(_SubscriptionMoved):
    """Copies and recovery were stopped."""

    code = "subscription-suspended"


@dataclass(frozen=True)
class SubscriptionResumed(_SubscriptionMoved):
    """A suspension or an announced end was taken back."""

    code = "subscription-resumed"


@dataclass(frozen=True)
class SubscriptionReinstated(_SubscriptionMoved):
    """An end was taken back."""

    code = "subscription-reinstated"


@dataclass(frozen=True)
class OrdersListed(Act):
    """A client's contract and its orders."""

    code = "orders-listed"


@dataclass(frozen=True)
class OrderPreviewed(Act):
    """What an order would cost."""

    code = "order-previewed"
    what: str
    after: int


@dataclass(frozen=True)
class _Ordered(Act):
    """A change of what a client has, in bytes or seats."""

    what: str
    before: int
    after: int


@dataclass(frozen=True)
class OrderPlaced(_Ordered):
    """More or less was ordered; `reason`: where the provider did so by itself."""

    code = "order-placed"
    reason: str


@dataclass(frozen=True)
class OrderTookEffect(_Ordered):
    """The month began for which less was ordered."""

    code = "order-took-effect"


@dataclass(frozen=True)
class OrderKept(Act):
    """Less was ordered, and could not take effect: all stays as it was."""

    code = "order-kept"
    what: str
    ordered: int
    kept: int


@dataclass(frozen=True)
class OrdersAllowed(Act):
    """An operator lets a client's administrators order, or keeps them from it."""

    code = "orders-allowed"
    allowed: bool


@dataclass(frozen=True)
class PricesViewed(Act):
    """The price lists."""

    code = "prices-viewed"


@dataclass(frozen=True)
class PricesPut(Act):
    """The price lists were replaced."""

    code = "prices-put"
    version: int
    lists: int


@dataclass(frozen=True)
class MonthClosed(Act):
    """A month of all clients was closed: of how many, with how many lines."""

    code = "month-closed"
    month: str
    clients: int
    lines: int


@dataclass(frozen=True)
class BillingExported(Act):
    """What is due for a month, of one client or of all."""

    code = "billing-exported"
    month: str


@dataclass(frozen=True)
class UsersListed(Act):
    """A client's people with an account."""

    code = "users-listed"


@dataclass(frozen=True)
class _OfUser(Act):
    """Something about a person with an account."""

    email: str


@dataclass(frozen=True)
class UserOpened(_OfUser):
    """An administrator gave somebody an account; a one-time password was mailed."""

    code = "user-opened"
    role: str


@dataclass(frozen=True)
class UserChanged(_OfUser):
    """An administrator set somebody's name and role."""

    code = "user-changed"
    name: str
    role: str


@dataclass(frozen=True)
class UserClosed(_OfUser):
    """An administrator took somebody's account away."""

    code = "user-closed"


@dataclass(frozen=True)
class QuotaViewed(Act):
    """What is stored of what is contracted, with the overage case."""

    code = "quota-viewed"


@dataclass(frozen=True)
class OverageLinkOpened(Act):
    """An administrator followed the link of an overage mail, or a program that looks at mails."""

    code = "overage-link-opened"
    answer: str


@dataclass(frozen=True)
class OverageAnswered(Act):
    """An administrator answered an overage case."""

    code = "overage-answered"
    answer: str


@dataclass(frozen=True)
class DeadlineExtended(Act):
    """An operator gave an overage case a later deadline."""

    code = "deadline-extended"
    until: str
    reason: str


@dataclass(frozen=True)
class MaintenanceSet(Act):
    """Until which day the backup software is maintained; "" where nothing depends on it."""

    code = "maintenance-set"
    until: str
    reason: str


@dataclass(frozen=True)
class GrowthBlocked(Act):
    """An operator stopped a client's growth."""

    code = "growth-blocked"
    reason: str


@dataclass(frozen=True)
class GrowthUnblocked(Act):
    """An operator let a client grow again."""

    code = "growth-unblocked"
    reason: str


@dataclass(frozen=True)
class _OfDocument(Act):
    """Something about one version of a document that clients accept."""

    document: str
    version: str


@dataclass(frozen=True)
class DocumentPublished(_OfDocument):
    """A version that clients are asked to accept."""

    code = "document-published"


@dataclass(frozen=True)
class DocumentsListed(Act):
    """Every version that was published, by an operator."""

    code = "documents-listed"


@dataclass(frozen=True)
class AcceptancesListed(_OfDocument):
    """Who accepted a version, by an operator."""

    code = "acceptances-listed"


@dataclass(frozen=True)
class DocumentsViewed(Act):
    """The documents that a client is asked to accept, or accepted."""

    code = "documents-viewed"


@dataclass(frozen=True)
class DocumentAccepted(_OfDocument):
    """An administrator accepted a version for their company."""

    code = "document-accepted"


@dataclass(frozen=True)
class ParkedListed(Act):
    """Events that wait for a person in some service's inbox."""

    code = "parked-listed"
    events: int


@dataclass(frozen=True)
class ParkedViewed(Act):
    """One such event, with its error."""

    code = "parked-viewed"
    service: str
    event: str


@dataclass(frozen=True)
class ParkedDecided(Act):
    """One such event is to be handled again, or dropped."""

    code = "parked-decided"
    service: str
    event: str
    decision: Literal["replay", "drop"]
    reason: str


@dataclass(frozen=True)
class OperatorTokenInstalled(Act):
    """The installation named another bearer token of its first operator."""

    code = "operator-token-installed"


@dataclass(frozen=True)
class OperatorAdded(Act):
    """Another operator was let in, by a command of the installation."""

    code = "operator-added"
    email: str


@dataclass(frozen=True)
class DestructionsListed(Act):
    """Which clients are due to be destroyed, or were; `count` of them."""

    code = "destructions-listed"
    count: int


@dataclass(frozen=True)
class DestructionViewed(Act):
    """How a client's destruction stands."""

    code = "destruction-viewed"


@dataclass(frozen=True)
class DestructionConfirmed(_SubscriptionMoved):
    """A second operator let a destruction go on."""

    code = "destruction-confirmed"


@dataclass(frozen=True)
class DestructionHeld(_SubscriptionMoved):
    """A legal hold stops a destruction."""

    code = "destruction-held"


@dataclass(frozen=True)
class DestructionReleased(_SubscriptionMoved):
    """A legal hold ended."""

    code = "destruction-released"


@dataclass(frozen=True)
class ClientErased(Act):
    """All of a client was destroyed; lines before this one are blank but for what was done when."""

    code = "client-erased"


@dataclass(frozen=True)
class CertificateRead(Act):
    """A certificate of destruction was read, by an operator or by the link of its mail."""

    code = "certificate-read"


ACTS: tuple[type[Act], ...] = (
    SignedIn,
    SignInRefused,
    SignedOut,
    PasswordChanged,
    LanguageChosen,
    PlansListed,
    RunsListed,
    RunViewed,
    FolderListed,
    HistoryListed,
    Searched,
    FileViewed,
    FileDownloaded,
    FolderDownloaded,
    FolderViewed,
    RestoreListed,
    RestoreRead,
    TenantsListed,
    TenantViewed,
    TenantOpened,
    PasswordReset,
    RecipientsListed,
    RecipientAdded,
    RecipientAsked,
    RecipientRemoved,
    InvitationOpened,
    InvitationAnswered,
    VolumeViewed,
    ReductionPreviewed,
    ReductionOrdered,
    ReductionWithdrawn,
    ReductionsListed,
    EnrolmentOpened,
    AgentRevoked,
    SubscriptionEndAnnounced,
    SubscriptionEnded,
    SubscriptionSuspended,
    SubscriptionResumed,
    SubscriptionReinstated,
    OrdersListed,
    OrderPreviewed,
    OrderPlaced,
    OrderTookEffect,
    OrderKept,
    OrdersAllowed,
    PricesViewed,
    PricesPut,
    MonthClosed,
    BillingExported,
    UsersListed,
    UserOpened,
    UserChanged,
    UserClosed,
    QuotaViewed,
    OverageLinkOpened,
    OverageAnswered,
    DeadlineExtended,
    GrowthBlocked,
    GrowthUnblocked,
    MaintenanceSet,
    DocumentPublished,
    DocumentsListed,
    AcceptancesListed,
    DocumentsViewed,
    DocumentAccepted,
    ParkedListed,
    ParkedViewed,
    ParkedDecided,
    OperatorTokenInstalled,
    OperatorAdded,
    DestructionsListed,
    DestructionViewed,
    DestructionConfirmed,
    DestructionHeld,
    DestructionReleased,
    ClientErased,
    CertificateRead,
)
"""Every act there is; pages and exports have a sentence for each."""
