"""Levels, exit codes and the printed form of findings."""

import pytest

from lib.doctor.findings import LINE_WIDTH, Conclusion, Heading, Level, Table, error, note, ok, warning

OK, NOTE, WARNING, ERROR = (
    ok("disk", "1 GiB"),
    note("head", "shifted"),
    warning("labels", "none", "label some"),
    error("device", "gone", "buy"),
)


@pytest.mark.parametrize(
    ("findings", "code", "summary"),
    [
        ([], 0, "0 ok, 0 notes, 0 warnings, 0 errors"),
        ([OK, OK], 0, "2 ok, 0 notes, 0 warnings, 0 errors"),
        ([OK, NOTE], 0, "1 ok, 1 note, 0 warnings, 0 errors"),
        ([OK, NOTE, NOTE, WARNING], 1, "1 ok, 2 notes, 1 warning, 0 errors"),
        ([WARNING, ERROR, ERROR], 2, "0 ok, 0 notes, 1 warning, 2 errors"),
    ],
)
def test_exit_code_and_summary(findings, code, summary):
    conclusion = Conclusion(findings)
    assert conclusion.exit_code == code and str(conclusion).strip() == summary


def test_levels_of_the_constructors():
    assert [f.level for f in (OK, NOTE, WARNING, ERROR)] == list(Level)
    assert OK.advice == NOTE.advice == ""


def test_tables_are_indented_and_headings_set_apart():
    assert str(Table(("a  b", "1  2"))).splitlines() == [" " * 11 + "a  b", " " * 11 + "1  2"]
    assert str(Heading("labels")).splitlines() == ["", "labels"]


def test_long_texts_are_wrapped_but_file_names_are_not_broken():
    path = "/data/" + "x" * 150
    finding = warning("images", f"{'word ' * 40}{path}", "fix " * 40)
    lines = str(finding).splitlines()
    assert lines[0].startswith("  warning  images: word")
    assert all(len(line) <= LINE_WIDTH or path in line for line in lines)
    assert sum(path in line for line in lines) == 1
    assert sum(line.startswith("           -> ") for line in lines) == 1
