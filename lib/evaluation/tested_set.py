"""Which test set valid.py evaluates: DATASET's, as train.py does, or DATASET_TARGET's, as main.py does."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lib.config.data_settings import SingleDatasetConfig, TargetDatasetConfig
from lib.config.schema import Config, settings
from lib.dataset.layouts import ImageSet, layout_of
from lib.ignoring.modes import MODES
from lib.utils.errors import InputError

TRAIN = "train"  # mode in train.py's checkpoints
SINGLE, TARGET = "single", "target"
SECTIONS = {SINGLE: "DATASET", TARGET: "DATASET_TARGET"}


@dataclass(frozen=True)
class ChosenSet:
    """The test set of a section of the configuration.

    kind: `SINGLE` or `TARGET`.
    reason: why this one.
    """

    kind: str
    reason: str

    @property
    def section(self) -> str:
        """The section's key."""
        return SECTIONS[self.kind]

    def dataset_config(self, config: Config) -> SingleDatasetConfig | TargetDatasetConfig:
        """The section of ``config`` itself."""
        return config.dataset if self.kind == SINGLE else config.dataset_target

    def image_set(self, config: Config) -> ImageSet:
        """The test set."""
        dataset_config = self.dataset_config(config)
        return ImageSet(dataset_config, dataset_config.test_set)

    def describe(self, config: Config) -> str:
        """The data, where they are set and why they are evaluated, for the log."""
        data = self.dataset_config(config)
        return (
            f"evaluated: {layout_of(data).name} {data.test_set} in {data.root} "
            f"({self.section}.TEST_SET; {self.reason})"
        )

    def fits(self, mode: object) -> bool:
        """Whether a run of ``mode`` is tested on this set; true for an unknown mode."""
        return kind_of(mode) in (None, self.kind)


def choose_tested_set(
    requested: str | None, given: Mapping[str, Collection[str]], weights: tuple[str, object] | None
) -> ChosenSet:
    """Find out which test set is meant.

    Args:
        requested: of --data; None if it is not given.
        given: {where: keys of the settings given there}, the most telling place first.
        weights: path and mode of the checkpoint to evaluate; None without one.

    Raises:
        InputError: naming the two ways, if nothing tells.
    """
    if requested:
        return ChosenSet(requested, "--data")
    seen: set[str] = set()
    for where, keys in given.items():
        named = [kind for kind in SECTIONS if any(_is_about_data(key, SECTIONS[kind]) for key in keys)]
        seen |= set(named)
        if len(named) == 1:
            return ChosenSet(named[0], f"{where} has {SECTIONS[named[0]]} alone")
    path, mode = weights or ("", None)
    if kind := kind_of(mode):
        command = "main.py" if kind == TARGET else "train.py"
        return ChosenSet(kind, f"{path} is a checkpoint of {command}, mode {mode}")
    found = "both DATASET and DATASET_TARGET" if seen else "neither DATASET nor DATASET_TARGET"
    raise InputError(
        f"which test set? The settings have {found}{f', and {path} tells no mode of a run' if path else ''}; expected "
        "--data target (DATASET_TARGET.TEST_SET, as main.py) or --data single (DATASET.TEST_SET, as train.py)"
    )


def kind_of(mode: object) -> str | None:
    """What a run of ``mode``, as its checkpoints have it, is tested on; None for an unknown one."""
    if mode in (*MODES,):
        return TARGET
    return SINGLE if mode == TRAIN else None


def _is_about_data(key: str, section: str) -> bool:
    """Whether ``key`` says which data ``section`` is; DATASET's other settings are for the images of any data."""
    name = key.removeprefix(f"{section}.")
    return name != key and f"{SECTIONS[TARGET]}.{name}" in settings()
