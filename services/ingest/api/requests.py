"""Who asks, and what they send: what all routes have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from libs.shared import web
from libs.shared.errors import Unauthenticated
from services.ingest import actions, rules

_bearer = HTTPBearer(auto_error=False, description="The token that the machine got by enrolling.")


async def resources_of(
    request: Request,
) -> actions.resources.Resources:  # async: no thread for so little
    """The service's pool, store and keys."""
    resources: actions.resources.Resources = request.app.state.resources
    return resources


Resources = Annotated[actions.resources.Resources, Depends(resources_of)]


async def agent_of(
    resources: Resources,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> AsyncIterator[rules.agents.Agent]:
    """The agent whose token came along, while its client has not too many requests at once."""
    if credentials is None:
        raise Unauthenticated
    agent = await actions.agents.authenticate(resources, credentials.credentials)
    async with resources.requests.hold(agent.tenant_id):
        await resources.pace.wait(agent.tenant_id)
        yield agent


Agent = Annotated[rules.agents.Agent, Depends(agent_of)]


def upload_of(request: Request) -> actions.intake.uploads.Upload:
    """A body that is received later, once it is known to be wanted."""
    return actions.intake.uploads.Upload(web.most_bytes(request), web.pieces_of(request))
