"""Network, epochs and batch that suit the data and the machine, from configurations that were proven here.

SMALL is that of experiments/demo/people.yaml (docs/evidence.md): 1,500 source people in 64 x 64 pixels, from
random weights, on two CPU cores. LARGE is SimpleBaseline's, of experiments/coco, mpii and transfer: tens of
thousands of people and ImageNet weights, on a GPU. Sizes between them are not measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lib.config.loader import flat_config
from lib.config.schema import Config
from lib.dataset.annotations import PADDING
from lib.doctor.findings import Finding, note

GIB = 2**30
LARGE_FROM = 10_000  # labelled instances
SIDES = (64, 128, 256)  # of the network's input, pixels
MAX_REDUCTION = 2.0  # a crop's side / the input's; the demo's is 1.7
CPU_SIDE = 128  # largest input for a CPU, where a step's time goes with its square
SMALL_GPU = 6 * GIB  # LARGE takes 3.9 GB with 32 people in a batch (docs/gpu.md)
FEW_TRUSTED = (
    100  # instances of V; a direction from fewer is noise, from T and V it is steadier (docs/modes.md)
)
NEAR = {"side": 1.5, "batch": 2.0, "steps": 4.0}  # ratio to the suggestion that is left alone


@dataclass(frozen=True)
class Seen:
    """Data and machine of a run.

    source, target: instances that are trained on; 0 source instances if the mode does not use them.
    box: median of the longer side of their boxes, pixels.
    gpu_bytes: memory of the GPU; None on a CPU.
    validation: instances of V, which the ignoring weights are learned from; 0 if the mode has no weights.
    """

    source: int
    target: int
    box: float
    gpu_bytes: int | None = None
    validation: int = 0


@dataclass(frozen=True)
class Recipe:
    """A proven configuration.

    network: its settings, but for the filters.
    filters: channels of each transposed convolution.
    batches: instances of target and source in a step.
    passes: over target and source in all epochs, at least.
    min_steps: in all epochs, however small the sets are.
    schedule: END_EPOCH and LR_STEP.
    """

    network: Mapping[str, Any]
    filters: int
    batches: tuple[int, int]
    passes: tuple[int, int]
    min_steps: int
    schedule: Mapping[str, Any]


SMALL = Recipe(
    {
        "MODEL.STYLE": "pytorch",
        "MODEL.PRETRAINED": "",
        "MODEL.EXTRA.NUM_LAYERS": 10,
        "MODEL.EXTRA.WIDTH": 16,
        "TRAIN.LR": 0.003,
    },
    32,
    (8, 16),
    (40, 13),
    800,
    {"TRAIN.END_EPOCH": 8, "TRAIN.LR_STEP": [6, 7]},
)
LARGE = Recipe(
    {
        "MODEL.STYLE": "pytorch",
        "MODEL.PRETRAINED": "models/pytorch/imagenet/resnet50-19c8e357.pth",
        "MODEL.EXTRA.NUM_LAYERS": 50,
        "MODEL.EXTRA.WIDTH": 64,
        "TRAIN.LR": 0.001,
    },
    256,
    (32, 32),
    (140, 20),
    10_000,
    {"TRAIN.END_EPOCH": 140, "TRAIN.LR_STEP": [90, 120]},
)


def suggest(config: Config, seen: Seen) -> list[Finding]:
    """A note with the KEY VALUE words that suit the data and the machine better; none if the settings are near.

    Args:
        config: the whole configuration.
        seen: data and machine.
    """
    words = suggested_settings(config, seen)
    if not words:
        return []
    count = f"{seen.source:,} source and {seen.target:,} target" if seen.source else f"{seen.target:,}"
    where = "a CPU" if seen.gpu_bytes is None else f"a GPU of {seen.gpu_bytes / GIB:.0f} GiB"
    result = f"for {count} instances, boxes of {seen.box:.0f} pixels and {where}, these settings suit better"
    return [note("suggestion", result, "add " + " ".join(f"{key} {value}" for key, value in words.items()))]


def suggested_settings(config: Config, seen: Seen) -> dict[str, str]:
    """{setting: value as on the command line} of what is far from a proven configuration; empty if nothing is."""
    recipe = recipe_for(seen)
    changed = (
        _network(config, seen, recipe) | _image_size(config, seen, recipe) | _batches(config, seen, recipe)
    )
    changed.update(_steps(config, seen, recipe, changed))
    if 0 < seen.validation < FEW_TRUSTED and config.lbi.meta_data == "validation":
        changed["LBI.META_DATA"] = "target"
    return {key: _as_word(value) for key, value in changed.items()}


def recipe_for(seen: Seen) -> Recipe:
    """LARGE for many instances on a GPU, else SMALL."""
    is_large = seen.gpu_bytes is not None and seen.source + seen.target >= LARGE_FROM
    return LARGE if is_large else SMALL


def _network(config: Config, seen: Seen, recipe: Recipe) -> dict[str, Any]:
    model = config.model
    if recipe is LARGE:
        is_near = model.extra.width >= 32 and model.extra.num_layers >= 18
    elif seen.gpu_bytes is not None and model.init_weights and model.pretrained:
        is_near = True  # fine-tuning a pretrained network of any size: usual, but not measured here
    else:
        is_near = model.extra.width <= 32 and model.extra.num_layers <= 18
    if is_near:
        return {}
    filters = [recipe.filters] * model.extra.num_deconv_layers
    wanted = {**recipe.network, "MODEL.EXTRA.NUM_DECONV_FILTERS": filters}
    given = flat_config(config)
    return {key: value for key, value in wanted.items() if value != given[key]}


def _image_size(config: Config, seen: Seen, recipe: Recipe) -> dict[str, Any]:
    """LARGE's input, or the smallest side that half of the crops are not reduced to more than the demo's."""
    limit = CPU_SIDE if seen.gpu_bytes is None else SIDES[-1]
    sides = SIDES[-1:] if recipe is LARGE else [side for side in SIDES if side <= limit]
    crop = PADDING * seen.box
    side = next((side for side in sides if crop <= MAX_REDUCTION * side), sides[-1])
    ratio = max(config.model.image_size) / side
    if 1 / NEAR["side"] <= ratio <= NEAR["side"]:
        return {}
    heatmap = side // 32 * 2**config.model.extra.num_deconv_layers
    return {
        "MODEL.IMAGE_SIZE": [side, side],
        "MODEL.EXTRA.HEATMAP_SIZE": [heatmap, heatmap],
        "MODEL.EXTRA.SIGMA": 2 if side > 128 else 1,
    }


def _batches(config: Config, seen: Seen, recipe: Recipe) -> dict[str, Any]:
    target, source = recipe.batches
    if recipe is LARGE and seen.gpu_bytes < SMALL_GPU:
        target, source = target // 2, source // 2
    train = config.train
    given = train.batch_size, train.src_batch_size or train.batch_size
    ratios = [given[0] / target, given[1] / source if seen.source else 1]
    if all(1 / NEAR["batch"] <= ratio <= NEAR["batch"] for ratio in ratios):
        return {}
    of_source = {"TRAIN.SRC_BATCH_SIZE": source} if seen.source else {}
    return {"TRAIN.BATCH_SIZE": target, **of_source}


def _steps(config: Config, seen: Seen, recipe: Recipe, changed: Mapping[str, Any]) -> dict[str, Any]:
    """Epochs and their steps; ``changed``: settings that are suggested already."""
    settings = {**flat_config(config), **changed}
    batch = settings["TRAIN.BATCH_SIZE"]
    of_target = recipe.passes[0] * seen.target / batch
    of_source = recipe.passes[1] * seen.source / (settings["TRAIN.SRC_BATCH_SIZE"] or batch)
    wanted = max(recipe.min_steps, of_target, of_source)
    train = config.train
    epochs = max(1, train.end_epoch - train.begin_epoch)
    given = epochs * (train.steps_per_epoch or max(1, seen.target // batch))
    if 1 / NEAR["steps"] <= given / wanted <= NEAR["steps"]:
        return {}
    per_epoch = round(wanted / recipe.schedule["TRAIN.END_EPOCH"])
    frozen = {}
    if config.lbi.freeze_weights_epoch:  # when the learning rate first drops, as before
        frozen["LBI.FREEZE_WEIGHTS_EPOCH"] = recipe.schedule["TRAIN.LR_STEP"][0]
    return {**recipe.schedule, "TRAIN.STEPS_PER_EPOCH": per_epoch, **frozen}


def _as_word(value: Any) -> str:
    """A value without spaces, quoted for a shell if it is a list or empty."""
    return f"'[{','.join(map(str, value))}]'" if isinstance(value, list) else str(value) or "''"
