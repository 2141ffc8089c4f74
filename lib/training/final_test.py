"""The end of a run: the best epoch's models are tested, the weight tables and results.json written."""

from pathlib import Path

import torch

from lib.evaluation.evaluators import evaluate
from lib.ignoring.weight_doubts import Agreement
from lib.ignoring.weight_table import write_weight_table
from lib.training.checkpoints import BEST
from lib.training.data import Data
from lib.training.metric_logger import MetricLogger, format_scores
from lib.training.run_spec import RunSpec
from lib.training.state import State
from lib.training.weight_warnings import warn_after_training
from lib.utils.checkpoint import load_checkpoint
from lib.utils.json_files import write_results
from lib.utils.log import LOG
from lib.wrong_labels.metrics import auroc, average_precision


def run_final_test(spec: RunSpec, state: State, logger: MetricLogger) -> Path:
    """Evaluate the models of the best epoch, loading them into ``state``; write all results of the run.

    Returns:
        The path of results.json. Beside it are the predictions for the test set, and a table of the ignoring
        weights for each place that has them.
    """
    seconds_per_step = state.seconds / state.step if state.step else float("nan")
    # The ignoring weights of the results are the last ones, whichever epoch's models are best.
    weights = _write_weight_tables(spec.data, state, spec.paths.output) if state.group.is_main else {}
    state.group.barrier()  # the main rank may still be writing the checkpoint
    best = spec.paths.output / BEST
    if state.best_epoch >= 0:
        state.load_models(load_checkpoint(best), str(best))
    scores = {role: _evaluate_model(spec, state, logger, role) for role in state.models()}
    results = {
        "mode": state.mode,
        "seed": spec.config.seed,
        "test": scores["target"]["test"],
        "val": scores["target"]["val"],
        "source_model": scores.get("source"),
        "seconds_per_step": seconds_per_step,
        "steps": state.step,
        "best_epoch": state.best_epoch,
        "weights": weights,
        "warnings": warn_after_training(spec, state) if state.group.is_main else [],
        "device": str(state.device),
        "threads": torch.get_num_threads(),
        "output": str(spec.paths.output),
        "log": str(spec.paths.board),
    }
    path = spec.paths.output / "results.json"
    if state.group.is_main:
        write_results(path, results)
    return path


def _evaluate_model(spec: RunSpec, state: State, logger: MetricLogger, role: str) -> dict:
    """Scores of one model on the test set and on V, {"test": ..., "val": ...}; both are logged."""
    data, model = spec.data, state.models()[role].model
    test, predictions = evaluate(model, data.test, state.device, logger.options)
    if data.validation is data.test:  # train.py has no other
        validation = test
    else:
        validation, _ = evaluate(model, data.validation, state.device, logger.options)
    logger.write_evaluation("val", role, data.validation, validation)
    logger.write_evaluation("test", role, data.test, test)
    numbers = format_scores(test[data.test.measure])
    epoch = f"epoch {state.best_epoch}" if state.best_epoch >= 0 else "the last epoch"
    LOG.info(f"test of the {role} model of {epoch}: {data.test.measure} {numbers}")
    if role == "target" and state.group.is_main:
        LOG.info(f"its predictions: {data.test.save(predictions, spec.paths.output)}")
    return {"test": test, "val": validation}


def _write_weight_tables(data: Data, state: State, output: Path) -> dict:
    """Write one table for each set of weights, and return for each place its file and mean weight, and how well the weights find
    wrong labels if the truth is known.

    ``ignoring_weights.csv`` has the weights in the target's own loss (B) or, in modes without them, the
    source model's (A); a mode that learns both writes A to ``ignoring_weights_source_model.csv``.
    """
    summary: dict[str, dict] = {}
    for place, variables in sorted(state.variables.items(), reverse=True):
        name = "ignoring_weights.csv" if not summary else "ignoring_weights_source_model.csv"
        annotations = data.source.annotations
        weights, visits = variables.all_weights().cpu().numpy(), variables.seen.cpu().numpy()
        scores = variables.all_scores().cpu().numpy()
        write_weight_table(output / name, annotations, weights, visits, scores)
        labelled = annotations.visible > 0
        summary[place] = {"file": name, "mean": float(weights[labelled].mean())}
        if variables.learned:
            summary[place]["sign_agreement"] = Agreement(*variables.agreement.tolist()).share
        if data.source_truth is not None:
            wrong = data.source_truth.corrupted[labelled]
            summary[place]["auroc"] = auroc(-weights[labelled], wrong)
            summary[place]["average_precision"] = average_precision(-weights[labelled], wrong)
            LOG.info(
                f"weights {place} as a detector of wrong labels: AUROC {summary[place]['auroc']:.3f}, "
                f"average precision {summary[place]['average_precision']:.3f}"
            )
        LOG.info(f"weights {place} of every source keypoint: {output / name}")
    return summary
