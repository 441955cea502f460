"""Who asks, and what they send: what all routes have in common."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from libs.shared import web
from libs.shared.errors import Unauthenticated
from services.ingest import actions, rules

_bearer = HTTPBearer(auto_error=False, description="The token that the machine got by enrolling.")


async def ingest_of(request: Request) -> actions.Ingest:  # async: no thread for so little
    """The service's pool, store and keys."""
    ingest: actions.Ingest = request.app.state.ingest
    return ingest


Ingest = Annotated[actions.Ingest, Depends(ingest_of)]


async def agent_of(
    ingest: Ingest,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> rules.Agent:
    """The agent whose token came along."""
    if credentials is None:
        raise Unauthenticated
    return await actions.authenticate(ingest, credentials.credentials)


Agent = Annotated[rules.Agent, Depends(agent_of)]


def upload_of(request: Request) -> actions.Upload:
    """A body that is received later, once it is known to be wanted."""
    return actions.Upload(web.most_bytes(request), web.pieces_of(request))
