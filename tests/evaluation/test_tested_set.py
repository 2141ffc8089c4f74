"""Which test set is meant, from what the user and the checkpoint say."""

import pytest

from lib.config.loader import flat_config
from lib.config.schema import Config
from lib.evaluation.tested_set import SECTIONS, SINGLE, TARGET, TRAIN, ChosenSet, choose_tested_set, kind_of
from lib.ignoring.modes import MODES
from lib.utils.errors import InputError
from pose_estimation import train

DUMP = flat_config(Config())  # as config.yaml has it
OF_MAIN, OF_TRAIN, PUBLISHED = ("a.pth", "ours1"), ("a.pth", "train"), ("a.pth", None)


def test_modes():
    assert {kind_of(mode) for mode in MODES} == {TARGET}
    assert kind_of(train.ALONE.name) == SINGLE and train.ALONE.name == TRAIN
    assert kind_of("ours9") is kind_of(None) is kind_of([1]) is None


@pytest.mark.parametrize(
    "requested, line, file, weights, kind",
    [
        (None, {}, DUMP, OF_MAIN, TARGET),
        (None, {}, DUMP, OF_TRAIN, SINGLE),
        (None, {}, {}, OF_MAIN, TARGET),
        (None, {}, ["DATASET_TARGET.ROOT", "DATASET.COLOR_RGB", "DATASET.PACK"], PUBLISHED, TARGET),
        (None, {}, ["DATASET.ROOT"], PUBLISHED, SINGLE),
        (None, {}, ["DATASET.ROOT"], OF_MAIN, SINGLE),
        (None, ["DATASET.ROOT"], ["DATASET_TARGET.ROOT"], None, SINGLE),
        (None, ["DATASET.COLOR_RGB", "TEST.FLIP_TEST"], ["DATASET_TARGET.ROOT"], None, TARGET),
        (None, ["DATASET_TARGET.TEST_SET"], DUMP, PUBLISHED, TARGET),
        (None, ["DATASET_TARGET.ROOT", "DATASET.ROOT"], DUMP, OF_TRAIN, SINGLE),
        ("single", ["DATASET_TARGET.ROOT"], DUMP, OF_MAIN, SINGLE),
        ("target", ["DATASET.ROOT"], {}, None, TARGET),
        (None, {}, DUMP, PUBLISHED, None),
        (None, {}, DUMP, ("a.pth", "ours9"), None),
        (None, {}, {}, PUBLISHED, None),
        (None, {}, ["DATASET.COLOR_RGB"], None, None),
    ],
)
def test_the_first_to_tell_decides(requested, line, file, weights, kind):
    given = {"the command line": line, "c.yaml": file}
    if kind is None:
        with pytest.raises(InputError, match="--data target .* --data single"):
            choose_tested_set(requested, given, weights)
    else:
        assert choose_tested_set(requested, given, weights).kind == kind


def test_the_set_is_that_of_the_section_itself():
    config = Config()
    for kind, section in SECTIONS.items():
        tested = ChosenSet(kind, "why")
        image_set = tested.image_set(config)
        assert image_set.dataset_config is getattr(config, section.lower())
        assert image_set.name == image_set.dataset_config.test_set
        said = tested.describe(config)
        assert all(word in said for word in (f"{section}.TEST_SET", "why", image_set.dataset_config.root))
    assert ChosenSet(TARGET, "").fits("ours1") and not ChosenSet(TARGET, "").fits("train")
    assert ChosenSet(SINGLE, "").fits(None)
