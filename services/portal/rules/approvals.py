"""Acts that take two operators, where the installation wants four eyes on them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, get_args
from uuid import UUID

from libs.shared import errors
from services.portal.rules.log import acts
from services.portal.rules.log.acts import Act

Kind = Literal["unblock", "reset", "end", "look"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Asked = Literal["unblock", "reset", "reset-factors", "close", "promote", "demote", "end", "look"]
"""What one asks another: a reset, too, that takes second factors away; closing an account, and
making somebody an administrator or one no more, which take two where a reset or a look does."""
LIFE = timedelta(hours=24)
"""So long a second operator has to answer; then it is asked for anew."""
NOTICE = timedelta(days=7)
"""An end that takes two operators is announced by one where it is at least so far ahead."""

LEAVES: dict[Asked, type[Act]] = {
    "unblock": acts.GrowthUnblocked,
    "reset": acts.PasswordReset,
    "reset-factors": acts.PasswordReset,
    "close": acts.UserClosed,
    "promote": acts.UserChanged,
    "demote": acts.UserChanged,
    "end": acts.SubscriptionEnded,
    "look": acts.FolderListed,
}
"""The act that is left once it is done: who may do that, may ask for it and confirm it."""


class OwnApproval(errors.Refusal):
    """Who asks doesn't confirm."""

    code = "own-approval"
    status = 403
    title = "Another operator has to confirm this"

    @property
    def detail(self) -> str:
        return "You asked for this yourself: let another operator look at it."


class ApprovalOver(errors.Refusal):
    """It was answered, or nobody answered in time."""

    code = "approval-over"
    status = 409
    title = "There is nothing left to confirm"

    @property
    def detail(self) -> str:
        return "This was answered, or nobody answered in time: ask for it anew."


def check_answer(
    asked_by: UUID, by: UUID | None, answer: str | None, expires_at: datetime, now: datetime
) -> None:
    """Raises ApprovalOver, OwnApproval: somebody else answers once, and in time."""
    if answer is not None or expires_at <= now:
        raise ApprovalOver
    if by is None or by == asked_by:
        raise OwnApproval


class EndTooNear(errors.Refusal):
    """One operator alone announces no end that the client and the others have no time to see."""

    code = "end-too-near"
    status = 409
    title = "Another operator has to confirm an end this near"

    @property
    def detail(self) -> str:
        return f"Choose a day at least {NOTICE.days} days ahead, or ask to end it now."


def check_notice(ends_at: datetime, now: datetime) -> None:
    """Raises EndTooNear for an end that would walk round the second operator."""
    if ends_at < now + NOTICE:
        raise EndTooNear
