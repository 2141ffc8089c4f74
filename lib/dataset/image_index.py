"""The images that annotations name: each listed once, and those that are not there counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lib.dataset.image_names import agree, same_path
from lib.dataset.images import ImageFolder
from lib.dataset.packed_strings import PackedStrings
from lib.dataset.reading_notes import ReadingNotes
from lib.utils.errors import InputError, short_repr

IMAGE_MISSING = "whose image is missing"  # in the notes: annotations that are left out
MISSING = -1  # position of an image that is not in the folder


@dataclass
class ImageIndex:
    """Collects the images of a data set while its annotations are read.

    folder: where they are.
    """

    folder: ImageFolder
    _positions: dict[str, int] = field(default_factory=dict)  # {path: position}
    _names: list[str] = field(default_factory=list)
    _known: dict[Any, int] = field(default_factory=dict)  # {name: position}
    _missing: dict[Any, str] = field(default_factory=dict)  # {name: the annotation that names it, and why}

    def positions(self, names: Mapping[Any, tuple[Any, str]]) -> dict[Any, int]:
        """`position` of several images: {key: (name, annotation)} to {key: position}.

        Names that the folder has are looked up first, so that none of their files is taken for another image.
        """
        exact = [
            key for key, (name, _) in names.items() if isinstance(name, str) and name in self.folder.paths
        ]
        return {key: self.position(*names[key]) for key in dict.fromkeys([*exact, *names])}

    def position(self, name: Any, where: str) -> int:
        """Position of the image ``name`` among the images so far, or MISSING.

        Args:
            name: of the annotation file, unchecked.
            where: the annotation, for error messages.

        Raises:
            InputError: ``name`` is no text, or two names end like one file.
        """
        if isinstance(name, str) and name in self._known:
            return self._known[name]
        found = self.folder.find(name, where)
        position, why = MISSING, ""
        if len(found) != 1:
            why = self.folder.absence(name, found)
        elif found[0] not in self._positions:
            position = self._positions[found[0]] = len(self._positions)
            self._names.append(name)
        else:
            position = self._positions[found[0]]
            why = self._refusal(name, self._names[position], where)
        if why:
            self._missing[name] = f"{where}: {why}"
        self._known[name] = MISSING if why else position
        return self._known[name]

    def _refusal(self, name: str, earlier: str, where: str) -> str:
        """Why ``name`` is not the image of the file that it shares with an ``earlier`` name; empty if it is.

        If a folder is missing, the end of its images' paths may be there in another folder.
        """
        if same_path(name, earlier):
            return ""
        why = (
            f"image {short_repr(name)} is not in {self.folder.location}; the file that its path ends like is "
            f"another image, {short_repr(earlier)}"
        )
        if earlier not in self.folder.paths:
            raise InputError(f"{where}: {why}")
        return why

    def refuse_missing(self) -> None:
        """Raise InputError if an image is not there, naming the first one and saying how many are missing."""
        if self._missing:
            of_how_many = ""
            if len(self._known) > 1:
                of_how_many = f" ({len(self._missing):,} of {len(self._known):,} images are missing; DATASET.ON_BAD_IMAGE skip leaves them out)"
            name, problem = next(iter(self._missing.items()))
            raise InputError(f"{problem}{of_how_many}{self._hint(name)}")

    def _hint(self, name: str) -> str:
        """Where else there is a file of the missing image's name; empty if there is none."""
        folder = self.folder.elsewhere(name)
        if folder is None or folder.is_relative_to(self.folder.location):
            return ""
        hint = f"; a file of that name is in {folder}"
        if self.folder.setting:
            hint += f", which {self.folder.setting} can name ('.' finds images anywhere below ROOT)"
        return hint

    @property
    def notes(self) -> ReadingNotes:
        """How many images were found by the end of their name alone, and in another folder than it says."""
        found = {name: position for name, position in self._known.items() if position != MISSING}
        paths = list(self._positions)
        by_end = {name: paths[found[name]] for name in found if name not in self.folder.paths}
        elsewhere = [name for name, path in by_end.items() if not agree(name, self.folder.names[path])]
        doubts = {}
        if elsewhere:
            first = f"{short_repr(elsewhere[0])} is read from {by_end[elsewhere[0]]}"
            doubts[f"images, found in another folder than they are named with: {first}"] = len(elsewhere)
        return ReadingNotes(filled_in={"images, found by the end of their path": len(by_end)}, doubts=doubts)

    @property
    def paths(self) -> PackedStrings:
        """Paths of the images, for `read_image`."""
        return PackedStrings.of(self._positions)

    @property
    def names(self) -> PackedStrings:
        """Names of the images, as the annotation file has them."""
        return PackedStrings.of(self._names)


def with_image(positions: list[int]) -> np.ndarray:
    """bool [N], whether the image at each of ``positions`` is there."""
    return np.array(positions, np.int64) != MISSING
