"""Plans whose files are really copied, by the agents' own protocol: what can be recovered later."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from devstack.provider import contents
from devstack.provider.house import House
from devstack.provider.machines import Standing
from devstack.provider.rhythm import Turn
from libs.shared import clock, packs
from libs.shared.batches import encode_batch
from libs.shared.entries import Entry, FolderDelta

LASTS = timedelta(seconds=40)
DUMP = "@dumps/compta.sql"
TREES: dict[str, tuple[str, ...]] = {
    "Documents de l’étude": (
        "Actes en cours/Vente Durand-Petit/compromis.docx",
        "Actes en cours/Vente Durand-Petit/état des risques.pdf",
        "Actes en cours/Vente Durand-Petit/plan cadastral.png",
        "Actes en cours/Vente Durand-Petit/courriers/relance banque.docx",
        "Actes en cours/Vente Durand-Petit/courriers/accord de prêt.pdf",
        "Actes en cours/Succession Morin/inventaire.csv",
        "Actes en cours/Succession Morin/notoriété.docx",
        "Actes en cours/Succession Morin/déclaration.pdf",
        "Actes en cours/Donation Albert/projet d’acte.docx",
        "Actes en cours/Donation Albert/pièces d’identité.png",
        "Comptabilité/taxe 2026.csv",
        "Comptabilité/registre des frais.csv",
        "Comptabilité/factures/2026-{number:03}.pdf",
        "Modèles/procuration.docx",
        "Modèles/attestation de propriété.docx",
        "Modèles/lettre d’accompagnement.docx",
        "Accueil/façade de l’étude.png",
        "Accueil/horaires.txt",
        "Notes/réunion du lundi.txt",
        DUMP,
    ),
    "Projets en cours": (
        "2026-04 Maison Kerbrat/APS/notice.docx",
        "2026-04 Maison Kerbrat/APS/perspective sud.png",
        "2026-04 Maison Kerbrat/APS/perspective nord.png",
        "2026-04 Maison Kerbrat/chiffrage.csv",
        "2026-04 Maison Kerbrat/permis/PC 05 façades.pdf",
        "2026-06 Médiathèque de Saint-Aubin/concours/note d’intention.docx",
        "2026-06 Médiathèque de Saint-Aubin/concours/rendu 1.png",
        "2026-06 Médiathèque de Saint-Aubin/concours/rendu 2.png",
        "2026-06 Médiathèque de Saint-Aubin/concours/planning.csv",
        "2026-06 Médiathèque de Saint-Aubin/comptes rendus/CR {number:03}.pdf",
        "Photographies de chantier/chantier {number:03}.png",
        "Agence/contrats/mission complète.docx",
        "Agence/notes de frais.csv",
    ),
    "comptabilité et devis": (
        "Devis/2026/DEV-{number:03}.pdf",
        "Devis/2026/suivi des devis.csv",
        "Devis/modèle de devis.docx",
        "Chantiers/escalier Bertin/cotes.txt",
        "Chantiers/escalier Bertin/photo.png",
        "Chantiers/verrière Colas/photo.png",
        "Chantiers/verrière Colas/commande.docx",
        "Comptabilité/banque.csv",
        "Comptabilité/salaires.csv",
        DUMP,
    ),
}
_NUMBERED = 14


@dataclass
class Copies:
    """One plan's files as they are now, path by path with their version, and what was sent."""

    standing: Standing
    root: str
    trees: tuple[str, ...]
    chance: random.Random
    files: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    sent: set[bytes] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    issued: int = _NUMBERED

    async def run(self, house: House, turn: Turn) -> None:
        """A whole run of the plan, from its start to its commit."""
        changed, removed = self._begin() if not self.files else self._work(turn)
        for path in changed:
            version = self.files[path][0] + 1 if path in self.files else 1
            self.files[path] = version, turn.at - timedelta(hours=self.chance.randint(1, 9))
        for path in removed:
            del self.files[path], self.sizes[path]
        made = {path: contents.make(path, self.files[path][0]) for path in changed}
        self.sizes |= {path: len(content) for path, content in made.items()}
        start = {
            "plan_id": str(self.standing.plan_id),
            "run_key": str(uuid4()),
            "estimated_new_bytes": sum(map(len, made.values())),
        }
        token = self.standing.token
        started = await house.tell("POST", "/v1/runs", token, json=start)
        run = f"/v1/runs/{started['run_id']}"
        if started["list_anew"]:
            # Some was dropped: whoever has read the list may go on, and tells of folders anew.
            where = f"/v1/plans/{self.standing.plan_id}/entries"
            await house.read(where, token)
            self.folders.clear()
        sent_bytes = await self._send(house, run, made)
        deltas = self._find_deltas(made, removed)
        where = f"{run}/entries?batch=0"
        await house.tell("POST", where, token, content=encode_batch(deltas))
        house.go_to(clock.now() + LASTS)
        is_first = not self.standing.number
        counters = {
            "files_total": len(self.files),
            "files_new": len(made) if is_first else 0,
            "files_changed": 0 if is_first else len(made),
            "files_removed": len(removed),
            "bytes_protected": sum(self.sizes.values()),
            "bytes_sent": sent_bytes,
        }
        ending: dict[str, Any] = {
            "batches": 1,
            "counters": counters,
            "dumps": self._tell_dump(made),
        }
        committed = await house.tell("POST", f"{run}/commit", token, json=ending)
        self.standing.number = committed["number"]

    def _begin(self) -> tuple[list[str], list[str]]:
        """All that there is at first."""
        named = [
            tree.format(number=number)
            for tree in self.trees
            for number in (range(1, _NUMBERED + 1) if "{number" in tree else [0])
        ]
        return named, []

    def _work(self, turn: Turn) -> tuple[list[str], list[str]]:
        """What people did since the last run: changed, made, and now and then removed."""
        chance = self.chance
        known = [path for path in self.files if not path.endswith((".png", ".pdf"))]
        changed = [path for path in known if path == DUMP or chance.random() < 0.08]
        if chance.random() < 0.4:
            self.issued += 1
            made = chance.choice([tree for tree in self.trees if "{number" in tree])
            changed.append(made.format(number=self.issued))
        removed = []
        if turn.days_left in {2, 19, 55, 90}:
            removed = [path for path in sorted(self.files) if path not in changed][-3:-2]
        return changed, removed

    async def _send(self, house: House, run: str, made: dict[str, bytes]) -> int:
        builder = packs.PackBuilder()
        for content in made.values():
            identity = packs.chunk_id(content, self.standing.chunk_key)
            if identity not in self.sent:
                self.sent.add(identity)
                builder.add(identity, content)
        if not builder.chunk_ids:
            return 0
        pack = builder.finish()
        where = f"{run}/packs/{pack.id}"
        body = bytes(pack.body)
        await house.tell("PUT", where, self.standing.token, content=body)
        return len(body)

    def _find_deltas(self, made: dict[str, bytes], removed: list[str]) -> list[FolderDelta]:
        found: dict[str, FolderDelta] = {}
        now_ns = round(clock.now().timestamp()) * 10**9

        def delta_of(path: str) -> tuple[FolderDelta, bytes]:
            above, _, name = path.rpartition("/")
            if above and above not in self.folders:
                self.folders.add(above)
                delta, folder = delta_of(above)
                delta.upserts.append(Entry(folder, "d", 0o755, now_ns, 1000, 1000, 0, b"", b""))
            return found.setdefault(above, FolderDelta(above.encode(), [], [])), name.encode()

        for path in sorted(made):
            delta, name = delta_of(self._place(path))
            content = made[path]
            identity = packs.chunk_id(content, self.standing.chunk_key)
            at = round(self.files[path][1].timestamp()) * 10**9
            delta.upserts.append(
                Entry(name, "f", 0o644, at, 1000, 1000, len(content), b"", identity)
            )
        for path in removed:
            delta, name = delta_of(self._place(path))
            delta.removed.append(name)
        return [found[above] for above in sorted(found, key=lambda one: (one.count("/"), one))]

    def _place(self, path: str) -> str:
        return path if path.startswith("@") else f"{self.root}/{path}"

    def _tell_dump(self, made: dict[str, bytes]) -> list[dict[str, Any]]:
        if DUMP not in made:
            return []
        size = len(made[DUMP])
        return [{"name": "compta", "succeeded": True, "guaranteed": True, "size_bytes": size}]


def begin(standing: Standing, turn: Turn) -> Copies:
    """The files of a plan before its first run."""
    plan = turn.plan
    root = plan.folders[0].strip("/")
    return Copies(standing, root, TREES[plan.name], random.Random(plan.name))
