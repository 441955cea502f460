"""People of the provider's clients with a browser's session, and the pages that they open."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote
from uuid import UUID

import httpx2

from bench import versions as content
from bench.measuring import ProgramFailed
from bench.portal.driving import Ask
from bench.portal.provider import PASSWORD, email_of
from libs.shared import catalogue
from libs.shared.catalogue import terms
from libs.shared.database import Connection

PEOPLE = 40
"""Who have a session at once; the first of them is of the client with the millions of versions."""


@dataclass(frozen=True)
class Path:
    """A file that the large client has: its plan, the path of its folder, its name."""

    plan_id: UUID
    folder: bytes
    name: bytes


async def sample_paths(admin: Connection, tenant_id: UUID) -> list[Path]:
    """Some of a client's files, anywhere."""
    rows = await admin.fetch(
        """
        SELECT v.plan_id, v.folder_id, v.name FROM catalogue.versions v TABLESAMPLE SYSTEM (0.5)
        WHERE v.tenant_id = $1 AND v.kind = 'f' LIMIT 20000
        """,
        tenant_id,
    )
    rows = random.Random(3).sample(rows, min(2_000, len(rows)))
    folders = await catalogue.find_paths(admin, tenant_id, list({row["folder_id"] for row in rows}))
    return [Path(row["plan_id"], folders[row["folder_id"]], row["name"]) for row in rows]


async def sign_in(http: httpx2.AsyncClient, email: str, password: str, address: str) -> str:
    """A session's cookie, as a form gives it."""
    answer = await http.post(
        "/sign-in",
        data={"email": email, "password": password},
        headers={"X-Forwarded-For": address},
    )
    cookie = answer.cookies.get("coffre")
    if answer.status_code != 303 or not cookie:
        raise ProgramFailed(f"{email} was not let in: {answer.status_code} {answer.text[-300:]}")
    http.cookies.clear()
    return cookie


async def sign_all_in(http: httpx2.AsyncClient, clients: int) -> list[str]:
    """Sessions of people of as many clients, one after the other."""
    numbers = [1, *range(2, min(PEOPLE, clients) + 1)]
    return [await sign_in(http, email_of(n), PASSWORD, f"10.1.0.{n}") for n in numbers]


class Visits:
    """What clients' people ask: each time somebody else's page, or another of the large client."""

    def __init__(
        self, http: httpx2.AsyncClient, sessions: Sequence[str], paths: Sequence[Path]
    ) -> None:
        self._http = http
        self._sessions = sessions
        self._paths = paths
        self._chance = random.Random(11)
        self._words = [terms.fold(word.encode()) for word in content.list_words()]
        self._common = [terms.fold(word.encode()) for word in content.COMMON_WORDS]

    def by_kind(self) -> dict[str, Ask]:
        """Each kind's name, and what asks it once."""
        return {
            "first page": lambda: self._get("/", self._chance.choice(self._sessions)),
            "first page of the large client": lambda: self._get("/"),
            "a plan's runs": lambda: self._get(f"/plans/{self._path.plan_id}"),
            "a folder": lambda: self._get(self._folder()),
            "a folder with deleted files": lambda: self._get(self._folder() + "&deleted=1"),
            "the versions of a file": lambda: self._get(self._versions()),
            "search: any word": lambda: self._search(self._chance.choice(self._words)),
            "search: two words": lambda: self._search(f"{self._word} {self._word}"),
            "search: part of a name": lambda: self._search(self._part()),
            "search: nothing has it": lambda: self._search(f"{self._word}-{self._word}-"),
        }

    @property
    def _path(self) -> Path:
        return self._chance.choice(self._paths)

    @property
    def _word(self) -> str:
        return self._chance.choice(self._common)

    def _part(self) -> str:
        """Nine characters around a name's number."""
        text = terms.fold(self._path.name)
        begin = max(0, text.index("_") - 4)
        return text[begin : begin + 9]

    def _folder(self) -> str:
        path, run = self._path, self._chance.randint(1, content.RUNS)
        return f"/plans/{path.plan_id}/files?path={quote(path.folder)}&run={run}"

    def _versions(self) -> str:
        path = self._path
        return f"/plans/{path.plan_id}/versions?path={quote(path.folder + b'/' + path.name)}"

    async def _search(self, text: str) -> int:
        return await self._get(f"/search?q={quote(text)}")

    async def _get(self, path: str, session: str = "") -> int:
        return await get(self._http, path, session or self._sessions[0])


async def get(http: httpx2.AsyncClient, path: str, session: str) -> int:
    """Asks for a page as somebody's browser does."""
    headers = {"Cookie": f"coffre={session}", "Accept-Encoding": "gzip"}
    return (await http.get(path, headers=headers)).status_code


def rounds_of_operator(
    http: httpx2.AsyncClient, session: str, clients: Sequence[UUID]
) -> dict[str, Ask]:
    """The pages of an operator's daily round: what each is called, and what asks it once."""
    chance = random.Random(13)

    async def ask(path: Callable[[], str]) -> int:
        return await get(http, path(), session)

    return {
        name: partial(ask, path)
        for name, path in {
            "what waits": lambda: "/queue",
            "all clients": lambda: "/clients",
            "clients by days": lambda: "/clients/days",
            "clients by a search": lambda: f"/clients?q={chance.randint(1, 99)}",
            "one client": lambda: f"/clients/{chance.choice(clients)}",
            "overages": lambda: "/overages",
        }.items()
    }
