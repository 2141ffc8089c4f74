"""Evaluate a network, or saved predictions, on a test set.

    python pose_estimation/valid.py --run output/coco_to_mpii/pose_resnet_10/people/ours1
    python pose_estimation/valid.py --cfg C.yaml --model-file WEIGHTS [--flip-test] [--use-detect-bbox]
    python pose_estimation/valid.py --cfg C.yaml --predictions FILE

The test set is DATASET_TARGET.TEST_SET for a run of main.py, and DATASET.TEST_SET for one of train.py; the output
says which. It follows from the data sections of the command line, of the YAML file, or else from the mode in the
checkpoint; --data decides. A checkpoint of ours holds its settings, so that --cfg may be left out.
WEIGHTS: a checkpoint of main.py or train.py, or a published one. FILE: for MPII a .mat file with
`preds` [people, 16, 2] in pixels, counted from 1; for COCO a results JSON.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from lib.cli.arguments import add_terminal_flags, overrides_of, settings_parser, show_on_terminal
from lib.cli.launch import run_together, start_on_gpus
from lib.config.loader import config_of, load_config, settings_of_file
from lib.config.run_paths import RunPaths
from lib.config.schema import Config
from lib.dataset.annotations import Annotations
from lib.dataset.joints import joints_of_network
from lib.dataset.layouts import COCOFormatLayout, layout_of
from lib.evaluation.build import evaluation_set
from lib.evaluation.coco import format_table
from lib.evaluation.evaluators import evaluate, score_predictions
from lib.evaluation.inference import inference_options
from lib.evaluation.tested_set import SECTIONS, ChosenSet, choose_tested_set
from lib.models.pose_resnet import build_pose_resnet
from lib.models.pretrained import load_whole_network
from lib.models.trained import with_color_order
from lib.models.weights_file import Weights, read_weights
from lib.training.checkpoints import BEST, LAST
from lib.utils.device import pick_device, set_up_backends
from lib.utils.distributed import Group
from lib.utils.errors import InputError
from lib.utils.json_files import write_results
from lib.utils.log import LOG, close_log, open_log

FLAGS = {"gpus": "GPUS", "workers": "WORKERS", "save_dir": "OUTPUT_DIR", "model-file": "TEST.MODEL_FILE"}


@dataclass(frozen=True)
class Request:
    """What is evaluated.

    weights: of the network; None for saved predictions.
    folder: where the results are written.
    """

    config: Config
    tested: ChosenSet
    weights: Weights | None
    folder: Path


def command(argv: list[str] | None, group: Group) -> Path:
    """Evaluate as the arguments say; the path of results.json."""
    arguments = build_parser().parse_intermixed_args(argv)
    show_on_terminal(arguments, group)
    arguments.overrides += ["TEST.FLIP_TEST", "true"] * arguments.flip_test
    arguments.overrides += ["TEST.USE_GT_BBOX", "false"] * arguments.use_detect_bbox
    request = request_of(arguments)
    config, folder = request.config, request.folder
    LOG.info(request.tested.describe(config))
    if arguments.predictions:
        results = _score_file(request, arguments.predictions)
    else:
        start_on_gpus(config, group, __file__, argv)
        results = _evaluate_network(request, group)
    path = folder / "results.json"
    if not group.is_main:
        return path
    open_log(folder / "valid.log")
    ((measure, numbers),) = ((k, v) for k, v in results["test"].items() if isinstance(v, dict))
    data = request.tested.dataset_config(config)
    network = f"{config.model.name}_{config.model.extra.num_layers}"
    title = f"{network} {measure}, {data.dataset} {data.test_set}"
    lines = format_table(title, numbers).splitlines() if numbers else [f"{title}: no labels to compare with"]
    for line in lines:
        LOG.info(line)
    close_log()
    tested = {
        "section": request.tested.section,
        "dataset": data.dataset,
        "root": data.root,
        "set": data.test_set,
    }
    write_results(path, results | {"data": tested})
    return path


def build_parser() -> argparse.ArgumentParser:
    """The parser of valid.py's arguments."""
    parser = settings_parser(__doc__, FLAGS, needs_file=False)
    parser.add_argument(
        "--run",
        type=Path,
        metavar="FOLDER",
        help="evaluate a run of main.py or train.py: config.yaml and best.pth of its folder",
    )
    parser.add_argument(
        "--data", choices=SECTIONS, help="the test set of DATASET (single), or of DATASET_TARGET (target)"
    )
    parser.add_argument("--flip-test", action="store_true", help="TEST.FLIP_TEST true")
    parser.add_argument("--use-detect-bbox", action="store_true", help="TEST.USE_GT_BBOX false")
    parser.add_argument(
        "--predictions", metavar="FILE", help="evaluate the predictions in FILE instead of a network"
    )
    add_terminal_flags(parser)
    return parser


