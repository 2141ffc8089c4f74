"""Findings of an examination: each is ok, a warning or an error, with advice; and how they are printed."""

import textwrap
from dataclasses import dataclass
from enum import Enum

LINE_WIDTH = 110  # characters


class Level(Enum):
    """How serious a finding is.

    OK: nothing to do.
    WARNING: the run works, but its result may suffer.
    ERROR: the run stops, or its result is worthless.
    """

    OK = "ok"
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
        indent = " " * 11
        lines = _wrapped(f"{self.subject}: {self.result}", f"  {self.level.value:9}", indent)
        if self.advice:
            lines += _wrapped(self.advice, f"{indent}-> ", f"{indent}   ")
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


def warning(subject: str, result: str, advice: str) -> Finding:
    """A finding of level WARNING."""
    return Finding(Level.WARNING, subject, result, advice)


def error(subject: str, result: str, advice: str) -> Finding:
    """A finding of level ERROR."""
    return Finding(Level.ERROR, subject, result, advice)


@dataclass(frozen=True)
class Section:
    """The findings on one topic, and optionally the lines of a table that they are about."""

    title: str
    findings: list[Finding]
    table: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join(
            [self.title, *map(str, self.findings), *(f"           {line}" for line in self.table)]
        )


@dataclass(frozen=True)
class Examination:
    """All sections of an examination; ``title`` names the mode that was examined."""

    title: str
    sections: list[Section]

    @property
    def findings(self) -> list[Finding]:
        """The findings of all sections, in order."""
        return [finding for section in self.sections for finding in section.findings]

    @property
    def exit_code(self) -> int:
        """0 if every finding is ok, 1 with warnings, 2 with errors."""
        levels = {finding.level for finding in self.findings}
        return 2 if Level.ERROR in levels else int(Level.WARNING in levels)

    def __str__(self) -> str:
        counts = [sum(finding.level is level for finding in self.findings) for level in Level]
        names = ("ok", "warning" + "s" * (counts[1] != 1), "error" + "s" * (counts[2] != 1))
        summary = ", ".join(f"{count} {name}" for count, name in zip(counts, names))
        return "\n\n".join([self.title, *map(str, self.sections), summary])
