import asyncio, json
from pathlib import Path
import pytest
from tests.portal.test_zz_look import world
from tests.portal import builder
pytestmark = pytest.mark.asyncio(loop_scope="session")
@pytest.mark.timeout(6000)
async def test_serve(stage):
    client = await world(stage)
    empty = await builder.open_client(stage, "zoe@vide.example", "Vide SARL")
    for t in ("portal.plans","catalogue.plans","portal.agents"):
        await stage.admin.execute(f"DELETE FROM {t} WHERE tenant_id=$1", empty.tenant_id)
    Path("/tmp/w/front-tmp/url").write_text(json.dumps([stage.url, str(client.plan_id)]))
    stop = Path("/tmp/w/front-tmp/stop"); stop.unlink(missing_ok=True)
    while not stop.exists():
        await asyncio.sleep(1)
