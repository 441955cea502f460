"""Who asks, and what they send: what all routes have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from libs.shared import logs, web
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


@asynccontextmanager
async def admit_agent(request: Request) -> AsyncIterator[None]:
    """Lets an agent in whose token is good, while its client has not too many requests at once.

    What it sends is cut when the token is withdrawn.
    """
    credentials = await _bearer(request)
    if credentials is None:
        raise Unauthenticated
    resources = await resources_of(request)
    agent = await actions.agents.authenticate(resources, credentials.credentials)
    web.note_known(request.scope, agent.tenant_id)
    logs.bind(tenant_id=agent.tenant_id, run_id=request.path_params.get("run_id", ""))
    async with (
        actions.agents.taking_in(resources, agent) as incoming,
        resources.requests.hold(agent.tenant_id),
    ):
        request.state.incoming = incoming
        await resources.pace.wait(agent.tenant_id)
        request.state.agent = agent
        yield


AgentFirst = web.behind(admit_agent)
"""The class of all routes that agents have: no body is read before the agent is known."""


async def agent_of(
    request: Request,
    _credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> rules.agents.Agent:
    """The agent that was let in; the published document is told of its token."""
    agent: rules.agents.Agent = request.state.agent
    return agent


Agent = Annotated[rules.agents.Agent, Depends(agent_of)]


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
