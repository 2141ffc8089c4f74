"""What is to be examined: a run of main.py, train.py or valid.py, and the data sets that it reads."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lib.config.run_paths import RunPaths
from lib.config.schema import Config
from lib.dataset.layouts import ImageSet, target_sets, training_set
from lib.evaluation.tested_set import ChosenSet
from lib.ignoring.modes import Mode

Program = Literal["main", "train", "valid"]


@dataclass(frozen=True)
class Trial:
    """The training steps that are tried: ``steps`` of each phase, in at most ``seconds`` together."""

    steps: int = 4
    seconds: float = 60.0


@dataclass(frozen=True)
class Request:
    """What is to be examined.

    program: the command whose run it is.
    mode: of main.py; of the others, one without a source.
    paths: where the run would write; nothing is written there.
    notes: remarks of the configuration's loader.
    output: folder of the contact sheet.
    tested: the test set of valid.py; None for the others.
    """

    config: Config
    program: Program
    mode: Mode
    paths: RunPaths
    notes: tuple[str, ...]
    output: Path
    trial: Trial = Trial()
    tested: ChosenSet | None = None

    @property
    def trains(self) -> bool:
        """Whether the run trains a network."""
        return self.program != "valid"


@dataclass(frozen=True)
class Role:
    """A data set by the part that it plays in a run.

    name: what findings call it.
    setting: the setting that names its image set.
    batch_size: of its training steps; 0 if it is only evaluated on.
    """

    name: str
    setting: str
    image_set: ImageSet
    batch_size: int = 0


def roles_of(request: Request) -> tuple[Role, ...]:
    """The data sets that the run reads, those to train on first."""
    config, train = request.config, request.config.train
    single, source, target = config.dataset, config.dataset_src, config.dataset_target
    if request.program == "valid":
        return (Role("test", f"{request.tested.section}.TEST_SET", request.tested.image_set(config)),)
    if request.program == "train":
        return (
            Role("training", "DATASET.TRAIN_SET", training_set(single), train.batch_size),
            Role("test", "DATASET.TEST_SET", ImageSet(single, single.test_set)),
        )
    training, validation = target_sets(target)
    roles = (
        Role("target T", "DATASET_TARGET.TRAIN_SET", training, train.batch_size),
        Role("validation V", "DATASET_TARGET.VAL_SET", validation),
        Role("test", "DATASET_TARGET.TEST_SET", ImageSet(target, target.test_set)),
    )
    if not request.mode.uses_source:
        return roles
    batch_size = train.src_batch_size or train.batch_size
    return Role("source", "DATASET_SRC.TRAIN_SET", training_set(source), batch_size), *roles
