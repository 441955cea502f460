"""The events' wire form: golden examples, and the AsyncAPI document that tells of them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from libs.shared import bus
from libs.shared.events import EVENTS, Event, VolumeChanged, event
from tests.shared import asyncapi

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_an_event_is_read_and_written_as_its_golden_example(name: str) -> None:
    """A change here changes what services of another version send: it wants a new version."""
    golden = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    read = EVENTS[name].model_validate_json(json.dumps(golden))
    assert json.loads(read.model_dump_json()) == golden
    assert set(golden) == set(EVENTS[name].model_fields), "the example shows every member"


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_a_member_from_a_newer_producer_is_ignored(name: str) -> None:
    golden = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    read = EVENTS[name].model_validate_json(json.dumps({**golden, "from_the_future": 1}))
    assert "from_the_future" not in read.model_dump()


def test_events_are_frozen_and_named_once() -> None:
    said = VolumeChanged.model_validate_json((GOLDEN / "volume.changed.v1.json").read_text())
    with pytest.raises(ValidationError):
        said.sequence = 3  # type: ignore[misc]  # that is what is tested
    with pytest.raises(ValueError, match="two events"):
        event("volume.changed.v1")(type("Other", (Event,), {}))


def test_secrets_name_members_that_are_there() -> None:
    for known in EVENTS.values():
        assert set(known.secrets) <= set(known.model_fields)


def test_the_asyncapi_document_is_up_to_date() -> None:
    assert asyncapi.FILE.read_text(encoding="utf-8") == asyncapi.text(), (
        "run: python -m tests.shared.asyncapi"
    )


def test_every_event_has_one_sender_but_those_of_libraries() -> None:
    sent = Counter(known.type for table in bus.SENDERS.values() for known in table)
    several = {
        "volume.changed.v1": 2,
        "tenant.erased.v1": 4,
        "event.parked.v1": 5,
        "parked.settled.v1": 5,
    }
    of_transport = {event.type: 0 for event in bus.ADDRESSED}
    assert sent == Counter({**dict.fromkeys(EVENTS, 1), **several, **of_transport})


def test_the_page_on_events_tells_who_says_and_hears_what() -> None:
    page = (asyncapi.FILE.parent / "events.md").read_text(encoding="utf-8")
    for name, known in EVENTS.items():
        senders = [service for service, said in bus.SENDERS.items() if known in said]
        readers = [service for service, heard in bus.BINDINGS.items() if known in heard]
        to = ", ".join(readers) or "whom it names"
        assert f"| `{name}` | {', '.join(senders) or 'each'} | {to} |" in page
