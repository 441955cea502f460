"""One trace from an agent's request to the mail that it leads to, over real servers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from libs.shared import tracing
from libs.shared.events import PlanDeclared, RunFinished
from libs.shared.objects import ObjectStore
from tests.reporting.conftest import Desk
from tests.shared.conftest import Side, until
from tests.world.inside import Ingest
from tests.world.tenants import Tenant, tenant_changed

MASTER_KEY = bytes(32)
BEGUN_BY_THE_AGENT = "4bf92f3577b34da6a3ce929d0e0e4736"
SECRETS = ("chef@martin.example", "caisse", "salaires", "Boulangerie", "bulletin de paie")


@pytest.fixture
def exported() -> Iterator[InMemorySpanExporter]:
    """The spans of this process, as they end."""
    exporter = InMemorySpanExporter()
    tracing.export("test", exporter, at_once=True)
    yield exporter
    tracing.end()


async def test_a_request_leads_to_a_sent_mail_in_one_trace(
    desk: Desk,
    database: Any,
    object_store: ObjectStore,
    servers: Any,
    amqp_url: str,
    exported: InMemorySpanExporter,
) -> None:
    await object_store.ensure_bucket()
    ingest = await Ingest(database.dsn("ingest"), object_store, MASTER_KEY).open()
    said_by = Side("ingest", database.dsn("ingest"), amqp_url, ingest.pool)
    heard_by = Side("reporting", desk.dsn, amqp_url, desk.pool)

    try:
        tenant = Tenant(ingest)
        await tenant.becomes("active")
        agent = await tenant.enrol()
        plan = await agent.declare("salaires", reports=True)
        await desk.handle(tenant_changed(tenant.tenant_id, 1))
        said_by.relay()
        heard_by.listen({kind: desk.handlers[kind] for kind in (PlanDeclared, RunFinished)})
        exported.clear()
        agent.client.headers["traceparent"] = f"00-{BEGUN_BY_THE_AGENT}-00f067aa0ba902b7-01"
        run = await agent.start(plan)
        pack = agent.pack(b"bulletin de paie")
        assert (await agent.upload(run, pack)).status_code == 201
        reason = {"code": "folder-missing", "subject": "/srv/salaires"}
        aborted = await agent.abort(run, reason=reason)
        assert aborted.status_code == 200, aborted.text
        async with desk.sending(servers.smtp_port):
            await until(lambda: heard_by.handled(2), what="the handling of the run's end")
            await desk.wait(lambda mails: bool(mails) and mails[0]["state"] == "sent")
        await until(lambda: _is_sent(exported), what="the span of the mail")
        spans = [_ for _ in exported.get_finished_spans() if _trace_of(_) == BEGUN_BY_THE_AGENT]
        _check_chain(spans)
        assert all(secret not in _told(span) for span in spans for secret in SECRETS)
        about_the_client = [span for span in spans if span.name.startswith(("PUT", "send mail"))]
        assert about_the_client
        for span in about_the_client:
            assert span.attributes is not None
            assert span.attributes["coffre.tenant_id"] == str(tenant.tenant_id)
    finally:
        await said_by.end()
        await heard_by.end()
        await agent.client.aclose()
        await ingest.close()


def _check_chain(spans: list[ReadableSpan]) -> None:
    """From the mail back to the agent, each span's parent is one of its kind."""
    by_id = {span.context.span_id: span for span in spans if span.context is not None}
    by_name: dict[str, list[ReadableSpan]] = defaultdict(list)
    for span in spans:
        by_name[span.name].append(span)
    [mail] = by_name["send mail"]
    names = [mail.name]
    while mail.parent is not None and mail.parent.span_id in by_id:
        mail = by_id[mail.parent.span_id]
        names.append(mail.name)
    assert names == [
        "send mail",
        f"handle {RunFinished.type}",
        "publish",
        "POST /v1/runs/{run_id}/abort",
    ]
    [put] = by_name["PUT /v1/runs/{run_id}/packs/{pack}"]
    assert put.context is not None
    stored = by_name["S3 put"]
    assert put.context.span_id in {span.parent.span_id for span in stored if span.parent}


async def _is_sent(exported: InMemorySpanExporter) -> bool:
    return any(span.name == "send mail" for span in exported.get_finished_spans())


def _trace_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def _told(span: ReadableSpan) -> str:
    return f"{span.to_json()}"
