"""The methods that are compared: the nine modes, and methods built from them, as data."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from benchmarks.evidence import recipes, rivals
from lib.config.schema import settings
from lib.ignoring.modes import MODES, Mode, SourceUse
from lib.utils.errors import InputError

VARIABLES = settings()["LBI.VARIABLES"].choices
# The original's method: weights recomputed for each batch, both models at once, hypergradient through Adam.
ORIGINAL = {
    "LBI.SCHEDULE": "together",
    "LBI.HYPERGRAD_THROUGH": "optimizer",
    "LBI.HYPERGRAD_INTERVAL": 1,
    "LBI.HYPERGRAD_LAYERS": "all",
}


@dataclass(frozen=True)
class Method:
    """A method of the comparison.

    mode: the mode whose training gives the PCKh; None for a method that trains nothing.
    recipe: the function that runs it, see recipes.py.
    run: methods with the same value come from the same training.
    tuned_as: the method whose gamma and lambda it uses; empty for its own.
    settings: required settings, which override all others.
    learns: has ignoring variables that learn.
    package: the optional package that it needs, see packages.py.
    rival: another way to rank the labels, which ours is compared with.
    """

    name: str
    meaning: str
    mode: Mode | None
    recipe: Callable
    run: str
    tuned_as: str = ""
    settings: dict = field(default_factory=dict)
    learns: bool = False
    package: str = ""
    rival: bool = False

    @property
    def joint_loss(self) -> bool:
        """Whether the source is part of the target model's own loss."""
        return self.mode is not None and self.mode.joint_loss is not SourceUse.NONE

    @property
    def oracle(self) -> str | None:
        """The oracle of the same structure; None if there is none."""
        return {(True, False): "oracle1", (False, True): "oracle2"}.get(
            (self.joint_loss, self.has_source_model)
        )

    @property
    def has_source_model(self) -> bool:
        """Whether the target model is held near a source model."""
        return self.mode is not None and self.mode.has_source_model


def _methods() -> Iterable[Method]:
    for mode in MODES.values():
        # The networks of these two rank the labels, too.
        recipe = rivals.train_and_rank if mode.name in ("baseline1", "baseline2") else recipes.train_mode
        yield Method(mode.name, mode.meaning, mode, recipe, mode.name, learns=mode.ignores)
    weights = "ours1; labels ranked by its weights alone"
    yield Method("ours1_weights", weights, MODES["ours1"], recipes.train_mode, "ours1", "ours1", learns=True)
    for name in ("ours1", "ours2"):
        meaning = f"{name}, then once more without the labels of low weight"
        yield Method(f"{name}_retrained", meaning, MODES[name], recipes.train_mode, name, name, learns=True)
    # Oracles and selections have the structure of ours, with weights that are known beforehand.
    into_loss, near_source = MODES["ours1"], MODES["ours2"]
    for name, mode, tuned_as in (("oracle1", into_loss, "baseline2"), ("oracle2", near_source, "baseline3")):
        meaning = f"{tuned_as} without the wrong labels"
        yield Method(name, meaning, mode, recipes.train_oracle, name, tuned_as)
    dropped = "baseline2 without the labels of largest loss, as many as are wrong"
    yield Method(
        "small_loss_retrained", dropped, into_loss, rivals.rank_at_gamma_1, "small_loss", "baseline2"
    )
    agreeing = "baseline2 without the labels that baseline1's predictions contradict"
    yield Method("confident", agreeing, into_loss, rivals.train_confident, "confident", "baseline2")


def _rivals() -> Iterable[Method]:
    """Other ways to rank the labels."""
    with_source, weighted = MODES["baseline2"], MODES["ours1"]
    train_and_rank, rank_at_gamma_1 = rivals.train_and_rank, rivals.rank_at_gamma_1
    for prefix, mode in (("target_", MODES["baseline1"]), ("", with_source)):
        far, large = (
            f"{mode.name}; labels ranked by their distance to its predictions",
            f"{mode.name}; by their loss",
        )
        for name, meaning in (("distance", far), ("loss", large)):
            yield Method(prefix + name, meaning, mode, train_and_rank, mode.name, mode.name, rival=True)
    detector = "baseline2; by the detector that ours1 uses"
    yield Method("judged", detector, with_source, train_and_rank, "baseline2", "baseline2")
    gamma = {"LBI.GAMMA": rivals.RANKING_GAMMA}
    for name, meaning in (
        ("small_loss", "baseline2 at gamma 1; by their loss, standardized for each joint"),
        ("trace", "baseline2 at gamma 1; by what a step on each label would cost the target (TracIn)"),
    ):
        yield Method(name, meaning, with_source, rank_at_gamma_1, "small_loss", settings=gamma, rival=True)
    unseen = "baseline2 without a third of the source's images; by their distance to its predictions there"
    yield Method(
        "out_of_fold", unseen, weighted, rivals.rank_out_of_fold, "out_of_fold", "baseline2", rival=True
    )
    regression = "nothing is trained; by cleanlab's CleanLearning on the coordinates"
    yield Method(
        "cleanlab", regression, None, rivals.rank_by_cleanlab, "cleanlab", package="cleanlab", rival=True
    )
    quality = "nothing is trained; people ranked by SLEAP's label quality control"
    yield Method("sleap", quality, None, rivals.rank_by_sleap, "sleap", package="sleap", rival=True)
    for name, meaning in (
        ("geometry", "no training, no picture; labels that contradict the other labels' shape"),
        ("permutations", "the same; exchanged names are tried, too"),
    ):
        yield Method(name, meaning, None, rivals.rank_by_shape, "shape", rival=True)


METHODS = {method.name: method for method in (*_methods(), *_rivals())}


def settings_of(variables: str | None) -> dict:
    """The settings of a kind of ignoring variables; empty for None."""
    if variables is None:
        return {}
    return {"LBI.VARIABLES": variables} | (ORIGINAL if variables == "online" else {})


def chosen(text: str, known: Iterable[str], what: str) -> list[str]:
    """The names in ``text`` ("a,b", or "all"), without duplicates; InputError for an unknown one."""
    known = list(known)
    names = known if text == "all" else list(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
            raise InputError(f"{what}: unknown '{name}', did you mean '{nearest}'? Known: {', '.join(known)}")
    return names
