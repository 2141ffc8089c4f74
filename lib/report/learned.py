"""The ignoring weights that a run learned, with the people and the truth they are about."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lib.config.schema import SourceDatasetConfig
from lib.dataset.annotations import Annotations, read_json
from lib.dataset.joints import mapping_of, names_own_keypoints
from lib.dataset.layouts import layout_of, training_set
from lib.ignoring.weight_table import read_whole_ledger
from lib.label_noise.source import source_of_run
from lib.label_noise.truth import Truth
from lib.report.runs import Run
from lib.utils.errors import InputError

MODEL_OF = {"A": "source", "B": "target"}  # whose loss the weights of a place are in


@dataclass(frozen=True)
class Learned:
    """place: A (source model's loss) or B (target model's own).   file: name of the table.
    weights, seen: [N, J].   truth: None where nobody knows.
    annotators: [N] who made each annotation ("" where that is not said), None where none says.
    """

    place: str
    file: str
    people: Annotations
    weights: np.ndarray
    seen: np.ndarray
    truth: Truth | None
    annotators: list[str] | None

    @property
    def wrong(self) -> np.ndarray | None:
        """[N, J] which labels are wrong, None where nobody knows."""
        return None if self.truth is None else self.truth.wrong

    @property
    def labelled(self) -> np.ndarray:
        """[N, J] the keypoints that have a label, and so a weight that means something."""
        return self.people.visible > 0

    @property
    def learned(self) -> np.ndarray:
        """[N, J] the labelled ones that were in a batch: the weight of another is where it started."""
        return self.labelled & (self.seen > 0)

    @property
    def knows_both(self) -> bool:
        """Labels are known to be wrong and others to be right, so that curves of detection exist."""
        if self.wrong is None:
            return False
        wrong = self.wrong[self.labelled]
        return bool(wrong.any() and not wrong.all())

    @property
    def model(self) -> str:
        return MODEL_OF[self.place]


class Named(NamedTuple):
    """Weights under the name and the number (of colour and dashes) that they have in charts."""

    name: str
    number: int
    learned: Learned


def name_all(runs: list[Run], learned: list[list[Learned]]) -> list[Named]:
    """The weights of all runs: colourise as their run where it is one of several, A after B."""
    named = []
    for number, (run, ones) in enumerate(zip(runs, learned)):
        for nth, one in enumerate(ones):
            place = f"weights {one.place}" if len(ones) > 1 or len(runs) == 1 else ""
            name = ", ".join(filter(None, (run.name if len(runs) > 1 else "", place)))
            named.append(Named(name, number + nth * len(runs), one))
    return named


def read_learned(run: Run) -> list[Learned]:
    """One for each set of weights of the run, none for a baseline. Raises InputError."""
    ledgers = run.results.get("weights") or {}
    if not ledgers:
        return []
    source = run.config.dataset_src
    _, people, truth = source_of_run(run.folder)
    annotators = _annotators(source, people)
    read = []
    for place, summary in ledgers.items():
        try:
            table = run.folder / summary["file"]
            if table.parent != run.folder:
                raise KeyError
            MODEL_OF[place]
        except (KeyError, TypeError):
            raise InputError(
                f"{run.folder / 'results.json'}: weights: expected A or B with 'file', found {place!r:.40}"
            ) from None
        arrays = table.with_suffix(".npz")
        ledger = read_whole_ledger(arrays if arrays.exists() else table, people)
        read.append(Learned(place, table.name, people, *ledger, truth, annotators))
    return read


def shifted_joints(run: Run, people: Annotations) -> dict[str, tuple[str, str]]:
    """Joints that mean one thing in the source and another in the target: {joint: (source's, target's)}.

    Those in DATASET_SRC.JOINTS are left out where a set has names of its own: they may mean the same.
    """
    own = people.mapping
    target = mapping_of(run.config, training_set(run.config.dataset_target))
    named = names_own_keypoints(own) or names_own_keypoints(target)
    given = run.config.dataset_src.joints if named else ()
    pairs = zip(own.names, own.native, target.native)
    return {j: (s, t) for j, s, t in pairs if s not in (t, None) and j not in given}


def _annotators(source: SourceDatasetConfig, people: Annotations) -> list[str] | None:
    """The field ``annotator`` (or ``annotator_id``) of each person's annotation in a COCO file."""
    layout = layout_of(source)
    if not layout.in_coco_format:
        return None
    named = {}
    for annotation in read_json(layout.annotation_files(source.train_set)[0])["annotations"]:
        name = annotation.get("annotator", annotation.get("annotator_id"))
        if name is not None:
            named[annotation["id"]] = str(name)
    return [named.get(number, "") for number in people.ids.tolist()] if named else None
