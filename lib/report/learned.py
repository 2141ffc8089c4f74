"""The ignoring weights that a run learned, with the annotations and the known truth."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lib.config.data_settings import SourceDatasetConfig
from lib.dataset.annotations import Annotations, read_json
from lib.dataset.joints import mapping_of, names_own_keypoints
from lib.dataset.layouts import ObjectFileLayout, layout_of, training_set
from lib.ignoring.suspects import Suspects, known_labels
from lib.ignoring.weight_table import read_weight_table
from lib.label_noise.source import source_of_run
from lib.label_noise.truth import Truth
from lib.report.estimates import read_estimate
from lib.report.results import read_results
from lib.report.runs import Run
from lib.utils.errors import InputError
from lib.wrong_labels.estimate import Estimate

MODEL_OF = {"A": "source", "B": "target"}  # the model whose loss each set of weights is in


@dataclass(frozen=True)
class LearnedWeights:
    """One set of ignoring weights, for N instances with J joints.

    place: "A" (source model's loss) or "B" (target model's loss).
    file: File name of the weight table.
    annotations: The source annotations, as trained on.
    weights: [N, J] in [0, 1].
    seen: [N, J] number of batches that contained the keypoint.
    scores: [N, J] the order of the suspects, higher is more suspect; of labels that were not judged, the order of the
        weights, see `IgnoringVariables.all_scores`.
    truth: Which labels are wrong, None if unknown.
    annotators: [N] annotator of each annotation ("" if it has none); None if no annotation has one.
    suspects: What is held of the labels; None if they were not judged.
    estimate: How many labels are wrong by the run's own estimate; None without one.
    """

    place: str
    file: str
    annotations: Annotations
    weights: np.ndarray
    seen: np.ndarray
    scores: np.ndarray
    truth: Truth | None
    annotators: list[str] | None
    suspects: Suspects | None = None
    estimate: Estimate | None = None

    @property
    def wrong(self) -> np.ndarray | None:
        """[N, J] bool, the wrong labels; None if unknown."""
        return None if self.truth is None else self.truth.corrupted

    @property
    def labelled(self) -> np.ndarray:
        """[N, J] bool, the labelled keypoints; weights of other keypoints have no effect."""
        return self.annotations.visible > 0

    @property
    def visited(self) -> np.ndarray:
        """[N, J] bool, the labelled keypoints of at least one batch; other weights are initial values."""
        return self.labelled & (self.seen > 0)

    @property
    def has_weights(self) -> bool:
        """Whether any weight was learned; none is where labels were judged without a training."""
        return bool(self.seen.any())

    @property
    def known(self) -> np.ndarray:
        """[N, J] bool, the labels that something is known about: those judged or, without judgement, visited."""
        return known_labels(self.labelled, self.seen, self.suspects)

    @property
    def detector(self) -> np.ndarray:
        """[N, J] how suspect labels are, for AUROC: the scores of labels that were judged, else minus the weights."""
        return -self.weights if self.suspects is None else self.scores

    @property
    def doubt(self) -> np.ndarray:
        """[N, J] what ranks groups of labels: the probability of being wrong or, if not judged, minus the weight."""
        return -self.weights if self.suspects is None else self.suspects.probability

    @property
    def has_both_classes(self) -> bool:
        """Whether both wrong and correct labels are known, as ROC curves need."""
        if self.wrong is None:
            return False
        wrong = self.wrong[self.labelled]
        return bool(wrong.any() and not wrong.all())

    @property
    def model(self) -> str:
        """The model whose loss the weights are in: "source" or "target"."""
        return MODEL_OF[self.place]


class NamedWeights(NamedTuple):
    """A set of weights with its name in legends and the index of its colour and dashes."""

    name: str
    style_index: int
    learned: LearnedWeights


def name_weights(runs: list[Run], learned: list[list[LearnedWeights]]) -> list[NamedWeights]:
    """Name all sets of weights of all runs.

    The first set of a run gets the run's index and so its colour; a second set gets an unused one.
    """
    named = []
    for index, (run, sets) in enumerate(zip(runs, learned)):
        for nth, weights in enumerate(sets):
            place = f"weights {weights.place}" if len(sets) > 1 or len(runs) == 1 else ""
            name = ", ".join(filter(None, (run.name if len(runs) > 1 else "", place)))
            named.append(NamedWeights(name, index + nth * len(runs), weights))
    return named


def read_learned_weights(run: Run) -> list[LearnedWeights]:
    """Read all sets of weights of a run; an empty list for a baseline.

    Raises:
        InputError: A weight table, the source annotations or results.json cannot be used.
    """
    summaries = run.results.get("weights") or {}
    if not summaries:
        return []
    source = run.config.dataset_src
    _, annotations, truth = source_of_run(run.folder)
    annotators = _annotators(source, annotations)
    learned = []
    for place, summary in summaries.items():
        path = _table_path(run, place, summary)
        arrays = path.with_suffix(".npz")  # the same, read faster
        table = read_weight_table(arrays if arrays.exists() else path, annotations)
        learned.append(
            LearnedWeights(
                place,
                path.name,
                annotations,
                table.weights,
                table.seen,
                table.scores,
                truth,
                annotators,
                table.suspects,
                read_estimate(run.folder / "results.json", summary),
            )  # fmt: skip
        )
    return learned


def refuse_baseline(folder: Path) -> None:
    """Raise InputError if results.json says that the run in ``folder`` learned no weights."""
    path = folder / "results.json"
    if path.exists() and not (results := read_results(path)).get("weights"):
        raise InputError(
            f"{folder}: a run of mode {results['mode']}, which learns no weights; expected one of ours1 to ours5"
        )


def _table_path(run: Run, place: str, summary: dict) -> Path:
    """Path of a weight table; InputError unless it is directly in the run's folder."""
    try:
        path = run.folder / summary["file"]
    except (KeyError, TypeError):
        path = None
    if path is None or path.parent != run.folder or place not in MODEL_OF:
        raise InputError(
            f"{run.folder / 'results.json'}: weights: expected the keys A or B, with a 'file' in this "
            f"folder, found {place!r:.40}"
        )
    return path


def shifted_joints(run: Run, annotations: Annotations) -> dict[str, tuple[str, str]]:
    """Joints that mean different keypoints in source and target: {joint: (source's, target's)}.

    With data sets that name their own keypoints, joints of DATASET_SRC.JOINTS are excluded: the user
    has declared them equal.
    """
    mapping = annotations.mapping
    target = mapping_of(run.config, training_set(run.config.dataset_target))
    custom = names_own_keypoints(mapping) or names_own_keypoints(target)
    declared = run.config.dataset_src.joints if custom else ()
    pairs = zip(mapping.names, mapping.native, target.native)
    return {j: (s, t) for j, s, t in pairs if s not in (t, None) and j not in declared}


def _annotators(source: SourceDatasetConfig, annotations: Annotations) -> list[str] | None:
    """The field ``annotator`` (or ``annotator_id``) of each annotation in a COCO file."""
    layout = layout_of(source)
    if not isinstance(layout, ObjectFileLayout):
        return None
    annotator_of = {}
    for annotation in read_json(layout.annotation_files(source.train_set)[0])["annotations"]:
        name = annotation.get("annotator", annotation.get("annotator_id"))
        if name is not None:
            annotator_of[annotation["id"]] = str(name)
    return [annotator_of.get(number, "") for number in annotations.ids.tolist()] if annotator_of else None
