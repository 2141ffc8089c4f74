"""After how many visits of a label the ranking of the weights stands still, in a run whose wrong labels are known.

    python benchmarks/standstill.py [--cfg FILE] [--noise low] [--seed 0] [--every STEPS] [KEY VALUE ...]

Trains ours1, by default the demo's on built-in people drawn for the seed, and prints after every epoch, or every
so many steps: the mean visits of a label, the rank correlation (Spearman) of the scores with the line before and
with those at the end, and their AUROC against the truth. The ranking stands still from the first line on after
which the AUROC stays within 0.01 of the last one. KEY VALUE changes settings, so that two runs can be compared.
"""

import argparse
import contextlib
import io
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch

from benchmarks.evidence.cases import MIXTURES
from benchmarks.evidence.grounds import BUILT_IN, GROUNDS, People
from benchmarks.evidence.trial import ONE_THREAD, QUIET
from lib.config.loader import load_config, parse_overrides
from lib.config.run_paths import RunPaths
from lib.ignoring.modes import MODES
from lib.ignoring.rank_history import rank_correlation
from lib.training.data import build_data
from lib.training.phases import Phase
from lib.training.run_spec import RunSpec
from lib.training.trainer import Trainer
from lib.utils.errors import InputError
from lib.wrong_labels.metrics import auroc

WITHIN = 0.01  # of the last AUROC


@dataclass(frozen=True)
class Moment:
    """The weights during a run.

    step: training steps taken.
    visits: mean number of visits of a label.
    scores: [N, J], higher is more suspect; NaN for a label that was not visited.
    auroc: of the scores of all labels against the truth.
    """

    step: int
    visits: float
    scores: np.ndarray
    auroc: float


class ObservedTrainer(Trainer):
    """Keeps the ``moments`` of a run, one every ``every`` steps (0: an epoch)."""

    def __init__(self, spec: RunSpec, every: int):
        super().__init__(spec)
        self.every = every or self.steps_per_epoch
        self.moments: list[Moment] = []

    def run_step(self, phase: Phase, epoch: int):
        step = super().run_step(phase, epoch)
        if self.state.step % self.every == 0:
            self.moments.append(self._moment())
        return step

    def _moment(self) -> Moment:
        variables = self.state.variables["B"]
        labelled, wrong = self.data.source.annotations.visible > 0, self.data.source_truth.corrupted
        scores, seen = variables.all_scores().cpu().numpy(), variables.seen.cpu().numpy()
        return Moment(
            self.state.step,
            float(seen[labelled].mean()),
            np.where(labelled & (seen > 0), scores, np.nan),
            auroc(scores[labelled], wrong[labelled]),
        )


def standstill(aurocs: list[float]) -> int:
    """Position of the first AUROC from which on all are within 0.01 of the last one."""
    away = np.flatnonzero(np.abs(np.array(aurocs) - aurocs[-1]) > WITHIN)
    return int(away[-1]) + 1 if away.size else 0


def lines(moments: list[Moment]) -> list[str]:
    """The table of a run, and after how many visits its ranking stood still."""
    table = [f"{'step':>6}{'visits':>9}{'to before':>11}{'to the end':>12}{'AUROC':>8}"]
    for before, now in zip([None, *moments], moments):
        own = "" if before is None else f"{rank_correlation(before.scores, now.scores):.3f}"
        end = rank_correlation(now.scores, moments[-1].scores)
        table.append(f"{now.step:6}{now.visits:9.1f}{own:>11}{end:12.3f}{now.auroc:8.3f}")
    still = moments[standstill([moment.auroc for moment in moments])]
    return [
        *table,
        f"stands still after {still.visits:.1f} visits (step {still.step}): AUROC {still.auroc:.3f}",
    ]


def observe(spec: RunSpec, every: int) -> list[Moment]:
    """Train, and return the moments.

    Raises:
        InputError: if the truth about the source is not known, or no step is due.
    """
    if spec.data.source_truth is None:
        raise InputError("the wrong labels of the source are not known; --noise makes some")
    trainer = ObservedTrainer(spec, every)
    with contextlib.redirect_stdout(io.StringIO()):
        trainer.train()
    if not trainer.moments:
        raise InputError(f"--every {every}: the run has only {trainer.state.step} steps")
    return trainer.moments


def main(argv: list[str] | None = None) -> None:
    """Print the table of one run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cfg", type=Path, help="settings with their own data (default: the demo's)")
    parser.add_argument("--noise", default="low", help="put into the source's labels: KIND:SHARE, several joined by +, none, or "
                        + ", ".join(MIXTURES) + " (default: low)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of data, noise and training (default: 0)")
    parser.add_argument("--every", type=int, default=0, help="steps between two lines (default: an epoch)")
    parser.add_argument(
        "--data", type=Path, default=Path("data/evidence"), help="folder of the built-in people"
    )
    parser.add_argument("settings", nargs="*", metavar="KEY VALUE")
    args = parser.parse_args(argv)
    ground = GROUNDS[BUILT_IN]
    people = People(args.data / BUILT_IN / str(args.seed), "none", args.seed)
    drawn = {}
    if args.cfg is None:
        ground.draw(people)
        drawn = people.settings
    with tempfile.TemporaryDirectory(prefix="standstill") as folder:
        own = {"SEED": args.seed, "LBI.INJECT_SEED": args.seed, "OUTPUT_DIR": folder, "LOG_DIR": f"{folder}/log",
               "LBI.INJECT_NOISE": "" if args.noise == "none" else MIXTURES.get(args.noise, args.noise),
               "LBI.FIND_WRONG_LABELS": False}  # fmt: skip
        cfg = args.cfg or ground.cfg
        config = load_config(cfg, {**QUIET, **ONE_THREAD, **drawn, **own, **parse_overrides(args.settings)})
        with contextlib.redirect_stdout(io.StringIO()):
            data = build_data(config, True)
        paths = RunPaths.for_run(config, cfg, "standstill", "ours1")
        print("\n".join(lines(observe(RunSpec(config, MODES["ours1"], data, paths), args.every))))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
