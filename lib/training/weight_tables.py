"""The tables at the end of a run: the ignoring weights of every source label, and which labels are wrong."""

from dataclasses import asdict, replace

import numpy as np
import torch

from lib.dataset.annotations import Annotations
from lib.ignoring.modes import Place
from lib.ignoring.variables import FixedWeights
from lib.ignoring.weight_doubts import Agreement
from lib.ignoring.weight_table import WeightTable, write_weight_table
from lib.label_noise.truth import Truth
from lib.training.run_spec import RunSpec
from lib.training.state import State
from lib.utils.log import LOG
from lib.wrong_labels.find import WrongLabels, find_wrong_labels
from lib.wrong_labels.metrics import auroc, average_precision
from lib.wrong_labels.readings import Reader

TABLE, SECOND_TABLE = "ignoring_weights.csv", "ignoring_weights_source_model.csv"


def learned_tables(state: State) -> dict[Place, tuple[WeightTable, dict]]:
    """For each place its weights and, if they were learned, what is known about the learning: the agreement in sign
    of successive hypergradients, and the rank correlations of successive epochs.

    The weights in the target's own loss (B) come first.
    """
    tables = {}
    for place, variables in sorted(state.variables.items(), reverse=True):
        trusted = torch.where(variables.known, 1.0, variables.all_weights())
        weights, seen, scores = (
            array.cpu().numpy() for array in (trusted, variables.seen, variables.all_scores())
        )
        learning: dict = {}
        if variables.learned:
            learning["sign_agreement"] = Agreement(*variables.agreement.tolist()).share
            learning["rank_correlations"] = [round(rho, 4) for rho in state.rankings[place].correlations]
        tables[place] = WeightTable(weights, seen, scores), learning
    return tables


def judge_labels(spec: RunSpec, state: State) -> WrongLabels | None:
    """The wrong labels of the source, as the target model in ``state`` sees them; None if nobody asks for them,
    or the weights were known beforehand."""
    learned = any(
        variables.learned or (isinstance(variables, FixedWeights) and variables.ranking is not None)
        for variables in state.variables.values()
    )
    if not (spec.config.lbi.find_wrong_labels and learned):
        return None
    reader = Reader(
        model=state.models()["target"].model,
        device=state.device,
        batch_size=spec.config.test.batch_size,
        workers=spec.config.workers,
        seed=spec.config.seed,
    )
    data = spec.data
    found = find_wrong_labels(reader, data.source.without_augmentation(), data.target.without_augmentation())
    return found if data.known is None else found.knowing(data.known)


def write_weight_tables(
    spec: RunSpec, tables: dict[Place, tuple[WeightTable, dict]], found: WrongLabels | None
) -> dict:
    """Write one table for each set of weights. Returns for each place its file, its mean weight, what was found, and how
    well the scores tell wrong labels from right ones, if the truth is known.

    TABLE has the weights in the target's own loss (B) or, in modes without them, the source model's (A); a mode
    that learns both writes A to SECOND_TABLE. The scores are those of ``found``, or the weights' own.
    """
    summary: dict[str, dict] = {}
    annotations, truth = spec.data.source.annotations if tables else None, spec.data.source_truth
    for place, (table, learning) in tables.items():
        name = TABLE if not summary else SECOND_TABLE
        summary[place] = {
            "file": name,
            "mean": float(table.weights[annotations.visible > 0].mean()),
            **learning,
        }
        if truth is not None:
            summary[place] |= _measured("weights", place, -table.weights, annotations, truth)
        if found is not None:
            table = replace(table, scores=found.ranked(annotations.visible > 0), suspects=found.suspects)
            summary[place]["wrong_labels"] = asdict(found.estimate)
            if truth is not None:
                summary[place]["wrong_labels"] |= _measured("scores", place, table.scores, annotations, truth)
        path = spec.paths.output / name
        write_weight_table(path, annotations, table)
        LOG.info(f"weights {place} of every source keypoint: {path}")
    for line in found.estimate.lines() if found is not None else ():
        LOG.info(line)
    return summary


def _measured(what: str, place: Place, scores: np.ndarray, annotations: Annotations, truth: Truth) -> dict:
    """AUROC and average precision of the scores [N, J]; logged."""
    labelled = annotations.visible > 0
    wrong = truth.corrupted[labelled]
    figures = {
        "auroc": auroc(scores[labelled], wrong),
        "average_precision": average_precision(scores[labelled], wrong),
    }
    LOG.info(
        f"{what} {place} as a detector of wrong labels: AUROC {figures['auroc']:.3f}, "
        f"average precision {figures['average_precision']:.3f}"
    )
    return figures
