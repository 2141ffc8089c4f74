"""Change single values in the text of a JSON file; all other text stays as it is, to the character."""

import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

BLANK = re.compile(r"[ \t\n\r]*")
DECODE = json.JSONDecoder().raw_decode


class Value(NamedTuple):
    """A value in a JSON text: ``text[start:end]``, parsed."""

    start: int
    end: int
    parsed: Any


class Edit(NamedTuple):
    """What stands in place of ``text[start:end]``."""

    start: int
    end: int
    replacement: str


def members(text: str, start: int = 0) -> dict[str, Value]:
    """The members of the JSON object at ``start``; of several with one name the last, as parsers take it.

    Raises:
        ValueError: there is no valid object.
    """
    found = {}
    at = _first(text, start, "{}")
    while at is not None:
        name, end = DECODE(text, at)
        found[name] = value = _value(text, _after(text, end, ":"))
        at = _next(text, value.end, "{}")
    return found


def elements(text: str, start: int = 0) -> list[Value]:
    """The elements of the JSON array at ``start``. Raises ValueError if there is no valid array."""
    found = []
    at = _first(text, start, "[]")
    while at is not None:
        found.append(_value(text, at))
        at = _next(text, found[-1].end, "[]")
    return found


def with_member(text: str, start: int, name: str, value: Any) -> Edit:
    """The edit that gives the object at ``start`` the member ``name``, at its end if it does not have it yet."""
    given = members(text, start)
    if name in given:
        return with_value(given[name], value)
    new = f"{json.dumps(name)}: {json.dumps(value)}"
    if not given:
        start = _after(text, start, "{")
        return Edit(start, start, new)
    end = max(member.end for member in given.values())
    return Edit(end, end, f", {new}")


def with_value(old: Value, value: Any) -> Edit:
    """The edit that puts another value in place of an ``old`` one."""
    return Edit(old.start, old.end, json.dumps(value))


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text after the ``edits``. Raises ValueError if two of them overlap."""
    pieces, at = [], 0
    for edit in sorted(edits):
        if edit.start < at:
            raise ValueError(f"two edits of character {edit.start}")
        pieces += [text[at : edit.start], edit.replacement]
        at = edit.end
    return "".join([*pieces, text[at:]])


def _first(text: str, start: int, brackets: str) -> int | None:
    """Where the first item between the ``brackets`` starts; None if there is none."""
    at = _after(text, start, brackets[0])
    return None if text[at : at + 1] == brackets[1] else at


def _next(text: str, end: int, brackets: str) -> int | None:
    """Where the item after the one that ends at ``end`` starts; None if that was the last."""
    at = _after_blanks(text, end)
    return None if text[at : at + 1] == brackets[1] else _after(text, at, ",")


def _value(text: str, start: int) -> Value:
    parsed, end = DECODE(text, start)
    return Value(start, end, parsed)


def _after(text: str, at: int, character: str) -> int:
    """Where the text goes on after the ``character``, which must follow at ``at``; blanks around it are skipped."""
    at = _after_blanks(text, at)
    if text[at : at + 1] != character:
        raise json.JSONDecodeError(f"Expected {character!r}", text, at)
    return _after_blanks(text, at + 1)


def _after_blanks(text: str, at: int) -> int:
    match = BLANK.match(text, at)
    return match.end() if match else at
