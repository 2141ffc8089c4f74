"""Built-in demo data: drawn people on disk, in the layouts of COCO (source) and MPII (target).

    people.json                                               the parameters of the data; written last
    coco/annotations/person_keypoints_{train,val}2017.json    the source; the labels of train2017 are noisy
    coco/annotations/person_keypoints_train2017_truth.json    its clean labels (see label_noise/truth.py)
    coco/images/{train,val}2017/000000000001.jpg ...
    mpii/annot/{train,valid}.json, gt_valid.mat               the target, with clean labels
    mpii/images/200000001.jpg ...

The source looks cartoon-flat, except for a share of its images that look as rough as the target's.
Eyes and ears are not labelled. COCO's ``nose`` is marked at the head top, where MPII marks the head, so that
clean labels are correct for a network trained on both. With the noise ``convention`` it is marked at the
true nose for a share of the people, and counts as corrupted.
"""

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from lib.label_noise.corruptions import parse_noises
from lib.label_noise.truth import truth_file, write_truth
from lib.synthetic.appearance import FLAT, ROUGH
from lib.synthetic.coco_files import coco_keypoints, corrupt_keypoints, write_coco
from lib.synthetic.drawing import DrawnImage, draw_image
from lib.synthetic.mpii_files import write_gt_valid, write_mpii
from lib.utils.errors import InputError
from lib.utils.files import write_text

FORMAT = 3  # to be raised whenever the same parameters would give other data
SECOND_PERSON = 0.1  # share of the images with two people
JPEG_QUALITY = 92
# Every class of label error, but mostly neighboring joints exchanged, the kind that the loss does not reveal.
DEFAULT_NOISE = "exchange:0.6+limb_swap:0.05+person_swap:0.05+offset:0.05+jitter:0.05"

# A split's number seeds its images and is the start of their ids.
SPLITS = {"train2017": 0, "val2017": 1, "train": 2, "valid": 3}
SOURCE_SPLITS, TARGET_SPLITS = ("train2017", "val2017"), ("train", "valid")
NOISE_STREAM = len(SPLITS)  # seeds the noise, after the splits


@dataclass(frozen=True)
class PeopleConfig:
    """Parameters of the demo data.

    seed: equal parameters give equal bytes.
    noise: "KIND:SHARE" for the labels of train2017 (see label_noise/corruptions.py), or several joined by "+".
    mix: share of the source's images that are drawn in the target's look.
    source_people: people in train2017, with noisy labels.
    source_val_people: people in val2017, with clean labels.
    target_train_people: people in MPII's train.
    test_people: people in MPII's valid.
    """

    seed: int = 0
    noise: str = DEFAULT_NOISE
    mix: float = 0.75
    source_people: int = 1500
    source_val_people: int = 50
    target_train_people: int = 120
    test_people: int = 400

    def check(self) -> None:
        """Raise InputError for the first parameter that is out of range."""
        parse_noises(self.noise)
        for name, value in asdict(self).items():
            if name.endswith("people") and value < 1:
                raise InputError(f"{name} is {value}, expected at least 1")
        if not 0 <= self.mix <= 1:
            raise InputError(f"mix is {self.mix}, expected a share in [0, 1]")
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}, expected an integer of at least 0")

    def counts(self) -> dict[str, int]:
        """The number of people in each split."""
        people = (self.source_people, self.source_val_people, self.target_train_people, self.test_people)
        return dict(zip(SPLITS, people))


def make_people(root: str | Path, config: PeopleConfig | None = None) -> bool:
    """Write the demo data below ``root``, unless data with the same parameters is already there.

    Data with other parameters is replaced as a whole, once the new data is complete.

    Args:
        root: a new or empty folder, or one written by this function.
        config: parameters; None stands for the defaults.

    Returns:
        Whether anything was written.

    Raises:
        InputError: for parameters out of range, and if ``root`` holds other files or cannot be created.
    """
    config = config or PeopleConfig()
    config.check()
    parameters = {"format": FORMAT, **asdict(config)}
    root = Path(root).resolve()
    if _read_parameters(root) == parameters:
        return False
    # Write everything beside root first, so that an interruption leaves what was there.
    temporary = root.with_name(f".{root.name}.{os.getpid()}")
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"{root}: cannot be created ({error.strerror})") from None
    try:
        totals = _write_data(temporary / "new", config)
        content = {"parameters": parameters, "made": totals}
        write_text(temporary / "new" / "people.json", json.dumps(content))
        if root.exists():
            os.replace(root, temporary / "old")
        os.replace(temporary / "new", root)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return True


