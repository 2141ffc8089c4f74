"""The end of a run: its models tested, the ledgers of its weights, results.json."""

import logging
from pathlib import Path

import torch

from lib.config.run_paths import RunPaths
from lib.config.schema import Config
from lib.evaluation.evaluators import evaluate
from lib.ignoring.weight_table import auroc, write_weight_table
from lib.training.checkpoints import BEST
from lib.training.data import Data
from lib.training.recorder import MetricLogger, describe
from lib.training.state import State
from lib.utils.checkpoint import load_checkpoint
from lib.utils.json_files import write_results


def finish(
    config: Config,
    data: Data,
    state: State,
    device: torch.device,
    folders: RunPaths,
    recorder: MetricLogger,
    log: logging.Logger,
) -> Path:
    """Test the models of the best epoch, write the ledgers and results.json."""
    seconds_per_step = state.seconds / state.step if state.step else float("nan")
    # The weights that a run ends with are its last ones, whichever epoch's models are best.
    first = state.group.is_main
    ledgers = _write_ledgers(config, data, state, folders.output, log) if first else {}
    state.group.barrier()  # for the checkpoint that the first process may be writing
    best = folders.output / BEST
    best_epoch = state.best_epoch
    if best_epoch >= 0:
        state.load_models(load_checkpoint(best), str(best))
    found: dict[str, dict] = {}
    for role, made in state.learners().items():
        found[role] = {}
        found[role]["test"], predictions = evaluate(
            made.model, data.test, device, recorder.options, log.warning
        )
        if data.validation is data.test:  # train.py has no other
            found[role]["val"] = found[role]["test"]
        else:
            found[role]["val"], _ = evaluate(
                made.model, data.validation, device, recorder.options, log.warning
            )
        recorder.write_evaluation("val", role, data.validation, found[role]["val"])
        recorder.write_evaluation("test", role, data.test, found[role]["test"])
        numbers = found[role]["test"][data.test.measure]
        log.info(f"test of the {role} model of epoch {best_epoch}: {data.test.measure} {describe(numbers)}")
        if role == "target" and first:
            log.info(f"its predictions: {data.test.save(predictions, folders.output)}")
    results = {
        "mode": state.mode,
        "seed": config.seed,
        "test": found["target"]["test"],
        "val": found["target"]["val"],
        "source_model": found.get("source"),
        "seconds_per_step": seconds_per_step,
        "steps": state.step,
        "best_epoch": best_epoch,
        "weights": ledgers,
        "device": str(device),
        "threads": torch.get_num_threads(),
        "output": str(folders.output),
        "log": str(folders.board),
    }
    path = folders.output / "results.json"
    if first:
        write_results(path, results)
    return path


def _write_ledgers(config: Config, data: Data, state: State, output: Path, log: logging.Logger) -> dict:
    """One table for each learned set of weights; how well they tell wrong labels, where that is known.

    ``ignoring_weights.csv`` is the target's own loss (B) or, in modes without it, the source
    model's (A); a mode that learns both writes A to ``ignoring_weights_source_model.csv``.
    """
    summary = {}
    for place, variables in sorted(state.variables.items(), reverse=True):
        name = "ignoring_weights.csv" if not summary else "ignoring_weights_source_model.csv"
        people = data.source.annotations
        weights, seen = variables.all_weights().cpu().numpy(), variables.seen.cpu().numpy()
        write_weight_table(output / name, people, weights, seen)
        labelled = people.visible > 0
        summary[place] = {"file": name, "mean": float(weights[labelled].mean())}
        if data.source_truth is not None:
            summary[place]["auroc"] = auroc(weights[labelled], data.source_truth.wrong[labelled])
            log.info(
                f"weights {place} tell wrong labels from right ones with AUROC {summary[place]['auroc']:.3f}"
            )
        log.info(f"weights {place} of every source keypoint: {output / name}")
    return summary
