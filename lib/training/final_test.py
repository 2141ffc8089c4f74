"""The end of a run: the best epoch's models are tested, the weight tables and results.json written."""

from pathlib import Path

import torch

from lib.evaluation.evaluators import evaluate
from lib.training.checkpoints import BEST
from lib.training.metric_logger import MetricLogger, format_scores
from lib.training.run_spec import RunSpec
from lib.training.state import State
from lib.training.weight_tables import judge_labels, learned_tables, write_weight_tables
from lib.training.weight_warnings import warn_after_training
from lib.utils.checkpoint import load_checkpoint
from lib.utils.json_files import write_results
from lib.utils.log import LOG


def run_final_test(spec: RunSpec, state: State, logger: MetricLogger) -> Path:
    """Evaluate the models of the best epoch, loading them into ``state``; write all results of the run.

    Returns:
        The path of results.json. Beside it are the predictions for the test set, and a table of the ignoring
        weights for each place that has them.
    """
    seconds_per_step = state.seconds / state.step if state.step else float("nan")
    # The ignoring weights of the results are the last ones, whichever epoch's models are best.
    learned = learned_tables(state) if state.group.is_main else {}
    state.group.barrier()  # the main rank may still be writing the checkpoint
    best = spec.paths.output / BEST
    if state.best_epoch >= 0:
        state.load_models(load_checkpoint(best), str(best))
    scores = {role: _evaluate_model(spec, state, logger, role) for role in state.models()}
    weights: dict = {}
    with state.group.main_process_first_however_long(f"wrong labels of {spec.paths.output}"):
        if state.group.is_main:
            weights = write_weight_tables(spec, learned, judge_labels(spec, state))
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
