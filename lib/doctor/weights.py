"""Checks of the weights that a run starts from, or that valid.py evaluates."""

from pathlib import Path

from lib.config.schema import Config
from lib.doctor.findings import Finding, error, note, ok, warning
from lib.ignoring.modes import Mode
from lib.models.pose_resnet import build_pose_resnet
from lib.models.pretrained import imagenet_weights_path, load_whole_network
from lib.models.trained import color_order
from lib.models.weights_file import Weights, read_weights
from lib.training.run_spec import RunSpec
from lib.training.source_checkpoint import take_source_model
from lib.training.state import Placement, State, TableShape, build_state
from lib.utils.checkpoint import load_checkpoint
from lib.utils.errors import InputError
from lib.utils.log import captured_messages

BACKBONE = ("conv1", "layer1", "layer2", "layer3", "layer4")


def check_weights(
    config: Config, mode: Mode, placement: Placement, tables: TableShape
) -> tuple[list[Finding], State | None]:
    """Build the models as the run will, with ImageNet weights and TRAIN.LOAD_CKPT; None in place of the state if that fails.

    Args:
        config: the whole configuration.
        mode: of the run.
        placement: where it computes.
        tables: shape of the ignoring variables.
    """
    model, findings = config.model, []
    path = imagenet_weights_path(model.pretrained) if model.init_weights and model.pretrained else None
    try:
        with captured_messages() as messages:
            state = build_state(config, mode, tables, placement)
    except InputError as problem:
        subject = "weights" if path is not None else "network"
        return [error(subject, str(problem), _advice_on_weights(path))], None
    if path is None:
        findings.append(ok("weights", "random initialization (MODEL.PRETRAINED, MODEL.INIT_WEIGHTS)"))
    else:
        findings.append(_pretrained_finding(str(path), messages))
    if config.train.load_ckpt:
        checkpoint = config.train.load_ckpt
        try:
            state.load_models(load_checkpoint(checkpoint), checkpoint)
            findings.append(ok("TRAIN.LOAD_CKPT", f"{checkpoint} fits the network"))
        except InputError as problem:
            advice = "name a checkpoint of the same network, last.pth or best.pth of a run"
            return [*findings, error("TRAIN.LOAD_CKPT", str(problem), advice)], None
    return findings, state


def _advice_on_weights(path: Path | None) -> str:
    if path is None:
        return "see MODEL in the configuration"
    return "download ImageNet weights with python pose_estimation/fetch_weights.py; MODEL.PRETRAINED '' starts from random weights"


def _pretrained_finding(path: str, messages: list[str]) -> Finding:
    summary = "; ".join(dict.fromkeys(message.removeprefix(f"{path}: ") for message in messages))
    # The summary lists the parts that are not in the file, as "layer1 (...)".
    if any(f"{part} (" in summary for part in BACKBONE):
        advice = "parts of the backbone start from random weights: is it the same network?"
        return warning("weights", f"{path}: {summary}", advice)
    return ok("weights", f"{path}: {summary}")


def check_source_checkpoint(spec: RunSpec, state: State) -> list[Finding]:
    """Take the source model of LBI.SOURCE_CKPT into ``state``, as the run will; no finding if it is not set."""
    subject, path = "LBI.SOURCE_CKPT", spec.config.lbi.source_ckpt
    if not path:
        return []
    try:
        with captured_messages() as messages:
            take_source_model(spec, state)
    except InputError as problem:
        advice = "name last.pth of a finished run that trained its source model as this one would, or leave it empty"
        return [error(subject, str(problem), advice)]
    taken = ok(subject, f"{path} fits; the phase that trains the source model is left out")
    advice = "train it with the same settings, or accept that the results are of both"
    remarks = [message for message in messages if message.startswith(f"{subject}:")]
    return [taken, *(warning(subject, remark.removeprefix(f"{subject}: "), advice) for remark in remarks)]


def check_model_file(config: Config, joints: tuple[str, ...] | None) -> list[Finding]:
    """Load TEST.MODEL_FILE into the network, as valid.py does.

    Args:
        config: the whole configuration.
        joints: of the network; None if they are not known.
    """
    subject, path = "TEST.MODEL_FILE", config.test.model_file
    if not path:
        advice = "add --model-file WEIGHTS, or --predictions FILE, for valid.py"
        return [note(subject, "names no weights", advice)]
    try:
        weights = read_weights(path)
        own = weights.other.get("joints")
        by_name = {"source_joints": tuple(own), "joints": joints} if joints and isinstance(own, list) else {}
        report = load_whole_network(build_pose_resnet(config.model), weights, **by_name)
        color = _color_finding(config, weights)
    except InputError as problem:
        return [error(subject, str(problem), "name weights of the configured network")]
    return [ok(subject, f"{path}: {'; '.join(report.summary().splitlines())}"), color]


def _color_finding(config: Config, weights: Weights) -> Finding:
    subject, given, trained = "DATASET.COLOR_RGB", config.dataset.color_rgb, color_order(weights)
    if given in ("auto", trained.rgb):
        return ok(subject, f"as the weights were trained: {trained}")
    return warning(
        subject, f"{str(given).lower()}, but the weights were trained on {trained}", "auto is right for both"
    )
