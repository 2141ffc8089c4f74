"""Findings of an examination: each is ok, a note, a warning or an error, with advice; and how they are printed."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

LINE_WIDTH = 110  # characters
INDENT = " " * 11  # of everything below a heading but the levels


class Level(Enum):
    """How serious a finding is.

    OK: nothing to do.
    NOTE: worth knowing; expected, or advice that may be ignored.
    WARNING: the run works, but its result may suffer.
    ERROR: the run stops, or its result is worthless.
    """

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    subject: what was checked.
    result: what the check saw.
    advice: what to do; empty if nothing is to be done.
    """

    level: Level
    subject: str
    result: str
    advice: str = ""

    def __str__(self) -> str:
        lines = _wrapped(f"{self.subject}: {self.result}", f"  {self.level.value:9}", INDENT)
        if self.advice:
            lines += _wrapped(self.advice, f"{INDENT}-> ", f"{INDENT}   ")
        return "\n".join(lines)


def _wrapped(text: str, first_indent: str, indent: str) -> list[str]:
    """Lines of ``text``; file names are not broken."""
    return textwrap.wrap(
        text,
        LINE_WIDTH,
        initial_indent=first_indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def ok(subject: str, result: str) -> Finding:
    """A finding of level OK."""
    return Finding(Level.OK, subject, result)


def note(subject: str, result: str, advice: str = "") -> Finding:
    """A finding of level NOTE."""
    return Finding(Level.NOTE, subject, result, advice)


def warning(subject: str, result: str, advice: str) -> Finding:
    """A finding of level WARNING."""
    return Finding(Level.WARNING, subject, result, advice)


def error(subject: str, result: str, advice: str) -> Finding:
    """A finding of level ERROR."""
    return Finding(Level.ERROR, subject, result, advice)


def expected(finding: Finding, reason: str) -> Finding:
    """A warning that ``reason`` explains, as a note; any other finding as it is."""
    return note(finding.subject, finding.result, reason) if finding.level is Level.WARNING else finding


@dataclass(frozen=True)
class Heading:
    """Begins the findings on one topic."""

    title: str

    def __str__(self) -> str:
        return f"\n{self.title}"


@dataclass(frozen=True)
class Table:
    """The lines of a table that the findings before it are about."""

    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(f"{INDENT}{line}" for line in self.lines)


Item = Heading | Finding | Table  # what an examination consists of


@dataclass(frozen=True)
class Conclusion:
    """The result of an examination: the findings counted by level."""

    findings: Sequence[Finding]

    @property
    def exit_code(self) -> int:
        """0 if every finding is ok or a note, 1 with warnings, 2 with errors."""
        levels = {finding.level for finding in self.findings}
        return 2 if Level.ERROR in levels else int(Level.WARNING in levels)

    def __str__(self) -> str:
        parts = []
        for level in Level:
            count = sum(finding.level is level for finding in self.findings)
            plural = "s" * (count != 1 and level is not Level.OK)
            parts.append(f"{count} {level.value}{plural}")
        return "\n" + ", ".join(parts)
