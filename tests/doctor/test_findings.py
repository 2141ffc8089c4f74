"""Levels, exit codes and the printed form of findings."""

import pytest

from lib.doctor.findings import LINE_WIDTH, Examination, Level, Section, error, ok, warning

OK, WARNING, ERROR = (
    ok("disk", "1 GiB"),
    warning("labels", "none", "label some"),
    error("device", "gone", "buy"),
)


@pytest.mark.parametrize(
    ("findings", "code", "summary"),
    [
        ([], 0, "0 ok, 0 warnings, 0 errors"),
        ([OK, OK], 0, "2 ok, 0 warnings, 0 errors"),
        ([OK, WARNING], 1, "1 ok, 1 warning, 0 errors"),
        ([WARNING, ERROR, ERROR], 2, "0 ok, 1 warning, 2 errors"),
    ],
)
def test_exit_code_and_summary(findings, code, summary):
    sections = [Section("first", findings[:1]), Section("second", findings[1:], ("a  b", "1  2"))]
    examination = Examination("ours2", sections)
    assert examination.findings == findings and examination.exit_code == code
    lines = str(examination).splitlines()
    assert lines[0] == "ours2" and lines[-1] == summary
    assert "           1  2" in lines


def test_levels_of_the_constructors():
    assert [f.level for f in (OK, WARNING, ERROR)] == [Level.OK, Level.WARNING, Level.ERROR]
    assert OK.advice == ""


def test_long_texts_are_wrapped_but_file_names_are_not_broken():
    path = "/data/" + "x" * 150
    finding = warning("images", f"{'word ' * 40}{path}", "fix " * 40)
    lines = str(finding).splitlines()
    assert lines[0].startswith("  warning  images: word")
    assert all(len(line) <= LINE_WIDTH or path in line for line in lines)
    assert sum(path in line for line in lines) == 1
    assert sum(line.startswith("           -> ") for line in lines) == 1
