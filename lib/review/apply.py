"""Applying what reviewers decided: the annotation file with their corrections."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from lib.review.corrected_file import Change, JudgedFile
from lib.review.corrections import Corrections, corrections_of
from lib.review.decisions import PREFIX, SUFFIX, Review, read_reviews
from lib.review.found import DESCRIPTION, TABLE, FoundLabels, LabelFile, read_found
from lib.review.label_text import read_label_text
from lib.utils.errors import InputError
from lib.utils.files import write_text


@dataclass(frozen=True)
class Reviewed:
    """A folder of find_labels.py, and what its reviewers decided.

    file: the annotation file, as it was when its labels were judged.
    labels: what was found in it.
    reviews: of each reviewer.
    corrections: what they say together.
    """

    folder: Path
    file: LabelFile
    labels: FoundLabels
    reviews: tuple[Review, ...]
    corrections: Corrections

    def judged(self, labels: str | Path | None = None) -> JudgedFile:
        """The annotation file, read from ``labels`` (None: from where it was).

        Raises:
            InputError: it is not the file whose labels were judged.
        """
        return JudgedFile(self.file, read_label_text(self.file, Path(labels or self.file.path)), self.labels)

    def check_decided(self) -> None:
        """InputError if there are no decisions."""
        if not self.reviews:
            raise InputError(
                f"{self.folder}: has no decisions ({PREFIX}REVIEWER{SUFFIX}); expected those of review.py"
            )

    def check_output(self, output: Path, inputs: Collection[Path], overwrite: bool) -> None:
        """InputError if ``output`` is one of the ``inputs`` or a file of the folder, or would replace another file."""
        if output.is_dir():
            raise InputError(f"--output {output}: is a folder, expected a file to write")
        if not output.exists():
            return
        own = [self.folder / TABLE, self.folder / DESCRIPTION, *self.folder.glob(f"{PREFIX}*{SUFFIX}")]
        if any(path.exists() and os.path.samefile(output, path) for path in [*inputs, *own]):
            raise InputError(f"--output {output}: is read here; choose another file")
        if not overwrite:
            raise InputError(
                f"--output {output}: exists; choose another file, or replace it with --overwrite"
            )


def read_reviewed(folder: str | Path, prefer: str | None = None) -> Reviewed:
    """Read what was found in a folder, and what was decided about it.

    Args:
        prefer: reviewer who is right where several say different things.

    Raises:
        InputError: naming the file that is missing or cannot be used.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder, expected that of find_labels.py")
    file, labels = read_found(folder)
    reviews = read_reviews(folder, file)
    return Reviewed(folder, file, labels, tuple(reviews), corrections_of(reviews, file, prefer))


def apply_corrections(
    reviewed: Reviewed, output: str | Path, labels: str | Path | None = None, overwrite: bool = False
) -> list[Change]:
    """Write the annotation file with what its reviewers decided; all else in it stays as it is.

    Args:
        reviewed: see `read_reviewed`.
        output: annotation file to write.
        labels: the annotation file that was judged, if it is not where it was.
        overwrite: replace the output if it exists.

    Returns:
        The labels that are changed, in the file's order.

    Raises:
        InputError: there are no decisions, the annotation file is another, or the output cannot be written.
    """
    output = Path(output)
    reviewed.check_output(output, [Path(labels or reviewed.file.path)], overwrite)
    reviewed.check_decided()
    judged = reviewed.judged(labels)
    changes = judged.changes(reviewed.corrections)
    write_text(output, judged.corrected(changes))
    return changes
