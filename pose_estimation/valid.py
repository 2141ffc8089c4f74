"""Evaluate a network, or saved predictions, on DATASET.TEST_SET.

    python pose_estimation/valid.py --cfg C.yaml --model-file WEIGHTS [--flip-test] [--use-detect-bbox]
    python pose_estimation/valid.py --cfg C.yaml --predictions FILE

WEIGHTS: a checkpoint of main.py or train.py, or a published one. FILE: for MPII a .mat file with
`preds` [people, 16, 2] in pixels, counted from 1; for COCO a results JSON.
"""

import sys
from pathlib import Path

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


from lib.cli.arguments import add_terminal_flags, configuration, settings_parser, show_on_terminal
from lib.cli.launch import run_together, start_on_gpus
from lib.config.run_paths import RunPaths
from lib.config.schema import Config
from lib.dataset.joints import joints_of_network
from lib.dataset.layouts import COCOFormatLayout, ImageSet, layout_of
from lib.evaluation.build import evaluation_set
from lib.evaluation.coco import format_table
from lib.evaluation.evaluators import evaluate, score_predictions
from lib.evaluation.inference import inference_options
from lib.models.pose_resnet import build_pose_resnet
from lib.models.pretrained import load_weights
from lib.models.trained import with_color_order
from lib.models.weights_file import read_weights
from lib.utils.device import pick_device, set_up_backends
from lib.utils.distributed import Group
from lib.utils.errors import InputError
from lib.utils.json_files import write_results
from lib.utils.log import LOG, close_log, open_log

FLAGS = {"gpus": "GPUS", "workers": "WORKERS", "save_dir": "OUTPUT_DIR", "model-file": "TEST.MODEL_FILE"}


def command(argv: list[str] | None, group: Group) -> Path:
    """Evaluate as the arguments say; the path of results.json."""
    parser = settings_parser(__doc__, FLAGS)
    parser.add_argument("--flip-test", action="store_true", help="TEST.FLIP_TEST true")
    parser.add_argument("--use-detect-bbox", action="store_true", help="TEST.USE_GT_BBOX false")
    parser.add_argument(
        "--predictions", metavar="FILE", help="evaluate the predictions in FILE instead of a network"
    )
    add_terminal_flags(parser)
    arguments = parser.parse_intermixed_args(argv)
    show_on_terminal(arguments, group)
    arguments.overrides += ["TEST.FLIP_TEST", "true"] * arguments.flip_test
    arguments.overrides += ["TEST.USE_GT_BBOX", "false"] * arguments.use_detect_bbox
    config = configuration(arguments)
    if bool(arguments.predictions) == bool(config.test.model_file):
        raise InputError("expected either weights (--model-file, TEST.MODEL_FILE) or --predictions")

    folder = RunPaths.for_run(config, arguments.cfg, config.dataset.dataset, "valid").output
    if arguments.predictions:
        results = _score_file(config, arguments.predictions)
    else:
        start_on_gpus(config, group, __file__, argv)
        results = _evaluate_network(config, folder, group)
    path = folder / "results.json"
    if not group.is_main:
        return path
    open_log(folder / "valid.log")
    ((measure, numbers),) = ((k, v) for k, v in results["test"].items() if isinstance(v, dict))
    table = format_table(f"{folder.parents[1].name} {measure}", numbers)
    for line in table.splitlines():
        LOG.info(line)
    close_log()
    write_results(path, results)
    return path


def _score_file(config: Config, path: str) -> dict:
    """Results of saved predictions."""
    layout, image_set = layout_of(config.dataset), config.dataset.test_set
    if isinstance(layout, COCOFormatLayout):
        raise InputError(f"--predictions is for mpii and coco, DATASET.DATASET is {layout.name}")
    names = joints_of_network(config.model.num_joints, config.dataset)
    measure, numbers = score_predictions(layout, image_set, names, path, config.test.pckh_legacy_01)
    return {"predictions": path, "test": {measure: numbers}}


def _evaluate_network(config: Config, folder: Path, group: Group) -> dict:
    """Results of the network in TEST.MODEL_FILE; empty on ranks other than 0. Saves its predictions in ``folder``."""
    set_up_backends(config.threads, config.cudnn)
    device, description = pick_device(config.device, config.gpus, group.local_rank, group.local_size)
    weights = read_weights(config.test.model_file)
    config = with_color_order(config, weights)
    with group.main_process_first():  # it writes the annotation cache that the other ranks read
        to_evaluate = evaluation_set(config, ImageSet(config.dataset, config.dataset.test_set), "test")
    model = build_pose_resnet(config.model)
    report = load_weights(model, weights.tensors)
    LOG.info(description)
    for line in report.summary().splitlines():
        LOG.info(f"{config.test.model_file}: {line}")
    options = inference_options(config, group)
    summary, predictions = evaluate(model.to(device), to_evaluate, device, options)
    if not group.is_main:
        return {}
    saved = to_evaluate.save(predictions, folder)
    LOG.info(f"predictions: {saved}")
    return {"model_file": config.test.model_file, "test": summary, "predictions": str(saved)}


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    return run_together(command, argv)


if __name__ == "__main__":
    sys.exit(main())
