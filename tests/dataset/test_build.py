"""What is built from the configuration: annotations and their parts, samples, and the codec."""

from dataclasses import replace

import numpy as np
import pytest

from lib.config.loader import load_config
from lib.dataset.build import (
    build_codec,
    keypoint_dataset,
    log_annotations,
    read_annotations,
    training_dataset,
)
from lib.dataset.layouts import ImageSet, training_set
from lib.dataset.reading_notes import ReadingNotes
from lib.dataset.splits import is_validation
from lib.utils.errors import InputError
from lib.utils.log import captured_messages
from tests.factories.data_sets import mpii_person, write_mpii


@pytest.fixture
def configured(tmp_path):
    """A function of settings -> configuration; the target is MPII with six people in six images."""
    write_mpii(tmp_path / "mpii", [mpii_person(f"{n}.jpg") for n in range(6)])
    (tmp_path / "empty.yaml").write_text("")

    def make(**settings):
        values = {"DATASET_TARGET.ROOT": str(tmp_path / "mpii"), "OUTPUT_DIR": str(tmp_path / "output")}
        return load_config(tmp_path / "empty.yaml", values | settings)

    return make


@pytest.mark.parametrize("split", ["image", "annotation"])
def test_named_parts_are_the_two_sides_of_the_split(configured, split):
    config = configured(**{"DATASET_TARGET.SPLIT": split})
    everyone, training, validation = (
        read_annotations(config, ImageSet(config.dataset_target, name))
        for name in ("train", "train_finetune", "train_validate")
    )
    chosen = is_validation(everyone, split)
    assert validation.ids.tolist() == np.flatnonzero(chosen).tolist() == [0, 3]
    assert training.ids.tolist() == np.flatnonzero(~chosen).tolist()
    assert everyone.mapping.names[6] == "head" and everyone.mapping.native[6] == "head_top"


def test_a_part_without_anybody_is_refused(configured, tmp_path):
    write_mpii(tmp_path / "mpii", [mpii_person()])
    config = configured()
    with pytest.raises(InputError, match=r"train\.json.*DATASET_TARGET\.SPLIT"):
        read_annotations(config, ImageSet(config.dataset_target, "train_finetune"))


def test_annotations_are_counted_in_the_log(configured):
    config = configured()
    image_set = training_set(config.dataset_target)
    annotations = read_annotations(config, image_set)
    with captured_messages() as lines:
        log_annotations(annotations, image_set, "target T")
    (line,) = lines
    assert line.startswith("target T: 4 people in 4 images") and "mpii train_finetune" in line


def test_what_the_reader_notes_of_a_file_is_told_once_for_its_two_parts(configured):
    notes = ReadingNotes({"of other categories": 2})
    target = configured().dataset_target
    annotations = replace(read_annotations(configured(), training_set(target)), notes=notes)
    lines = {}
    for part in (True, False, None):
        with captured_messages() as lines[part]:
            log_annotations(annotations, ImageSet(target, "train", part), "a role")
    told = {
        part: [line for line in logged if "of other categories" in line] for part, logged in lines.items()
    }
    assert told[True] == ["T and V, train, left out: 2 of other categories"] and told[False] == []
    assert told[None] == ["a role, left out: 2 of other categories"]


def test_samples_are_made_by_the_settings(configured):
    settings = {
        "DATASET_TARGET.FLIP": False,
        "DATASET_TARGET.ROT_FACTOR": 12.0,
        "DATASET_TARGET.SCALE_FACTOR": 0.2,
    }
    config = configured(SEED=5, **settings, **{"DATASET.COLOR_RGB": False, "DATASET.REDUCED_DECODE": True})
    annotations = read_annotations(config, training_set(config.dataset_target))
    dataset = training_dataset(config, config.dataset_target, annotations)
    change = dataset.augmentation
    assert (change.flip, change.rotation, change.scale) == (False, 12.0, 0.2)
    assert (dataset.seed, dataset.color_rgb, dataset.reduced_decode) == (5, False, True)
    assert dataset.codec == build_codec(config.model) and dataset.annotations is annotations
    assert keypoint_dataset(config, annotations, None).augmentation is None


def test_the_codec_is_that_of_the_network(configured):
    codec = build_codec(configured(**{"MODEL.EXTRA.SIGMA": 1.5}).model)
    assert (codec.image_size, codec.heatmap_size, codec.sigma) == ((192, 256), (48, 64), 1.5)
    codec = build_codec(configured(**{"MODEL.EXTRA.NUM_DECONV_LAYERS": 2, "MODEL.EXTRA.HEATMAP_SIZE": [24, 32],
                                      "MODEL.EXTRA.NUM_DECONV_FILTERS": [8, 8], "MODEL.EXTRA.NUM_DECONV_KERNELS": [4, 4]}).model)  # fmt: skip
    assert codec.stride == 8


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"MODEL.IMAGE_SIZE": [192, 250]}, "MODEL.IMAGE_SIZE is 192 x 250.*32"),
        ({"MODEL.EXTRA.HEATMAP_SIZE": [96, 128]}, "MODEL.EXTRA.HEATMAP_SIZE is 96 x 128.*48 x 64"),
    ],
)
def test_sizes_that_do_not_fit_the_network(configured, settings, parts):
    with pytest.raises(InputError, match=parts):
        build_codec(configured(**settings).model)
