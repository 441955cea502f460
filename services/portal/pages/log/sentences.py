"""What each act of the log is in words, and what its fields are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from string import Formatter

from libs.shared.words.foreign import plain
from libs.shared.words.tongue import N_, Tongue
from services.portal.rules.log.acts import Fields

KINDS: Mapping[str, str] = {
    "accounts": N_("Sign-ins and accounts"),
    "files": N_("Backups and files"),
    "clients": N_("Contract, machines and documents"),
    "orders": N_("Orders and prices"),
    "recipients": N_("Who gets the reports"),
    "volume": N_("Volume"),
    "incidents": N_("Incidents and help"),
    "notices": N_("Announcements"),
    "destruction": N_("End and destruction"),
    "parked": N_("Technical"),
    "operators": N_("The provider’s desk"),
}
"""What acts are about, by their room."""

SENTENCES: Mapping[str, str] = {
    "signed-in": N_("Signed in ({by})"),
    "sign-in-refused": N_("Sign-in refused: {why} (tries: {tries})"),
    "signed-out": N_("Signed out"),
    "session-ended": N_("Ended one of their sign-ins"),
    "signed-out-everywhere": N_("Signed out everywhere ({sessions})"),
    "token-made": N_("Made the token “{label}” for a program, {scope}, until {until}"),
    "token-revoked": N_("Revoked the token “{label}”"),
    "second-factor-added": N_("Set up a second factor: {factor} {label}"),
    "second-factor-removed": N_("Took a second factor away: {factor} {label}"),
    "second-factors-forgotten": N_("Took the second factors of {email} away"),
    "recovery-codes-made": N_("Made new recovery codes"),
    "recovery-code-used": N_("Signed in by a recovery code; {left} are left"),
    "password-changed": N_("Chose another password"),
    "password-forgotten": N_("Said at the sign-in that the password was forgotten"),
    "password-reset": N_("Had a new password sent to {email}"),
    "language-chosen": N_("Chose the language {locale}"),
    "users-listed": N_("Looked at who has an account"),
    "user-opened": N_("Opened the account of {email} ({role})"),
    "user-changed": N_("Changed the account of {email}: {name}, {role}"),
    "user-signed-out": N_("Signed {email} out everywhere"),
    "user-closed": N_("Closed the account of {email}"),
    "log-viewed": N_("Looked at this log"),
    "log-exported": N_("Exported {lines} lines of this log"),
    "operator-token-installed": N_("The provider’s installation got another token"),
    "operator-added": N_("Let the operator {email} in ({duty})"),
    "plans-listed": N_("Looked at the backups"),
    "runs-listed": N_("Looked at the backups of {plan}"),
    "run-viewed": N_("Looked at backup no. {run} of {plan}"),
    "points-compared": N_("Compared backups no. {older} and {newer} of {plan} in {path}"),
    "folder-listed": N_("Opened the folder {path} of {plan} (backup no. {run})"),
    "history-listed": N_("Looked at the versions of {path} of {plan}"),
    "searched": N_("Searched for “{text}” in {plan}{below}: {results} found"),
    "file-viewed": N_("Looked at what the file {path} of {plan} is (backup no. {run})"),
    "file-downloaded": N_("Downloaded the file {path} of {plan} (backup no. {run}) {part}"),
    "selection-downloaded": N_("Downloaded from {path} of {plan} (backup no. {run}): {names}"),
    "file-previewed": N_("Looked into {path} of {plan} (backup no. {run})"),
    "folder-downloaded": N_("Downloaded the folder {path} of {plan} (backup no. {run})"),
    "folder-viewed": N_("Looked at how large {path} of {plan} is (backup no. {run})"),
    "restore-listed": N_("Began to restore {path} of {plan} (backup no. {run})"),
    "restore-read": N_("Restored contents of {plan}"),
    "tenants-listed": N_("Looked at all clients ({tenants})"),
    "tenant-viewed": N_("Looked at this client"),
    "tenant-opened": N_("Opened the client {name}"),
    "enrolment-opened": N_("Made a code for a new machine: {label}"),
    "enrolment-withdrawn": N_("Took back the code for a new machine: {label}"),
    "machines-listed": N_("Looked at the machines"),
    "agent-revoked": N_("Revoked a machine ({agent_id})"),
    "subscription-end-announced": N_("Announced the end of the subscription: {reason}"),
    "subscription-ended": N_("Ended the subscription: {reason}"),
    "subscription-suspended": N_("Suspended the subscription: {reason}"),
    "subscription-resumed": N_("Resumed the subscription: {reason}"),
    "subscription-reinstated": N_("Took the end of the subscription back: {reason}"),
    "maintenance-set": N_("Set the maintenance of the software until {until}: {reason}"),
    "document-published": N_("Published the document {document}, version {version}"),
    "documents-listed": N_("Looked at all documents"),
    "acceptances-listed": N_("Looked at who accepted {document}, version {version}"),
    "documents-viewed": N_("Looked at the documents"),
    "document-accepted": N_("Accepted the document {document}, version {version}"),
    "orders-listed": N_("Looked at contract and orders"),
    "order-previewed": N_("Looked at what an order would cost: {what}, {after}"),
    "order-placed": N_("Ordered {what}: {after} instead of {before} {reason}"),
    "order-took-effect": N_("An order took effect: {what}, {after} instead of {before}"),
    "order-kept": N_("An order could not take effect: {what}, {kept} instead of {ordered}"),
    "orders-allowed": N_("Let administrators order, or not: {allowed}"),
    "prices-viewed": N_("Looked at the prices"),
    "prices-put": N_("Published prices, version {version} ({lists})"),
    "month-closed": N_("Closed the month {month}: {clients} clients, {lines} lines"),
    "billing-viewed": N_("Looked at what is due for {month}"),
    "billing-exported": N_("Exported what is due for {month}"),
    "recipients-listed": N_("Looked at who gets the reports of {plan}"),
    "recipient-added": N_("{email} gets the reports of {plan}"),
    "recipient-asked": N_("Had {email} asked about the reports of {plan}"),
    "recipient-removed": N_("{email} gets the reports of {plan} no more"),
    "invitation-opened": N_("Followed the link of an invitation"),
    "invitation-answered": N_("Answered an invitation: {accepted}"),
    "readers-listed": N_("Looked at which reports each reader gets"),
    "reader-changed": N_("Chose the reports of {email}: {choice} {locale}"),
    "reports-declined": N_("Declined all reports"),
    "reports-wanted": N_("Wants reports again"),
    "choice-opened": N_("Followed a mail’s link to the choice of reports"),
    "volume-viewed": N_("Looked at what fills the volume: {plan} {path}"),
    "reduction-previewed": N_("Looked at what dropping would free: {what} {plan} {which}"),
    "reduction-ordered": N_("Dropped backups: {what} {plan} {which}, {freed_bytes}"),
    "reduction-withdrawn": N_("Took back what was dropped of {plan}"),
    "reductions-listed": N_("Looked at what was dropped"),
    "quota-viewed": N_("Looked at the volume in use"),
    "overage-link-opened": N_("Followed a link of a mail about the volume: {answer}"),
    "overage-answered": N_("Answered about the volume: {answer}"),
    "deadline-extended": N_("Extended the deadline until {until}: {reason}"),
    "growth-blocked": N_("Blocked growth: {reason}"),
    "growth-unblocked": N_("Unblocked growth: {reason}"),
    "incidents-listed": N_("Looked at incidents ({which}, {incidents})"),
    "incident-viewed": N_("Looked at an incident"),
    "incident-decided": N_("Decided about an incident: {decision} {note}"),
    "help-asked": N_("Asked for help with backup no. {number}"),
    "pause-viewed": N_("Looked at the pause of {plan}"),
    "plan-paused": N_("Paused {plan} until {until}: {reason}"),
    "notices-listed": N_("Looked at all announcements"),
    "notice-viewed": N_("Looked at the announcement “{notice}”"),
    "notice-drafted": N_("Wrote the announcement “{notice}”"),
    "notice-published": N_("Published the announcement “{notice}”"),
    "notice-withdrawn": N_("Withdrew the announcement “{notice}”"),
    "notice-sent-again": N_("Sent the announcement “{notice}” again"),
    "notice-carried-out": N_("Carried out what was announced: “{notice}”"),
    "destructions-listed": N_("Looked at destructions ({count})"),
    "destruction-viewed": N_("Looked at the destruction"),
    "destruction-confirmed": N_("Confirmed the destruction: {reason}"),
    "destruction-held": N_("Held the destruction: {reason}"),
    "destruction-released": N_("Released the destruction: {reason}"),
    "client-erased": N_("All data was destroyed"),
    "certificate-read": N_("Read the certificate of destruction"),
    "parked-listed": N_("Looked at events that wait ({events})"),
    "parked-viewed": N_("Looked at an event that waits, of {service}"),
    "parked-decided": N_("Decided about an event of {service}: {decision} {reason}"),
    "queue-listed": N_("Looked at what is to be looked after ({incidents})"),
    "days-listed": N_("Looked at clients day by day ({tenants})"),
    "overages-listed": N_("Looked at all overage cases ({cases})"),
    "contract-viewed": N_("Looked at the contract and its history"),
    "terms-changed": N_("Set: {name}, {locale}, {timezone}, versions kept {retention_days} days"),
    "note-written": N_("Wrote a note for colleagues"),
    "note-removed": N_("Removed a note for colleagues"),
    "holds-cleared": N_("Said that what is unusual of {plan} was meant: {reason}"),
    "operators-listed": N_("Looked at the provider’s operators"),
    "operator-changed": N_("Changed the operator {email}: {name}, {duty}"),
    "operator-reset": N_("Made a new password for the operator {email}"),
    "operator-closed": N_("Closed the account of the operator {email}"),
    "approvals-listed": N_("Looked at what waits for a second operator"),
    "approval-asked": N_("Asked another operator to confirm: {kind} ({reason})"),
    "approval-confirmed": N_("Confirmed what {asker} asked for: {kind} ({reason})"),
    "approval-declined": N_("Declined what {asker} asked for: {kind} ({reason})"),
    "look-opened": N_("Opened the files to look into them, for 24 hours: {reason}"),
}
"""An act's sentence, by its code; its places are the act's fields."""

_WORDS: Mapping[str, str] = {
    "session": N_("browser"),
    "token": N_("program"),
    "account-unknown": N_("no such account"),
    "password-wrong": N_("wrong password"),
    "password-expired": N_("one-time password expired"),
    "password-change-required": N_("one-time password, another was to be chosen"),
    "too-many-attempts": N_("too many tries"),
    "second-factor-wrong": N_("second factor refused"),
    "second-factor-missing": N_("second factor not set up"),
    "administrator": N_("administrator"),
    "user": N_("user"),
    "fr": N_("French"),
    "en": N_("English"),
    "read": N_("reading only"),
    "all": N_("reading and changing"),
    "totp": N_("app that shows codes"),
    "passkey": N_("passkey"),
    "storage": N_("storage"),
    "sales": N_("sales and billing"),
    "hotline": N_("hotline"),
    "unblock": N_("growth goes on"),
    "reset": N_("a new password"),
    "reset-factors": N_("a new password, without the second factors"),
    "close": N_("an account is closed"),
    "promote": N_("somebody becomes administrator"),
    "demote": N_("somebody is administrator no more"),
    "end": N_("the subscription ends"),
    "look": N_("a look into the files, for 24 hours"),
    "seats": N_("seats"),
    "every": N_("every report"),
    "failures": N_("failures only"),
    "weekly": N_("once a week"),
    "more": N_("order more"),
    "reduce": N_("will reduce"),
    "call": N_("call me"),
}
"""Codes that stand in fields; a name or a path is never one of these fields."""
_CODED = frozenset(
    {
        "by",
        "why",
        "role",
        "locale",
        "scope",
        "factor",
        "what",
        "choice",
        "answer",
        "decision",
        "duty",
        "kind",
    }
)
_DAYS = frozenset({"until"})
_SIZES = frozenset({"before", "after", "kept", "ordered"})


def tell(tongue: Tongue, act: str, fields: Fields) -> str:
    """What somebody did, in a sentence; a field that a line doesn't have is left out."""
    phrase = SENTENCES.get(act)
    if phrase is None:
        return act
    places = {name: "" for _, name, _, _ in Formatter().parse(phrase) if name}
    told = {name: _tell(tongue, name, fields) for name in places if name in fields}
    return " ".join(tongue.say(phrase, **places | told).split())


def _tell(tongue: Tongue, name: str, fields: Fields) -> str:
    value = fields[name]
    if isinstance(value, bool):
        return tongue.say("yes") if value else tongue.say("no")
    if isinstance(value, int):
        is_size = name == "freed_bytes" or (name in _SIZES and fields.get("what") == "storage")
        return tongue.size(value) if is_size else tongue.number(value)
    if name in _DAYS:
        return _day(tongue, value)
    if name in _CODED and value in _WORDS:
        return tongue.say(_WORDS[value])
    if name == "plan" and value in {"", "*"}:
        return tongue.say("all plans")
    return plain(value or "/") if name == "path" else plain(value)


def _day(tongue: Tongue, text: str) -> str:
    """A day as its reader writes it; what is no day stays as it is."""
    try:
        return tongue.calendar_day(date.fromisoformat(text[:10]))
    except ValueError:
        return plain(text)
