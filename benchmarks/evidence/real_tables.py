"""The tables of benchmarks/real.py: detection of real and of injected wrong labels, and the target's gain."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.evidence.cases import noise_text
from benchmarks.evidence.keeping import injected_name, read_injected, read_scores
from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.resampling import (
    AP,
    AUROC,
    COUNT,
    PRECISION,
    Labels,
    difference,
    estimate,
    over_seeds,
    people_weights,
    ranking_figures,
)
from benchmarks.evidence.second_opinion import RIGHT, VERDICTS, WRONG, SecondOpinion
from benchmarks.evidence.target_gain import PCK, PCKH, MeasuredPeople, accuracies, read_predictions
from lib.utils.errors import InputError

OURS, OTHER_OURS = "ours1", "ours2"
COUNT_INJECTED = 500  # resamples: there are up to 110,000 labels
HALVES = {
    "all": "everyone",
    "even": "even annotation ids, on which the detector's settings were chosen",
    "odd": "odd annotation ids, on which none of the detector's settings was chosen",
}
# {method: {seed: {figure: [1 + R]}}}
Figures = dict[str, dict[int, dict[str, np.ndarray]]]


@dataclass(frozen=True)
class Kept:
    """What a benchmark left in ``folder``, see keeping.py.

    rows: of its runs.
    opinion: the second opinion on its source.
    people: the target's test people.
    """

    folder: Path
    rows: list[dict]
    opinion: SecondOpinion
    people: MeasuredPeople

    @property
    def noises(self) -> list[str]:
        """The noises of the rows."""
        return list(dict.fromkeys(noise_text(row["noise"], row["share"]) for row in self.rows))

    def of(self, noise: str) -> Iterator[tuple[str, int, dict]]:
        """(method, seed, row) of a noise, in the order of METHODS."""
        rows = [row for row in self.rows if noise_text(row["noise"], row["share"]) == noise]
        for row in sorted(rows, key=lambda row: (list(METHODS).index(row["method"]), row["seed"])):
            yield row["method"], row["seed"], row

    def rankings(self, noise: str) -> Iterator[tuple[str, int, Path]]:
        """(method, seed, file of scores) of the methods that rank labels."""
        for method, seed, row in self.of(noise):
            if row["scores"] is not None:
                yield method, seed, self.folder / row["scores"]


def tables(kept: Kept, halves: Iterable[str] = HALVES) -> str:
    """All tables, with what their columns mean."""
    parts = [
        f"Means over seeds; in brackets 95 % intervals, a bootstrap over people and seeds at once ({COUNT} resamples, "
        f"{COUNT_INJECTED} for injected noise).",
        f"{OURS} - it: the difference on the same resamples; seeds that only one of the two has are left out.",
        "Run on: " + "; ".join(dict.fromkeys(row["machine"] for row in kept.rows)) + ".",
    ]
    for noise in kept.noises:
        if noise == "none":
            for half in halves:
                parts += ["", *_real_errors(kept, half)]
        else:
            parts += ["", *_injected_errors(kept, noise)]
    for noise in kept.noises:
        if lines := _gain(kept, noise):
            parts += ["", *lines]
    return "\n".join(parts) + "\n"


def _real_errors(kept: Kept, half: str) -> list[str]:
    opinion = kept.opinion.half(half)
    left_out = ", ".join(f"{opinion.count(verdict)} {verdict}" for verdict in VERDICTS[2:])
    text = [
        f"### Real wrong labels, {HALVES[half]}",
        "",
        f"{opinion.count(WRONG)} wrong against {opinion.count(RIGHT)} right labels of {len(opinion.ids)} people by the "
        f"second opinion; left out: {left_out}.",
        "",
    ]
    if not opinion.count(WRONG) or not opinion.count(RIGHT):
        return [*text, "Nothing to tell apart."]
    weights, figures = people_weights(len(opinion.ids)), {}
    people, joints = np.nonzero(np.isin(opinion.verdicts, (WRONG, RIGHT)))
    wrong = opinion.verdicts[people, joints] == WRONG
    labels = Labels.of(opinion.ids[people], joints, wrong, opinion.ids)
    for method, seed, path in kept.rankings("none"):
        scores = read_scores(path)
        try:
            values = [scores[int(opinion.ids[i]), opinion.joints[j]] for i, j in zip(people, joints)]
        except KeyError as error:
            raise InputError(f"{path}: has no score of {error}, which the second opinion is about") from None
        figures.setdefault(method, {})[seed] = ranking_figures(np.array(values), labels, weights)
    return text + _detection_table(figures)


def _injected_errors(kept: Kept, noise: str) -> list[str]:
    figures: Figures = {}
    called_wrong = kept.opinion.labels(WRONG)
    joints = {name: j for j, name in enumerate(kept.opinion.joints)}
    everyone = _everyone(path for _, _, path in kept.rankings(noise))
    weights, counts = people_weights(len(everyone), COUNT_INJECTED), {}
    for method, seed, path in kept.rankings(noise):
        scores, injected = read_scores(path), read_injected(kept.folder / injected_name(seed, noise))  # fmt: skip
        # What the second opinion calls wrong is no right label, unless it was made wrong anyway.
        used = [label for label in scores if label in injected or label not in called_wrong]
        ids = np.array([number for number, _ in used], np.int64)
        of_joint = np.array([joints[name] for _, name in used])
        wrong = np.array([label in injected for label in used])
        counts[seed] = f"{wrong.sum()} of {len(wrong)}"
        labels = Labels.of(ids, of_joint, wrong, everyone)
        values = np.array([scores[label] for label in used])
        figures.setdefault(method, {})[seed] = ranking_figures(values, labels, weights)
    return [
        f"### Injected {noise}",
        "",
        "Labels made wrong on purpose against the others, without those that the second opinion calls wrong: "
        + ", ".join(f"{counts[seed]} (seed {seed})" for seed in sorted(counts))
        + ". Real wrong labels that it does not know count as right.",
        "",
        *_detection_table(figures),
    ]


def _everyone(paths: Iterable[Path]) -> np.ndarray:
    """Ids of all people who are in a file of scores, ascending."""
    of_seed = {
        path.stem.split("-", 1)[1]: path for path in paths
    }  # all methods of a seed have the same people
    ids = {number for path in of_seed.values() for number, _ in read_scores(path)}
    return np.array(sorted(ids), np.int64)


def _detection_table(figures: Figures) -> list[str]:
    rows = [["method", "seeds", AUROC, AP, PRECISION, f"{OURS} - it, AUROC", "AP", PRECISION]]
    for method, of_seed in figures.items():
        cells = [method, str(len(of_seed))]
        cells += [estimate(over_seeds(_only(of_seed, name))).text(3) for name in (AUROC, AP, PRECISION)]
        cells += [_difference(figures, OURS, method, name, 3) for name in (AUROC, AP, PRECISION)]
        rows.append(cells)
    return _table(rows)


def _gain(kept: Kept, noise: str) -> list[str]:
    people, figures = kept.people, {}
    weights = people_weights(len(people.heads))
    for method, seed, row in kept.of(noise):
        # Methods that only rank labels share the run of a mode.
        if row["run"] is not None and method == row["mode"]:
            predicted = read_predictions(kept.folder / row["run"], people.annotations)
            figures.setdefault(method, {})[seed] = accuracies(predicted, people, weights)
    if not figures:
        return []
    rows = [["method", "seeds", PCK, PCKH, *(f"{ours} - it, {name}" for ours in (OURS, OTHER_OURS) for name in (PCK, PCKH))]]  # fmt: skip
    for method, of_seed in figures.items():
        cells = [method, str(len(of_seed))]
        cells += [estimate(over_seeds(_only(of_seed, name))).text(1) for name in (PCK, PCKH)]
        cells += [_difference(figures, ours, method, name, 1) for ours in (OURS, OTHER_OURS) for name in (PCK, PCKH)]  # fmt: skip
        rows.append(cells)
    return [
        f"### The target's gain, {'errors as they are' if noise == 'none' else f'injected {noise} on top'}",
        "",
        f"{len(people.heads)} test people. {PCK}: of the box's longer side, mean over joints. {PCKH}: of the distance from "
        f"upper neck to head top, all labels together, without {people.headless} people who lack one of the two.",
        "",
        *_table(rows),
    ]


def _only(of_seed: dict[int, dict[str, np.ndarray]], name: str) -> dict[int, np.ndarray]:
    return {seed: figures[name] for seed, figures in of_seed.items()}


def _difference(figures: Figures, ours: str, method: str, name: str, digits: int) -> str:
    if method == ours or ours not in figures:
        return "-"
    return difference(_only(figures[ours], name), _only(figures[method], name)).text(digits, sign=True)


def _table(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    texts = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    return [texts[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *texts[1:]]
