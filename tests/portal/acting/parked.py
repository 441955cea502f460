"""Events that wait for a person."""

from __future__ import annotations

from services.portal.rules.log import acts
from tests.portal.acting.world import (
    AT_PARKED,
    PARKED,
    Acting,
    nobody,
)

ACTING: Acting = {
    ("GET", "/api/v1/parked"): (
        lambda w: w.get(w.operator, "/api/v1/parked"),
        nobody(acts.ParkedListed),
    ),
    ("GET", PARKED): (lambda w: w.get(w.operator, AT_PARKED), nobody(acts.ParkedViewed)),
    ("POST", PARKED + "/replay"): (
        lambda w: w.operator.post(AT_PARKED + "/replay", json={"reason": "mended"}),
        nobody(acts.ParkedDecided),
    ),
    ("POST", PARKED + "/drop"): (
        lambda w: w.operator.post(AT_PARKED + "/drop", json={"reason": "of a test"}),
        nobody(acts.ParkedDecided),
    ),
}
