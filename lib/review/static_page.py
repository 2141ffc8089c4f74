"""The page of some labels as one file, which needs no server: for a colleague, who gives a file of decisions back."""

import base64
import html
import json
import re
import secrets
from pathlib import Path

import numpy as np

from lib.review.crops import Crops
from lib.review.decisions import head_of
from lib.review.details import details, overview
from lib.review.session import Session
from lib.review.table import Filter
from lib.utils.errors import InputError
from lib.utils.files import write_text

PAGE = Path(__file__).with_name("page")
LARGEST = 500  # labels in one file, whose pictures the browser holds at once
CROP = 600  # pixels of a picture's side
MODULES = {
    "static": "api",
    "draw": "draw",
    "grid": "grid",
    "panel": "panel",
    "filters": "filters",
    "review": "review",
}
IMPORT = re.compile(r'^import (.+?) from "\./(\w+)\.js";$', re.MULTILINE)
EXPORT = re.compile(r"^export ((?:async )?(?:function|const) (\w+))", re.MULTILINE)
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


def write_static(path: Path, session: Session, crops: Crops, count: int, shows_all: bool = False) -> int:
    """Write the page of the ``count`` most suspect labels to ``path``.

    Args:
        path: an HTML file.
        session: what was reviewed; labels that were are left out unless ``shows_all``.
        crops: draws the labels' surroundings.
        count: 1 to LARGEST.

    Returns:
        The number of labels in the file.

    Raises:
        InputError: there is no label to review, too many are wanted, or an image cannot be read.
    """
    if path.is_dir() or path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--static {path}: expected the name of an HTML file to write, such as page.html")
    if not 1 <= count <= LARGEST:
        raise InputError(
            f"--count is {count}, expected 1 to {LARGEST}: the file holds a picture for each label"
        )
    chosen = Filter(reviewed="any" if shows_all else "no")
    rows = session.table.matching(chosen, session.reviewed)[:count]
    if not len(rows):
        raise InputError(
            f"{session.path.parent}: every label was reviewed; nothing is written (--all takes them, too)"
        )
    write_text(path, _page(_data(session, crops, rows, shows_all)))
    return len(rows)


def _data(session: Session, crops: Crops, rows: np.ndarray, shows_all: bool) -> dict:
    file = session.table.file
    pictures = {row: base64.b64encode(crops.draw(row, 0, CROP)).decode() for row in rows.tolist()}
    return {
        "key": secrets.token_hex(8),  # of what the browser keeps: two pages do not share it
        "head": head_of(file),
        "known_pairs": [list(pair) for pair in file.known_pairs],
        "overview": overview(session, shows_all, rows)
        | {"reviewer": "", "file": Path(file.path).name, "decisions": ""},
        "labels": [details(session, row, 0) for row in rows.tolist()],
        "pictures": {row: f"data:image/jpeg;base64,{picture}" for row, picture in pictures.items()},
    }


def _page(data: dict) -> str:
    """index.html with all that it loads, and ``data``, in it."""
    style = (PAGE / "review.css").read_text(encoding="utf-8")
    icon = base64.b64encode((PAGE / "icon.svg").read_bytes()).decode()
    content = json.dumps(data).replace("<", "\\u003c")  # no text in it can end the element
    script = f'<script type="application/json" id="data">{content}</script>\n<script type="module">\n{_scripts()}</script>'
    parts = {
        '<link rel="icon" href="/page/icon.svg">': f'<link rel="icon" href="data:image/svg+xml;base64,{icon}">',
        '<link rel="stylesheet" href="/page/review.css">': f"<style>\n{style}</style>",
        '<script type="module" src="/page/review.js"></script>': script,
        '<meta charset="utf-8">': f'<meta charset="utf-8">\n  <meta http-equiv="content-security-policy" content="{html.escape(POLICY)}">',
    }
    page = (PAGE / "index.html").read_text(encoding="utf-8")
    for part, replacement in parts.items():
        before, found, after = page.partition(part)
        assert found, part
        page = before + replacement + after
    return page


def _scripts() -> str:
    """The page's modules as one: each a block, whose exports are the fields of an object named after it."""
    blocks = []
    for file, name in MODULES.items():
        text = (PAGE / f"{file}.js").read_text(encoding="utf-8")
        exported = [match[2] for match in EXPORT.finditer(text)]
        text = EXPORT.sub(r"\1", IMPORT.sub(_import, text))
        blocks.append(f"{{\n{text}\nmodules.{name} = {{ {', '.join(exported)} }};\n}}\n")
    return "const modules = {};\n" + "".join(blocks)


def _import(match: re.Match) -> str:
    """`import { a } from "./b.js"` and `import * as b from "./b.js"` as assignments."""
    return f"const {match[1].removeprefix('* as ')} = modules.{match[2]};"
