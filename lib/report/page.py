"""Writes the report of one run or of several as one self-contained HTML file."""

from pathlib import Path

from lib.report.comparison import comparison_report
from lib.report.learned import read_learned_weights
from lib.report.markup import Markup, element
from lib.report.runs import read_runs
from lib.report.single import single_report
from lib.report.style import style_sheet
from lib.utils.errors import InputError
from lib.utils.files import write_text

# With MAX_JPEG_BYTES this keeps a page with four galleries (two sets of weights) below 5 MB.
MAX_GALLERY_ROWS = 6


def write_report(folders: list[str | Path], output: str | Path | None = None, rows: int = 2) -> Path:
    """Write the report of one or more finished runs and return its path.

    Args:
        folders: Output folders of the runs; with more than one, the page compares them.
        output: Path of the page; by default report.html in the first folder.
        rows: Rows of six images in each gallery of the report of a single run.

    Raises:
        InputError: A folder is not that of a finished run, or ``rows`` is out of range.
    """
    if not 1 <= rows <= MAX_GALLERY_ROWS:
        raise InputError(f"--rows: expected a number from 1 to {MAX_GALLERY_ROWS}, found {rows}")
    paths = [Path(folder) for folder in folders]
    runs = read_runs(paths)
    learned = [read_learned_weights(run) for run in runs]
    if len(runs) == 1:
        title, body = single_report(runs[0], learned[0], rows)
    else:
        title, body = comparison_report(runs, learned)
    path = Path(output) if output else paths[0] / "report.html"
    write_text(path, document(title, body))
    return path


def document(title: str, body: list) -> str:
    """A self-contained page."""
    head = [
        element("meta", {"charset": "utf-8"}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        Markup('<link rel="icon" href="data:,">'),  # browsers request a missing icon from the server
        element("title", {}, title),
        element("style", {}, Markup(style_sheet())),
    ]
    content = [element("head", {}, head), element("body", {}, element("main", {}, body))]
    return f"<!doctype html>\n{element('html', {'lang': 'en'}, content)}\n"
