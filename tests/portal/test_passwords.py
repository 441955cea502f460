"""Which passwords are good enough, and what is said of those that aren't."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest

from services.portal.rules import people
from services.portal.rules.people import PasswordTooWeak, Person

CAMILLE = Person(uuid4(), uuid4(), "user", "Camille Lefèvre-Martin", "c.martin@dupre.example", "fr")
COMPANY = "Boulangerie Dupré & Fils (.*"


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("la pluie tombe sur Nantes", None),
        ("quatre chats bleus sur un toit", None),
        ("x9!kQ2#vLp7$wz", None),
        ("Dupré mange trois poires vertes", None),  # the rest is good enough alone
        ("court", "short"),
        ("x" * 1025, "long"),
        ("the present one", "same"),
        ("Camille.Martin.2026", "personal"),
        ("c.martin@dupre.example", "personal"),
        ("BOULANGERIE dupré 1", "personal"),
        ("(.*(.*(.*(.*", "pattern"),
        ("password1234", "common"),
        ("motdepasse2026", "common"),
        ("azertyuiop12", "common"),
        ("coffrecoffre", "pattern"),
        ("aaaaaaaaaaaaaaaa", "pattern"),
        ("abcdefghijklm", "pattern"),
        ("é" * 500, "pattern"),
    ],
)
def test_what_would_be_guessed_is_refused(password: str, reason: str | None) -> None:
    if reason is None:
        people.check_new_password(password, "the present one", CAMILLE, COMPANY)
        return
    with pytest.raises(PasswordTooWeak) as refused:
        people.check_new_password(password, "the present one", CAMILLE, COMPANY)
    assert refused.value.reason == reason
    assert refused.value.problem()["reason"] == reason
    assert refused.value.detail.endswith(".")


def test_our_own_passwords_pass() -> None:
    assert people.find_weakness(people.new_code()) is None
    assert people.find_weakness(people.new_token()) is None


def test_no_password_takes_long_to_judge() -> None:
    begun = time.perf_counter()
    for hard in ("aA4@(<1!|0o$5+7" * 60, "@4a" * 300, "p@ssw0rd$1!" * 90):
        people.find_weakness(hard, (CAMILLE.name, CAMILLE.email, COMPANY))
    assert time.perf_counter() - begun < 10  # all their characters would take hours