def request_of(arguments: argparse.Namespace) -> Request:
    """Find settings, weights, test set and output folder.

    Raises:
        InputError: the arguments contradict each other, or do not tell which test set is meant.
    """
    overrides, cfg = overrides_of(arguments), arguments.cfg and Path(arguments.cfg)
    run = arguments.run or _run_of(cfg)
    if arguments.run:
        if cfg or arguments.predictions:
            raise InputError(
                "--run has its settings and network; expected no --cfg or --predictions beside it"
            )
        cfg = run / "config.yaml"
    if run and not arguments.predictions:
        overrides = {"TEST.MODEL_FILE": str(_checkpoint_in(run))} | overrides

    # The settings: of the file, or of the checkpoint.
    config = load_config(cfg, overrides) if cfg else None
    path = config.test.model_file if config else overrides.get("TEST.MODEL_FILE", "")
    if bool(arguments.predictions) == bool(path):
        raise InputError("expected either weights (--run, --model-file, TEST.MODEL_FILE) or --predictions")
    weights = read_weights(path) if path else None
    if config is None:
        config, run = _config_in(weights, overrides), Path(path or ".").parent
    if weights:
        config = with_color_order(config, weights)

    # The test set.
    mode = weights.other.get("mode") if weights else None
    given = {"the command line": overrides, str(cfg): settings_of_file(cfg) if cfg else {}}
    tested = choose_tested_set(arguments.data, given, (path, mode) if path else None)
    if not tested.fits(mode):
        LOG.warning(f"{path}: of mode {mode}, whose own test set is another one than {tested.section}'s")

    if run and "OUTPUT_DIR" not in overrides:
        return Request(config, tested, weights, run / "valid")
    name, data = run.resolve() if run else cfg, tested.dataset_config(config).dataset
    return Request(config, tested, weights, RunPaths.for_run(config, name, data, "valid").output)


def _run_of(cfg: Path | None) -> Path | None:
    """The folder of the run that ``cfg`` is the config.yaml of, if it is one."""
    is_run = cfg and cfg.name == "config.yaml" and any((cfg.parent / name).exists() for name in (BEST, LAST))
    return cfg.parent if is_run else None


def _checkpoint_in(run: Path) -> Path:
    """The checkpoint of a run's best epoch; of its last one if none is the best."""
    for name in (BEST, LAST):
        if (run / name).exists():
            return run / name
    raise InputError(f"{run}: holds neither {BEST} nor {LAST}; expected the folder of a run")


def _config_in(weights: Weights | None, overrides: dict[str, Any]) -> Config:
    """The settings of a checkpoint of ours."""
    text = weights.other.get("config") if weights else None
    if not isinstance(text, str):
        where = (
            f"{weights.path}: holds no settings, as a checkpoint of ours does" if weights else "no settings"
        )
        raise InputError(f"{where}; expected --cfg FILE or --run FOLDER")
    return config_of(text, weights.path, overrides)


def _score_file(request: Request, path: str) -> dict:
    """Results of saved predictions."""
    config, image_set = request.config, request.tested.image_set(request.config)
    layout = layout_of(image_set.dataset_config)
    if isinstance(layout, COCOFormatLayout):
        raise InputError(
            f"--predictions is for mpii and coco, {request.tested.section}.DATASET is {layout.name}"
        )
    names = joints_of_network(config.model.num_joints, image_set.dataset_config)
    measure, numbers = score_predictions(layout, image_set.name, names, path, config.test.pckh_legacy_01)
    return {"predictions": path, "test": {measure: numbers}}


def _evaluate_network(request: Request, group: Group) -> dict:
    """Results of the network in TEST.MODEL_FILE; empty on ranks other than 0. Saves its predictions."""
    config = request.config
    set_up_backends(config.threads, config.cudnn)
    device, description = pick_device(config.device, config.gpus, group.local_rank, group.local_size)
    with group.main_process_first():  # it writes the annotation cache that the other ranks read
        to_evaluate = evaluation_set(config, request.tested.image_set(config), "test")
    model = build_pose_resnet(config.model)
    if config.train.channels_last:  # as in the run, whose numbers it repeats to the bit
        model = model.to(memory_format=torch.channels_last)
    joints = _joints_by_name(request.weights, to_evaluate.dataset.annotations)
    report = load_whole_network(model, request.weights, **joints)
    LOG.info(description)
    for line in report.summary().splitlines():
        LOG.info(f"{config.test.model_file}: {line}")
    options = inference_options(config, group)
    summary, predictions = evaluate(model.to(device), to_evaluate, device, options)
    if not group.is_main:
        return {}
    saved = to_evaluate.save(predictions, request.folder)
    LOG.info(f"predictions: {saved}")
    return {"model_file": config.test.model_file, "test": summary, "predictions": str(saved)}


def _joints_by_name(weights: Weights, annotations: Annotations) -> dict[str, tuple[str, ...]]:
    """The joints of the checkpoint and of the data for `load_weights`, if the checkpoint names its joints."""
    names = weights.other.get("joints")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return {}
    return {"source_joints": tuple(names), "joints": annotations.mapping.names}


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    return run_together(command, argv)


if __name__ == "__main__":
    sys.exit(main())
