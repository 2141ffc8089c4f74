"""The report: one HTML file that needs nothing else, of one run or comparing several."""

from pathlib import Path

from lib.report.comparison import comparison
from lib.report.learned import read_learned
from lib.report.markup import Markup, element
from lib.report.runs import read_runs
from lib.report.single import single_report
from lib.report.style import style_sheet
from lib.utils.errors import InputError
from lib.utils.files import write_text

MOST_GALLERY_ROWS = 6  # with LARGEST_JPEG keeps a page of four galleries (two sets of weights) below 5 MB


def write_report(folders: list[str | Path], output: str | Path | None = None, rows: int = 2) -> Path:
    """Write the report of the runs in ``folders`` to ``output``; returns its path.

    By default that is report.html in the first folder. ``rows`` of six images are in each gallery,
    which the report of a single run has. Raises InputError for a folder that is no finished run's.
    """
    if not 1 <= rows <= MOST_GALLERY_ROWS:
        raise InputError(f"--rows: expected a number from 1 to {MOST_GALLERY_ROWS}, found {rows}")
    folders = [Path(folder) for folder in folders]
    runs = read_runs(folders)
    learned = [read_learned(run) for run in runs]
    if len(runs) == 1:
        title, body = single_report(runs[0], learned[0], rows)
    else:
        title, body = comparison(runs, learned)
    path = Path(output) if output else folders[0] / "report.html"
    write_text(path, _document(title, body))
    return path


def _document(title: str, body: list) -> str:
    head = [
        element("meta", {"charset": "utf-8"}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        # Without an icon of its own a browser asks the server for one.
        Markup('<link rel="icon" href="data:,">'),
        element("title", {}, title),
        element("style", {}, Markup(style_sheet())),
    ]
    page = element("html", {"lang": "en"}, element("head", {}, head), element("body", {}, element("main", {}, body)))  # fmt: skip
    return f"<!doctype html>\n{page}\n"
