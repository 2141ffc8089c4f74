"""Find the image that an annotation file means, whose name may be a path or a URL of another machine."""

import posixpath
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def candidates(name: str) -> list[str]:
    """Names that ``name`` may stand for in a folder, the surest first: itself, then ever shorter ends of its path.

    Back slashes, percent signs, queries (``/data/local-files/?d=birds/a.jpg``) and fragments are read as annotation
    tools write them.
    """
    ends = [parts[k:] for parts in _readings(name) for k in range(len(parts))]
    # The longest end of any reading first: birds/a.jpg is surer than a.jpg.
    ends.sort(key=len, reverse=True)
    return list(dict.fromkeys([name, *("/".join(end) for end in ends)]))


def same_path(name: str, other: str) -> bool:
    """Whether two names only spell one path differently."""
    return _whole(name) == _whole(other)


def agree(name: str, other: str) -> bool:
    """Whether one of two paths may be the other with folders in front; a/1.jpg and b/1.jpg may not."""
    ends = [[f"/{plain('/'.join(parts))}" for parts in _readings(given)] for given in (name, other)]
    return any(a.endswith(b) or b.endswith(a) for a in ends[0] for b in ends[1])


def _whole(name: str) -> str:
    return plain("/".join(sorted(_readings(name), key=len)[-1]))


def _readings(name: str) -> list[list[str]]:
    """The parts of each path that ``name`` may be."""
    paths = [posixpath.normpath(path).split("/") for path in _paths(name)]
    return [[part for part in parts if part not in ("", ".", "..")] for parts in paths]


def _paths(name: str) -> Iterator[str]:
    slashed = name.replace("\\", "/")
    yield slashed
    if "%" in slashed:
        yield unquote(slashed).replace("\\", "/")
    if SCHEME.match(slashed) or "?" in slashed or "#" in slashed:
        before, _, query = slashed.partition("#")[0].partition("?")  # urlsplit refuses some server names
        yield unquote(before)
        for _, value in parse_qsl(query):
            yield value.replace("\\", "/")


def plain(name: str) -> str:
    """``name`` as systems see it that know no letter case (Windows), or take accents apart (macOS)."""
    return unicodedata.normalize("NFC", name).casefold()


@dataclass(frozen=True)
class Listing:
    """The images of a folder by the names that may be given for them.

    paths: {name in the folder: path}.
    plain: {`plain` name in the folder: paths}.
    last_part: {`plain` file name without folders: paths}.
    """

    paths: Mapping[str, str]
    plain: Mapping[str, list[str]] = field(default_factory=dict)
    last_part: Mapping[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, paths: Mapping[str, str]) -> "Listing":
        """List the images in ``paths``."""
        by_plain: dict[str, list[str]] = {}
        by_last_part: dict[str, list[str]] = {}
        for name, path in paths.items():
            simple = plain(name)
            by_plain.setdefault(simple, []).append(path)
            by_last_part.setdefault(simple.rpartition("/")[2], []).append(path)
        return cls(paths, by_plain, by_last_part)

    def find(self, name: str) -> list[str]:
        """The paths that ``name`` may mean: one if it is found, none, or several that cannot be told apart."""
        tried = candidates(name)
        for candidate in tried:
            if candidate in self.paths:
                return [self.paths[candidate]]
            if same := self.plain.get(plain(candidate)):
                return same
        for candidate in tried:
            if same := self.last_part.get(plain(candidate).rpartition("/")[2]):
                return same
        return []
