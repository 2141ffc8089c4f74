"""The images that annotations name: each listed once, and those that are not there counted."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lib.dataset.images import ImageFolder
from lib.dataset.packed_strings import PackedStrings
from lib.dataset.reading_notes import ReadingNotes
from lib.utils.errors import InputError, short_repr

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
    _missing: dict[Any, str] = field(default_factory=dict)  # {name: the annotation that names it}

    def position(self, name: Any, where: str) -> int:
        """Position of the image ``name`` among the images so far, or MISSING.

        Args:
            name: of the annotation file, unchecked.
            where: the annotation, for error messages.

        Raises:
            InputError: ``name`` is no text, or may mean several images.
        """
        if isinstance(name, str) and name in self._known:
            return self._known[name]
        path = self.folder.find(name, where)
        if path is None:
            self._missing.setdefault(name, where)
            position = MISSING
        else:
            if path not in self._positions:
                self._names.append(name)
            position = self._positions.setdefault(path, len(self._positions))
        self._known[name] = position
        return position

    def refuse_missing(self) -> None:
        """Raise InputError if an image is not there, naming the first one and saying how many are missing."""
        if self._missing:
            name, where = next(iter(self._missing.items()))
            of_how_many = ""
            if len(self._known) > 1:
                of_how_many = f" ({len(self._missing):,} of {len(self._known):,} images are missing; DATASET.ON_BAD_IMAGE skip leaves them out)"
            raise InputError(
                f"{where}: image {short_repr(name)} is not in {self.folder.location}{of_how_many}"
            )

    @property
    def notes(self) -> ReadingNotes:
        """How many images were found by the end of their name alone."""
        found = {name: position for name, position in self._known.items() if position != MISSING}
        by_end = sum(name not in self.folder.paths for name in found)
        return ReadingNotes(filled_in={"images, found by the end of their path": by_end})

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
