"""A table of a configuration file whose keys are taken one by one, and every fault noted."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from agent.config import texts
from agent.config.addresses import Address, address_of

T = TypeVar("T")
_KINDS: dict[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    list: "a list",
    dict: "a table",
}


class Table:
    """One table of a file.

    A fault is noted with file, table and key, and the reading goes on, so that all are told.
    place: what stands before the key in a fault, such as `[[plan]] "papers": `.
    """

    def __init__(self, file: Path, values: dict[str, Any], place: str, faults: list[str]) -> None:
        self.file, self.place, self.faults = file, place, faults
        self._left = dict(values)
        self._known: list[str] = []

    def fault(self, key: str, sentence: str) -> None:
        """Note what is wrong with a key, and what to write instead."""
        self.faults.append(f"{self.file}: {self.place}{key} {sentence}")

    def has(self, key: str) -> bool:
        """Is this key there and not yet taken?"""
        return key in self._left

    def value(self, key: str, kind: type[T]) -> T | None:
        """What a key holds; None where it is missing or of another kind."""
        self._known.append(key)
        value = self._left.pop(key, None)
        if value is None:
            return None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.fault(key, f"must be {_KINDS[kind]}, and is {value!r}.")
            return None
        return value

    def text(self, key: str) -> str | None:
        """A text that is not empty, or None."""
        text = self.value(key, str)
        if text is not None and (not text.strip() or "\0" in text):
            self.fault(key, "is empty. Write something there, or take the key out.")
            return None
        return text

    def required(self, key: str) -> str:
        """A text that must be there; empty where it isn't."""
        is_missing = key not in self._left or self._left[key] == ""
        text = self.text(key) if not is_missing else None
        if is_missing:
            self._left.pop(key, None)
            self._known.append(key)
            self.fault(key, "is missing. Add it.")
        return text or ""

    def switch(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.value(key, bool)
        return default if value is None else value

    def number(self, key: str, least: int, most: int) -> int | None:
        """A whole number within limits."""
        number = self.value(key, int)
        if number is not None and not least <= number <= most:
            self.fault(key, f"must be from {least} to {most}, and is {number}.")
            return None
        return number

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list of texts."""
        values = self.value(key, list)
        if values is None:
            return default
        wrong = [v for v in values if not isinstance(v, str) or not v.strip() or "\0" in v]
        if wrong:
            self.fault(key, f"must be a list of texts, and holds {wrong[0]!r}.")
        return tuple(value for value in values if value not in wrong)

    def program(self, key: str) -> tuple[str, ...]:
        """A program and its arguments; one that is written with a folder is a path of this file."""
        words = self.texts(key)
        if words and os.path.dirname(words[0]):
            return (str(self.resolve(words[0])), *words[1:])
        return words

    def written(self, key: str, read: Callable[[str], T]) -> T | None:
        """A text that `read` makes something of; its ValueError says what to write."""
        text = self.text(key)
        if text is None:
            return None
        try:
            return read(text)
        except ValueError as error:
            self.fault(key, f"{error}, and is {text!r}.")
            return None

    def duration(self, key: str, default: float) -> float:
        """Seconds, from a whole number of them or a text such as `15 min`."""
        if isinstance(self._left.get(key), int):
            seconds: float | None = self.number(key, 0, 10**9)
        else:
            seconds = self.written(key, texts.duration_of)
        return default if seconds is None else seconds

    def size(self, key: str) -> int | None:
        """Bytes, from a whole number of them or a text such as `50 GB`."""
        if isinstance(self._left.get(key), int):
            return self.number(key, 0, 2**63 - 1)
        return self.written(key, texts.size_of)

    def choice(self, key: str, choices: tuple[str, ...]) -> str | None:
        """One of a few words."""
        word = self.text(key)
        if word is not None and word not in choices:
            self.fault(key, f"must be one of {', '.join(choices)}, and is {word!r}.")
            return None
        return word

    def path(self, key: str) -> Path | None:
        """A path, taken from the file's folder where it is relative."""
        text = self.text(key)
        return None if text is None else self.resolve(text)

    def resolve(self, text: str) -> Path:
        """A path as it is meant in this file."""
        return self.file.absolute().parent / os.path.expanduser(text)

    def url(self, key: str, read: Callable[[str], Address] = address_of) -> str | None:
        """An address that begins with http:// or https://, if `read` finds nothing wrong."""
        text = self.text(key)
        if text is None:
            return None
        try:
            read(text)
        except ValueError as error:
            self.fault(key, f"{error}, and is {text!r}.")
            return None
        return text.strip()

    def table(self, key: str) -> Table | None:
        """A table below this one."""
        values = self.value(key, dict)
        if values is None:
            return None
        return Table(self.file, values, f"{self._below(key, '[', ']')}: ", self.faults)

    def tables(self, key: str) -> Iterator[Table]:
        """The tables written as [[key]], each called by its name, else by its number."""
        values = self.value(key, list)
        heading = self._below(key, "[[", "]]")
        for number, value in enumerate(values or [], start=1):
            if not isinstance(value, dict):
                self.fault(key, f"must be written as {heading} tables.")
                return
            name = value.get("name")
            called = f"{name!r}" if isinstance(name, str) and name else f"number {number}"
            yield Table(self.file, value, f"{heading} {called}: ", self.faults)

    def _below(self, key: str, before: str, after: str) -> str:
        if not self.place:
            return f"{before}{key}{after}"
        above = self.place.removesuffix(": ")
        outer = above.rpartition(", ")[2].split("]")[0].lstrip("[")
        return f"{above}, {before}{outer}.{key}{after}"

    def check_nothing_left(self) -> None:
        """Whatever was not taken is no key of ours."""
        for key in self._left:
            near = difflib.get_close_matches(key, self._known, n=1)
            meant = f" Did you mean {near[0]}?" if near else ""
            self.fault(key, f"is no key that coffre-agent knows here.{meant} Correct or remove it.")