def describe(root: str | Path) -> str:
    """One line about the data below ``root``, which must exist."""
    content = json.loads((Path(root) / "people.json").read_text())
    parameters, totals = content["parameters"], content["made"]
    return (
        f"{root}: source (COCO layout) {parameters['source_people']} people in "
        f"{totals['pictures']['train2017']} images, {totals['wrong']} of {totals['labels']} labels corrupted "
        f"({parameters['noise']}), and {parameters['source_val_people']} people with clean labels; "
        f"target (MPII layout) {parameters['target_train_people']} people to train on and "
        f"{parameters['test_people']} to test on"
    )


def _read_parameters(root: Path) -> dict | None:
    """The parameters of the data below root; None if root does not exist or is empty."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return None
    try:
        if {entry.name for entry in root.iterdir()} == {"coco", "mpii", "people.json"}:
            return json.loads((root / "people.json").read_text())["parameters"]
    except (OSError, ValueError, TypeError, KeyError):
        pass
    raise InputError(
        f"{root}: exists and is not demo data; expected a new or empty folder, or one written by make_people"
    )


def _write_data(root: Path, config: PeopleConfig) -> dict:
    """Write all files but people.json below root; returns the numbers of images and labels."""
    coco, mpii = root / "coco", root / "mpii"
    images = {}
    for split, people in config.counts().items():
        folder = coco / "images" / split if split in SOURCE_SPLITS else mpii / "images"
        rough_share = config.mix if split in SOURCE_SPLITS else 1.0
        images[split] = _draw_split(folder, config.seed, split, people, rough_share)

    # Source: train2017 with noisy labels and their truth, val2017 with clean ones.
    train, val = images["train2017"], images["val2017"]
    clean = coco_keypoints(train)
    rng = np.random.default_rng([config.seed, NOISE_STREAM])
    noisy, wrong = corrupt_keypoints(clean, train, parse_noises(config.noise), rng)
    annotations = coco / "annotations"
    ids = write_coco(annotations / "person_keypoints_train2017.json", train, noisy)
    write_truth(truth_file(coco, "train2017"), config.noise, config.seed, ids, clean, wrong)
    write_coco(annotations / "person_keypoints_val2017.json", val, coco_keypoints(val))

    # Target.
    for split in TARGET_SPLITS:
        write_mpii(mpii / "annot" / f"{split}.json", images[split])
    write_gt_valid(mpii / "annot" / "gt_valid.mat", images["valid"])
    totals = {"labels": int((noisy[..., 2] > 0).sum()), "wrong": int(wrong.sum())}
    return totals | {"pictures": {split: len(drawn) for split, drawn in images.items()}}


def _draw_split(folder: Path, seed: int, split: str, people: int, rough_share: float) -> list[DrawnImage]:
    """Draw images of ``people`` people in all; a share of them in the target's look."""
    folder.mkdir(parents=True, exist_ok=True)
    digits = 12 if split in SOURCE_SPLITS else 9
    images: list[DrawnImage] = []
    while people:
        # Every image has its own generator. The order of its draws is part of FORMAT.
        rng = np.random.default_rng([seed, SPLITS[split], len(images)])
        look = ROUGH if rng.random() < rough_share else FLAT
        pair = rng.random() < SECOND_PERSON
        pixels, persons = draw_image(rng, look, 2 if pair and people > 1 else 1)
        number = SPLITS[split] * 10**8 + len(images) + 1
        file_name = f"{number:0{digits}d}.jpg"
        _, jpeg = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        (folder / file_name).write_bytes(jpeg.tobytes())
        images.append(DrawnImage(number, file_name, pixels.shape[1], pixels.shape[0], persons))
        people -= len(persons)
    return images
