"""What an examination found: each finding is all right, a warning or an error, with what to do."""

import textwrap
from dataclasses import dataclass
from enum import Enum

WIDTH = 110  # of a line


class Level(Enum):
    """An error stops the run or spoils it; a warning is worth a look before hours are spent."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """what was looked at, what was found there, and what to do (empty where nothing is)."""

    level: Level
    what: str
    found: str
    advice: str = ""

    def __str__(self) -> str:
        indent = " " * 11
        lines = _wrapped(f"{self.what}: {self.found}", f"  {self.level.value:9}", indent)
        if self.advice:
            lines += _wrapped(self.advice, f"{indent}-> ", f"{indent}   ")
        return "\n".join(lines)


def _wrapped(text: str, first: str, others: str) -> list[str]:
    """Lines of ``text``; names of files are left whole."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def ok(what: str, found: str) -> Finding:
    return Finding(Level.OK, what, found)


def warning(what: str, found: str, advice: str) -> Finding:
    return Finding(Level.WARNING, what, found, advice)


def error(what: str, found: str, advice: str) -> Finding:
    return Finding(Level.ERROR, what, found, advice)


@dataclass(frozen=True)
class Section:
    """Findings on one subject, and a table that they are about (lines, may be none)."""

    title: str
    findings: list[Finding]
    table: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join(
            [self.title, *map(str, self.findings), *(f"           {line}" for line in self.table)]
        )


@dataclass(frozen=True)
class Examination:
    subject: str
    sections: list[Section]

    @property
    def findings(self) -> list[Finding]:
        return [finding for section in self.sections for finding in section.findings]

    @property
    def exit_code(self) -> int:
        """0 where all is well, 1 with warnings, 2 with errors."""
        levels = {finding.level for finding in self.findings}
        return 2 if Level.ERROR in levels else int(Level.WARNING in levels)

    def __str__(self) -> str:
        counts = [sum(finding.level is level for finding in self.findings) for level in Level]
        names = ("ok", "warning" + "s" * (counts[1] != 1), "error" + "s" * (counts[2] != 1))
        summary = ", ".join(f"{count} {name}" for count, name in zip(counts, names))
        return "\n\n".join([self.subject, *map(str, self.sections), summary])
