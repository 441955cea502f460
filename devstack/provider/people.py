"""What people do in the half year: the provider's operators, and the clients' own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from devstack.provider.cast import COMPANIES, GB, Company, Person, Story
from devstack.provider.house import NOBODY, House
from devstack.provider.machines import Standing
from devstack.provider.rhythm import PARIS
from libs.shared import clock, keys
from libs.shared.events import Locale


@dataclass(frozen=True)
class Operator:
    """One of the provider's own people."""

    name: str
    email: str
    duty: Literal["administrator", "sales", "hotline"]
    locale: Locale


OPERATORS: tuple[Operator, ...] = (
    Operator("Aurélie Caron", "aurelie.caron@coffre.example", "administrator", "fr"),
    Operator("Stéphane Brun", "stephane.brun@coffre.example", "sales", "fr"),
    Operator("Nadège Lemoine", "nadege.lemoine@coffre.example", "hotline", "fr"),
    Operator("Grace Palmer", "grace.palmer@coffre.example", "administrator", "en"),
)
SALES, HOTLINE = OPERATORS[1:3]
PRICES = {
    "currency": "EUR",
    "vat_percent": "20",
    "seat_entry": "15.00",
    "seat_monthly": "3.00",
    "storage": {"per_100_gb": "12.50"},
}
TERMS = (
    "Le prestataire conserve une sauvegarde des données que le client désigne.\n\n"
    "Le volume au contrat est celui des données conservées, après déduplication.\n\n"
    "Les données sont détruites trente jours après la fin de l’abonnement, contre certificat.\n"
)


@dataclass
class Office:
    """Who acts, and with what: passwords are all the same, as anybody may read them."""

    house: House
    password: str
    companies: Sequence[Company] = COMPANIES
    plans: dict[tuple[str, str], Standing] = field(default_factory=dict)
    """By the client's slug and the plan's name."""

    def find(self, story: Story) -> Company | None:
        """The client of a story; None where it isn't played."""
        return next((one for one in self.companies if one.story == story), None)

    def find_plan(self, company: Company, place: int = 0) -> str:
        """The id of a client's plan, by its place among all of them."""
        names = [plan.name for machine in company.machines for plan in machine.plans]
        return str(self.plans[company.slug, names[place]].plan_id)

    async def ask(self, method: str, path: str, body: object = None, **more: str) -> Any:
        """What the portal answers an operator; whoever hears of it has heard then."""
        answer = await self.house.ask(method, path, body, **more)
        await self.house.settle()
        return answer

    async def sign_in(self, email: str) -> str:
        """Somebody's token."""
        body = {"email": email, "password": self.password}
        return str((await self.house.ask("POST", "/tokens", body, token=NOBODY))["token"])

    async def as_person(
        self, person: Person, method: str, path: str, body: object = None, **more: str
    ) -> Any:
        """What the portal answers somebody of a client, who signs in for it."""
        return await self.ask(method, path, body, token=await self.sign_in(person.email), **more)

    async def take_up(self, email: str) -> None:
        """Somebody chooses a password in the place of the one that was mailed."""
        issued = self.house.issued.pop(email)
        first = keys.open_text(self.house.portal.mail_key, issued.sealed_password, issued.beside)
        body = {"email": email, "password": first, "new_password": self.password}
        await self.house.ask("POST", "/password", body, token=NOBODY)


async def furnish(office: Office) -> None:
    """What a provider has before its first client: prices, operators, terms."""
    month = f"{clock.now().astimezone(PARIS):%Y-%m}"
    await office.ask("PUT", "/prices", {"lists": [{"from": month, **PRICES}]})
    for one in OPERATORS:
        told = await office.ask("POST", "/operators", asdict(one))
        change = {
            "email": one.email,
            "password": told["password"],
            "new_password": office.password,
        }
        await office.house.ask("POST", "/password", change, token=NOBODY)
    await publish(office, "general-terms", "2026-1", "Conditions générales")


async def publish(office: Office, document: str, version: str, title: str) -> None:
    """A version of a document is asked of all clients."""
    body = {
        "document": document,
        "version": version,
        "title": title,
        "text": TERMS,
        "in_force_on": f"{clock.now():%Y-%m-%d}",
    }
    await office.ask("POST", "/documents", body)


async def open_client(office: Office, company: Company) -> None:
    """A client's subscription begins: its people have accounts, its terms are accepted."""
    first = company.administrator
    body = {
        "tenant_id": str(company.tenant_id),
        "name": company.name,
        "locale": company.locale,
        "contracted_bytes": company.contracted_gb * GB,
        "seats": max(2, len(company.people)),
        "retention_days": company.retention_days,
        "administrator": {"name": first.name, "email": first.email},
    }
    await office.ask("POST", "/tenants", body)
    for person in company.people[1:]:
        body = {"name": person.name, "email": person.email, "role": person.role}
        where = f"/tenants/{company.tenant_id}/users"
        await office.ask("POST", where, {**body, "locale": person.locale})
    for person in company.people:
        await office.take_up(person.email)
    await office.as_person(first, "POST", "/documents/general-terms/2026-1/accept")


async def choose_reports(office: Office, company: Company) -> None:
    """Most administrators read a week's reports in one mail."""
    first = company.administrator
    choice = {"calm": "every", "heads-up": "failures"}.get(company.story, "weekly")
    where = f"/reports/readers/{quote(first.email)}"
    await office.as_person(first, "PUT", where, {"choice": choice})
