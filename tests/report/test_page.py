import json

import pytest

from lib.report.page import MAX_GALLERY_ROWS, write_report
from lib.report.results import GROUPS
from lib.report.style import style_sheet
from lib.utils.errors import InputError
from tests.factories.reports import Page


@pytest.fixture
def baseline(tmp_path):
    """The folder of a finished baseline, as far as the report reads it."""
    folder = tmp_path / "<baseline>"
    folder.mkdir()
    results = {
        "mode": "baseline2",
        "seed": 0,
        "test": {"PCKh": dict.fromkeys(GROUPS, 50.0)},
        "output": "o",
        "log": "l",
    }
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "config.yaml").write_text("")
    (folder / "metrics.jsonl").write_text(
        '{"step": 1, "loss/target": 0.5}\n{"step": 2, "loss/target": 0.25}\n'
    )
    return folder


def test_the_page_is_one_file_in_the_runs_folder(baseline):
    path = write_report([baseline])
    assert path == baseline / "report.html"
    text = path.read_text()
    assert text.startswith("<!doctype html>") and style_sheet() in text and "&lt;baseline&gt;" in text
    for tag, attributes in Page(text.removeprefix("<!doctype html>")).tags:
        links = [attributes[name] for name in ("src", "href") if name in attributes]
        assert tag != "script" and all(link.startswith(("data:", "#")) for link in links)


def test_another_output(baseline, tmp_path):
    path = write_report([str(baseline)], tmp_path / "r.html")
    assert path == tmp_path / "r.html" and path.exists() and not (baseline / "report.html").exists()


@pytest.mark.parametrize("rows", [0, MAX_GALLERY_ROWS + 1])
def test_too_few_or_too_many_rows(baseline, rows):
    with pytest.raises(InputError, match=f"--rows: .* {MAX_GALLERY_ROWS}, found {rows}"):
        write_report([baseline], rows=rows)


def test_a_run_given_twice(baseline):
    with pytest.raises(InputError, match="given twice"):
        write_report([baseline, baseline / "." / ".." / baseline.name])
