"""Pictures, for eyes only."""
import os, pytest, pytest_asyncio, math
from datetime import timedelta
from uuid import uuid4
from pathlib import Path
from libs.shared import clock, events
from tests.portal import builder
from tests.portal.conftest import OPERATOR_EMAIL
pytestmark = pytest.mark.asyncio(loop_scope="session")
OUT = Path("/tmp/w/front-tmp/pics"); OUT.mkdir(exist_ok=True)

async def shoot(page_of, who, path, name, width=1440, dark=False, locale="fr-FR", then=None):
    page = await page_of(who, width, locale, dark=dark)
    await page.goto(path)
    if then: await then(page)
    await page.screenshot(path=str(OUT / f"{name}-{width}{'-dark' if dark else ''}-{locale[:2]}.png"), full_page=True)

S, W, F, M = "succeeded", "succeeded_with_warnings", "failed", None
async def world(stage):
    client = await builder.open_client(stage)
    await client.commit({b"srv/data/facture.txt": builder.text(b"facture")})
    await builder.live(client, [S]*12+[W,S,S,M,S,S,F,S,S,S,S,W,S,S,S,S,S])
    other = await client.add_machine("srv-metier", "Logiciel métier")
    await builder.live(other, [S]*24+[F,F])
    third = await client.add_machine("poste-atelier", "Atelier")
    await builder.live(third, [S]*20+[W], files_not_copied=2)
    n=365
    stored=[int(300+ i*1.9 + 20*math.sin(i/9)) for i in range(n)]
    contracted=[500]*150+[800]*120+[900]*(n-270)
    await builder.hold(client, stored, contracted)
    now=clock.now()
    await builder.hear(stage, events.VolumeChanged(tenant_id=client.tenant_id, stored_bytes=stored[-1]*10**9, protected_bytes=2*10**12, sequence=10**9))
    return client

async def test_look(stage, page_of):
    client = await world(stage)
    for width, dark, loc in ((360, False, "fr-FR"), (768, True, "fr-FR"), (1440, False, "fr-FR"), (1440, True, "en-GB")):
        await shoot(page_of, client.email, "/", "home", width, dark, loc)
    empty = await builder.open_client(stage, "zoe@vide.example", "Vide SARL")
    await stage.admin.execute("DELETE FROM portal.plans WHERE tenant_id=$1", empty.tenant_id)
    await stage.admin.execute("DELETE FROM catalogue.plans WHERE tenant_id=$1", empty.tenant_id)
    await shoot(page_of, empty.email, "/", "home-joined", 1440)
    await stage.admin.execute("DELETE FROM portal.agents WHERE tenant_id=$1", empty.tenant_id)
    await shoot(page_of, empty.email, "/", "home-empty", 1440)
    await shoot(page_of, empty.email, "/", "home-empty", 360)
