"""The grounds of the benchmark: where the people of its runs come from, and how their accuracy is measured."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.lspet_ground import PEOPLE, make_lspet_ground
from benchmarks.real_ground import make_ground
from lib.synthetic.generate import PeopleConfig, make_people
from lib.utils.errors import InputError

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
BUILT_IN = "people"  # the ground of rows that name none


class People(NamedTuple):
    """A data set of the benchmark.

    folder: where it is, or is to be.
    noise: what it is generated with, for kinds that only the renderer knows; else "none".
    seed: what it is drawn with.
    ground: its ground.
    origin: folder of the ground's data; None for built-in data, or if it is there already.
    """

    folder: Path
    noise: str
    seed: int
    ground: str = BUILT_IN
    origin: Path | None = None

    def __str__(self) -> str:
        return str(self.folder)

    @property
    def settings(self) -> dict[str, str]:
        """The settings that name the data set."""
        source, target = GROUNDS[self.ground].roots
        return {"DATASET_SRC.ROOT": str(self.folder / source), "DATASET_TARGET.ROOT": str(self.folder / target)}  # fmt: skip


@dataclass(frozen=True)
class Ground:
    """Where people come from.

    cfg: the settings of its runs, unless others are given.
    measure: of the test set, in percent.
    roots: folders of source and target in the data set.
    draw: writes the data set; does nothing if it is there.
    shared: runs share the machine with others, so that each has one thread.
    """

    meaning: str
    cfg: Path
    measure: str
    roots: tuple[str, str]
    draw: Callable[[People], object]
    shared: bool = True


def _drawn(people: People) -> None:
    make_people(people.folder, PeopleConfig(seed=people.seed, noise=people.noise))


def _real(people: People) -> None:
    make_ground(_origin(people), people.folder, people.seed)


def _some_of_lspet(people: People) -> None:
    make_lspet_ground(_origin(people), people.folder, people.seed, PEOPLE)


def _all_of_lspet(people: People) -> None:
    make_lspet_ground(_origin(people), people.folder, people.seed, 0)


def _origin(people: People) -> Path:
    if people.origin is None:
        raise InputError(f"ground {people.ground}: the folder of its data is needed")
    return people.origin


GROUNDS = {
    BUILT_IN: Ground(
        "the built-in people, drawn anew for each seed",
        EXPERIMENTS / "demo/people.yaml", "PCKh@0.5", ("coco", "mpii"), _drawn,
    ),
    "mpii": Ground(
        "MPII's people as source and target (benchmarks/real_ground.py); the seed draws who is trusted",
        EXPERIMENTS / "real/mpii_noise.yaml", "PCK@0.1 of the box", ("", ""), _real,
    ),
    "lspet_cpu": Ground(
        "3,000 people of Leeds Sports Pose Extended as source, MPII's as target (benchmarks/lspet_ground.py)",
        EXPERIMENTS / "real/lspet_to_mpii_cpu.yaml", "PCK@0.1 of the box", ("", ""), _some_of_lspet,
    ),
    "lspet_gpu": Ground(
        "the same, all 10,000 people",
        EXPERIMENTS / "real/lspet_to_mpii_gpu.yaml", "PCK@0.1 of the box", ("", ""), _all_of_lspet, shared=False,
    ),
}  # fmt: skip
