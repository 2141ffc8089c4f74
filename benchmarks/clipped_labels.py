"""Precision at the top of a run's ranking, where weights are clipped and so equal; needs data whose truth is known.

    python benchmarks/clipped_labels.py output/coco_to_mpii/pose_resnet_10/people/ours1

Four orders of the same labels, all with the lowest weight first: equal weights in the order of the file, in a
pseudo-random one, by the unclipped logit, and by the table's score.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch

from lib.dataset.annotations import Annotations
from lib.ignoring.loss_aware import trust_of
from lib.ignoring.ranking import ranked_keypoints
from lib.ignoring.weight_table import WeightTable, read_weight_table
from lib.label_noise.source import source_of_run
from lib.utils.checkpoint import load_checkpoint
from lib.utils.errors import InputError
from lib.wrong_labels.metrics import auroc

TOPS = (50, 100, 200, 400, 800)
Orders = dict[str, np.ndarray]


def unclipped_logits(variables: dict) -> np.ndarray:
    """t (v + u) + b + w1 e + w2 mean(e) of loss-aware variables, [N, J], from their part of a checkpoint."""
    try:
        own, met = variables["average"], variables["met"]
        (w1, w2), b = variables["linear"][:2], variables["linear"][2:]
        instance = own.sum(1) / met.sum(1).clamp(min=1)
        from_losses = w1 * own + w2 * instance[:, None]
        trust = trust_of(variables.get("recent_pairs", torch.zeros(3)))  # earlier versions trusted in full
        return (trust * (variables["logits"] + variables["person"][:, None]) + b + from_losses).numpy()
    except KeyError:
        raise InputError("expected a run with LBI.VARIABLES loss_aware") from None


def orders_of(table: WeightTable, annotations: Annotations, logits: np.ndarray, mask: np.ndarray) -> Orders:
    """Positions in the flattened [N, J] of the keypoints in ``mask``, the most suspect first."""
    chosen = np.flatnonzero(mask)
    in_file_order = chosen[np.argsort(table.weights.ravel()[chosen], kind="stable")]
    scores = {"pseudo-random": 1 - table.weights, "unclipped logit": -logits, "score": table.scores}
    ranked = {name: ranked_keypoints(values, mask, annotations.ids) for name, values in scores.items()}
    return {"order of the file": in_file_order} | ranked


def main(argv: list[str] | None = None) -> None:
    """Print a table: precision at the top for each order, and the AUROC within the labels of lowest weight."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="output folder of a run that learned loss-aware weights")
    folder = parser.parse_args(argv).run
    _, annotations, truth = source_of_run(folder)
    if truth is None:
        raise InputError(f"{folder}: the wrong labels of its source are not known")
    table = read_weight_table(folder / "ignoring_weights.npz", annotations)
    variables = load_checkpoint(folder / "last.pth")["variables"]
    logits = unclipped_logits(variables["B" if "B" in variables else "A"])
    mask = (annotations.visible > 0) & (table.seen > 0)
    weights, wrong = table.weights.ravel(), truth.corrupted.ravel()
    equal = np.flatnonzero(mask.ravel() & (weights == weights[mask.ravel()].min()))
    print(
        f"{len(equal)} of {mask.sum()} labels share the lowest weight; {100 * wrong[equal].mean():.1f} % of them are "
        f"wrong, {100 * wrong[mask.ravel()].mean():.1f} % of all"
    )
    print(f"{'':20}" + "".join(f"{f'top {top}':>10}" for top in TOPS) + f"{'AUROC among the lowest':>25}")
    for name, order in orders_of(table, annotations, logits, mask).items():
        place = np.empty(len(weights))
        place[order] = np.arange(len(order))
        cells = "".join(f"{wrong[order[:top]].mean():10.2f}" for top in TOPS)
        print(f"{name:20}{cells}{auroc(-place[equal], wrong[equal]):25.2f}")


if __name__ == "__main__":
    main()
