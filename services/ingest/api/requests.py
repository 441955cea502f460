"""Who asks, and what they send: what all routes have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from libs.shared import web
from libs.shared.errors import Unauthenticated
from services.ingest import actions, rules
from services.ingest.actions.underway import Incoming

_bearer = HTTPBearer(auto_error=False, description="The token that the machine got by enrolling.")


async def resources_of(
    request: Request,
) -> actions.resources.Resources:  # async: no thread for so little
    """The service's pool, store and keys."""
    resources: actions.resources.Resources = request.app.state.resources
    return resources


Resources = Annotated[actions.resources.Resources, Depends(resources_of)]


async def agent_of(
    request: Request,
    resources: Resources,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> AsyncIterator[rules.agents.Agent]:
    """The agent whose token came along, while its client has not too many requests at once.

    What it sends is cut when the token is withdrawn.
    """
    if credentials is None:
        raise Unauthenticated
    agent = await actions.agents.authenticate(resources, credentials.credentials)
    async with (
        actions.agents.taking_in(resources, agent) as incoming,
        resources.requests.hold(agent.tenant_id),
    ):
        request.state.incoming = incoming
        await resources.pace.wait(agent.tenant_id)
        yield agent


Agent = Annotated[rules.agents.Agent, Depends(agent_of, scope="function")]


async def read_body(request: Request) -> bytearray:
    """A whole body of an agent, unless that is cut; raises as `web.read_body` does."""
    incoming: Incoming = request.state.incoming
    return await incoming.wait(lambda: web.read_body(request))


def pieces_of(request: Request) -> Callable[[], Awaitable[bytes | None]]:
    """The pieces of an agent's body, then None, unless that is cut."""
    incoming: Incoming = request.state.incoming
    receive = web.pieces_of(request)
    return lambda: incoming.wait(receive)


def upload_of(request: Request) -> actions.intake.uploads.Upload:
    """A body that is received later, once it is known to be wanted."""
    return actions.intake.uploads.Upload(web.most_bytes(request), pieces_of(request))
