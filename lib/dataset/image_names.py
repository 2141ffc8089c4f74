"""Find the image that an annotation file means, whose name may be a path or a URL of another machine."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def candidates(name: str) -> Iterator[str]:
    """Names that ``name`` may stand for in a folder, the surest first: itself, then ever shorter ends of its path.

    Back slashes, percent signs and queries (``/data/local-files/?d=birds/a.jpg``) are read as annotation tools
    write them.
    """
    yield name
    for path in _paths(name):
        parts = [part for part in posixpath.normpath(path).split("/") if part not in ("", ".", "..")]
        for k in range(len(parts)):
            yield "/".join(parts[k:])


def _paths(name: str) -> Iterator[str]:
    slashed = name.replace("\\", "/")
    yield slashed
    if "%" in slashed:
        yield unquote(slashed)
    if URL.match(slashed) or "?" in slashed:
        url = urlsplit(slashed)
        yield unquote(url.path)
        for _, value in parse_qsl(url.query):
            yield value


def find_image(name: str, paths: Mapping[str, str], by_last_part: Mapping[str, list[str]]) -> list[str]:
    """The paths that ``name`` may mean: one if it is found, none, or several that cannot be told apart.

    Args:
        name: of the annotation file.
        paths: {name in the folder: path}, see ``ImageFolder.paths``.
        by_last_part: {file name without folders: paths}.
    """
    tried = list(dict.fromkeys(candidates(name)))
    for candidate in tried:
        if candidate in paths:
            return [paths[candidate]]
    for candidate in tried:
        if found := by_last_part.get(candidate.rpartition("/")[2]):
            return found
    return []
