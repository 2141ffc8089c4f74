"""Trainings that were kept: what is finished is not trained again, and its labels can be judged anew."""

import json
from dataclasses import replace

from benchmarks.evidence.ranking import judge_with
from lib.config.loader import flat_config, stored_settings
from lib.ignoring.weight_table import read_weight_table
from lib.training.checkpoints import BEST
from lib.training.influence import COMPUTATION, SCORING, changes, unused_settings
from lib.training.run_spec import RunSpec
from lib.training.weight_tables import write_weight_tables
from lib.utils.errors import InputError
from lib.utils.json_files import write_results

RESULTS = "results.json"
PLACES = ("DATASET_SRC.ROOT", "DATASET_TARGET.ROOT")  # the same data may lie elsewhere today


def finished(spec: RunSpec) -> dict | None:
    """The content of results.json of a training that is there and finished; None if it is not.

    Raises:
        InputError: it was made with other settings.
    """
    folder = spec.paths.output
    if not (folder / RESULTS).exists():
        return None
    path = folder / "config.yaml"
    before = stored_settings(path.read_text(encoding="utf-8"), str(path))
    # Detectors may have other settings today.
    without = (*COMPUTATION, *SCORING, *PLACES, *unused_settings(spec.mode))
    if changed := changes(before, flat_config(spec.config), without):
        raise InputError(f"{folder}: holds a run with {changed[0]}: give another --out")
    return json.loads((folder / RESULTS).read_text(encoding="utf-8")) | {"output": str(folder)}


def judge_again(spec: RunSpec, results: dict) -> dict:
    """Judge the labels with the finished network; rewrites the tables of weights, their scores and results.json.

    Returns:
        The results; unchanged for a training without weights.
    """
    if not results["weights"]:
        return results
    folder, annotations = spec.paths.output, spec.data.source.annotations
    found, _ = judge_with(spec.config, spec.data, folder / BEST)
    tables = {}
    for place, entry in results["weights"].items():
        table = read_weight_table((folder / entry["file"]).with_suffix(".npz"), annotations)
        tables[place] = replace(table, suspects=None), {}
    written = write_weight_tables(spec, tables, found)
    # What was said of the weights themselves stays.
    weights = {
        place: entry | {"wrong_labels": written[place]["wrong_labels"]}
        for place, entry in results["weights"].items()
    }
    results = results | {"weights": weights}
    write_results(folder / RESULTS, results)
    return results
