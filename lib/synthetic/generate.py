"""Built-in demo data: drawn people on disk, in the layouts of COCO (source) and MPII (target).

    people.json                                               what the data was made with; written last
    coco/annotations/person_keypoints_{train,val}2017.json    the source; the labels of train2017 are noisy
    coco/annotations/person_keypoints_train2017_truth.json    its right labels (see truth.py)
    coco/images/{train,val}2017/000000000001.jpg ...
    mpii/annot/{train,valid}.json, gt_valid.mat               the target, all labels right
    mpii/images/200000001.jpg ...

The source looks cartoon-flat, but for a share of its images which look as rough as the target's.
Eyes and ears are not annotated. COCO's ``nose`` is marked at the head top, where MPII marks the head,
so that right labels are right for a network trained on both; with the noise ``convention`` it is
marked at the true nose for a share of the people, and counted as wrong.
"""

import io
import json
import math
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import scipy.io

from lib.dataset.keypoints import COCO_KEYPOINTS, MPII_KEYPOINTS, limbs
from lib.dataset.mpii_truth import HEAD_PER_BOX_DIAGONAL, HEAD_PER_SCALE
from lib.label_noise.corruptions import corrupt_in_turn, parse_noises
from lib.label_noise.truth import truth_file, write_truth
from lib.synthetic.appearance import FLAT, ROUGH
from lib.synthetic.drawing import FIGURE_JOINTS, Person, draw_image
from lib.utils.errors import InputError

FORMAT = 2  # raise it whenever the same parameters would give other data
SECOND_PERSON = 0.1  # share of the images with two people
JPEG_QUALITY = 92
# Every kind of mistake, and mostly names of joints mixed up, as annotators do who name them from memory.
DEFAULT_NOISE = "exchange:0.6+limb_swap:0.05+person_swap:0.05+offset:0.05+jitter:0.05"

# The number of a split seeds its images and starts their names.
SPLITS = {"train2017": 0, "val2017": 1, "train": 2, "valid": 3}
SOURCE_SPLITS, TARGET_SPLITS = ("train2017", "val2017"), ("train", "valid")
NOISE_STREAM = len(SPLITS)

# COCO's keypoints that are annotated, and the point of a figure that each is marked at.
COCO_POINTS = {name: name for name in COCO_KEYPOINTS if not name.endswith(("eye", "ear"))} | {
    "nose": "head_top"
}

GT_VALID_JOINTS = (
    "rank", "rkne", "rhip", "lhip", "lkne", "lank", "pelv", "thor",
    "neck", "head", "rwri", "relb", "rsho", "lsho", "lelb", "lwri",
)  # fmt: skip


@dataclass(frozen=True)
class Image:
    """One drawn image on disk."""

    number: int
    file_name: str
    width: int
    height: int
    people: list[Person]

    def contains(self, points) -> np.ndarray:
        """Which of the points [K, 2] lie in the image."""
        return ((points >= 0) & (points <= (self.width - 1, self.height - 1))).all(axis=-1)


def make_people(
    root,
    *,
    seed: int = 0,
    source_people: int = 1000,
    source_val_people: int = 50,
    target_train_people: int = 80,
    test_people: int = 400,
    noise: str = DEFAULT_NOISE,
    mix: float = 0.5,
) -> bool:
    """Make the data below ``root`` unless it is there already, made with the same parameters.

    noise: "KIND:SHARE" for the labels of the source's train2017 (see lib/label_noise/corruptions.py), or several
    joined by "+", one after another.
    mix: share of the source's images that are drawn in the target's look.
    The same parameters give the same bytes. Returns whether anything was made.
    Raises InputError for parameters out of range, and where ``root`` holds other files.
    """
    parameters = {
        "format": FORMAT, "seed": seed, "noise": noise, "mix": mix,
        "source_people": source_people, "source_val_people": source_val_people,
        "target_train_people": target_train_people, "test_people": test_people,
    }  # fmt: skip
    kinds_and_shares = parse_noises(noise)
    for name, value in parameters.items():
        if name.endswith("people") and value < 1:
            raise InputError(f"{name} is {value}, expected at least 1")
    if not 0 <= mix <= 1:
        raise InputError(f"mix is {mix}, expected a share in [0, 1]")
    if seed < 0:
        raise InputError(f"seed is {seed}, expected a whole number from 0 up")

    root = Path(root).resolve()
    if _parameters_of(root) == parameters:
        return False
    counts = dict(zip(SPLITS, (source_people, source_val_people, target_train_people, test_people)))
    workshop = root.with_name(f".{root.name}.{os.getpid()}")
    try:
        workshop.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"{root}: cannot be made ({error.strerror})") from None
    try:
        made = _make(workshop / "new", seed, counts, mix, noise, kinds_and_shares)
        _write_json(workshop / "new" / "people.json", {"parameters": parameters, "made": made})
        if root.exists():
            os.replace(root, workshop / "old")
        os.replace(workshop / "new", root)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return True


def describe(root) -> str:
    """One line on the data below ``root``, made before."""
    content = json.loads((Path(root) / "people.json").read_text())
    asked, made = content["parameters"], content["made"]
    return (
        f"{root}: source (COCO layout) {asked['source_people']} people in {made['images']['train2017']} "
        f"images, {made['wrong']} of {made['labels']} labels wrong ({asked['noise']}), "
        f"and {asked['source_val_people']} people with right labels; target (MPII layout) "
        f"{asked['target_train_people']} people to train on and {asked['test_people']} to test on"
    )


def _parameters_of(root: Path) -> dict | None:
    """The parameters that the data below root was made with; None where there is none yet."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return None
    try:
        if {entry.name for entry in root.iterdir()} == {"coco", "mpii", "people.json"}:
            return json.loads((root / "people.json").read_text())["parameters"]
    except (OSError, ValueError, TypeError, KeyError):
        pass
    raise InputError(
        f"{root}: exists and is not drawn people; expected a new folder, or one made by this command"
    )


def _make(
    root: Path, seed: int, counts: dict[str, int], mix: float, name: str, noise: list[tuple[str, float]]
) -> dict:
    """Write everything but people.json below root; returns how many images and labels there are."""
    coco, mpii = root / "coco", root / "mpii"
    images = {}
    for split, people in counts.items():
        folder = coco / "images" / split if split in SOURCE_SPLITS else mpii / "images"
        images[split] = _draw(folder, seed, split, people, mix if split in SOURCE_SPLITS else 1.0)

    right = _coco_keypoints(images["train2017"])
    noisy, wrong = _with_noise(right, images["train2017"], noise, np.random.default_rng([seed, NOISE_STREAM]))
    annotations = coco / "annotations"
    ids = _write_coco(annotations / "person_keypoints_train2017.json", images["train2017"], noisy)
    write_truth(truth_file(coco, "train2017"), name, seed, ids, right, wrong)
    val = images["val2017"]
    _write_coco(annotations / "person_keypoints_val2017.json", val, _coco_keypoints(val))

    for split in TARGET_SPLITS:
        _write_json(mpii / "annot" / f"{split}.json", _mpii_people(images[split]))
    _write_gt_valid(mpii / "annot" / "gt_valid.mat", images["valid"])
    totals = {"labels": int((noisy[..., 2] > 0).sum()), "wrong": int(wrong.sum())}
    return totals | {"images": {split: len(drawn) for split, drawn in images.items()}}


def _draw(folder: Path, seed: int, split: str, people: int, rough: float) -> list[Image]:
    """Draw images until they show so many people; a share ``rough`` of them in the target's look."""
    folder.mkdir(parents=True, exist_ok=True)
    digits = 12 if split in SOURCE_SPLITS else 9
    images = []
    while people:
        rng = np.random.default_rng([seed, SPLITS[split], len(images)])
        look = ROUGH if rng.random() < rough else FLAT
        pair = rng.random() < SECOND_PERSON
        pixels, shown = draw_image(rng, look, 2 if pair and people > 1 else 1)
        number = SPLITS[split] * 10**8 + len(images) + 1
        name = f"{number:0{digits}d}.jpg"
        _, jpeg = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        (folder / name).write_bytes(jpeg.tobytes())
        images.append(Image(number, name, pixels.shape[1], pixels.shape[0], shown))
        people -= len(shown)
    return images


def _everyone(images: list[Image]) -> list[tuple[Image, Person]]:
    return [(image, person) for image in images for person in image.people]


def _coco_keypoints(images: list[Image]) -> np.ndarray:
    """Right labels of everyone, [N, 17, 3]: x, y, and 0 not annotated, 1 hidden, 2 visible."""
    rows = [COCO_KEYPOINTS.index(name) for name in COCO_POINTS]
    points = [FIGURE_JOINTS.index(point) for point in COCO_POINTS.values()]
    everyone = _everyone(images)
    keypoints = np.zeros((len(everyone), len(COCO_KEYPOINTS), 3))
    for labels, (image, person) in zip(keypoints, everyone):
        joints = person.joints[points].round(2)
        state = np.where(person.hidden[points], 1, 2)
        labels[rows] = np.where(image.contains(joints)[:, None], np.column_stack([joints, state]), 0)
    return keypoints


def _with_noise(
    right, images: list[Image], noise: list[tuple[str, float]], rng
) -> tuple[np.ndarray, np.ndarray]:
    """Noisy labels [N, 17, 3] and which of them are wrong [N, 17]."""
    rows = [COCO_KEYPOINTS.index(name) for name in COCO_POINTS]
    everyone = _everyone(images)
    nose = [person.joints[FIGURE_JOINTS.index("nose")] for _, person in everyone]
    joints, visible, changed = corrupt_in_turn(
        right[:, rows, :2],
        right[:, rows, 2],
        tuple(COCO_POINTS),
        noise,
        rng,
        size=[max(person.box[2:]) for _, person in everyone],
        image_of=[image.number for image, _ in everyone],
        bounds=[(image.width, image.height) for image, _ in everyone],
        elsewhere={"nose": np.array(nose)},
    )
    state = np.where(right[:, rows, 2] > 0, right[:, rows, 2], 2)  # a label made by the noise: 2
    noisy, wrong = right.copy(), np.zeros(right.shape[:2], dtype=bool)
    noisy[:, rows] = np.concatenate([joints.round(2), state[..., None]], axis=2) * (visible > 0)[..., None]
    wrong[:, rows] = changed
    return noisy, wrong


def _write_coco(path: Path, drawn: list[Image], keypoints: np.ndarray) -> list[int]:
    """Write a COCO annotation file; returns the ids of its annotations."""
    images = [{"id": p.number, "file_name": p.file_name, "width": p.width, "height": p.height} for p in drawn]
    annotations = []
    for number, ((image, person), labels) in enumerate(zip(_everyone(drawn), keypoints), drawn[0].number):
        annotations.append(
            {
                "id": number,
                "image_id": image.number,
                "category_id": 1,
                "iscrowd": 0,
                "bbox": [round(side, 2) for side in person.box],
                "area": person.area,
                "num_keypoints": int((labels[:, 2] > 0).sum()),
                "keypoints": labels.ravel().tolist(),
                "segmentation": [],
            }
        )
    person = {"supercategory": "person", "id": 1, "name": "person", "keypoints": COCO_KEYPOINTS}
    person["skeleton"] = [[a + 1, b + 1] for a, b in limbs(COCO_KEYPOINTS)]
    info = {"description": "Drawn people in the layout of COCO 2017", "version": "1.0"}
    content = {"info": info, "licenses": [], "images": images, "annotations": annotations}
    _write_json(path, content | {"categories": [person]})
    return [annotation["id"] for annotation in annotations]


def _mpii_joints(image: Image, person: Person) -> tuple[np.ndarray, np.ndarray]:
    """Joints [16, 2], 1-based as in MATLAB, and which of them lie in the image [16]."""
    joints = person.joints[[FIGURE_JOINTS.index(name) for name in MPII_KEYPOINTS]].round(2)
    return joints + 1, image.contains(joints)


def _mpii_people(images: list[Image]) -> list[dict]:
    """The content of an MPII annotation file.

    Readers of MPII move the centre down by
    15 * scale, so it is written as much too high: they arrive at the middle of the box.
    """
    content = []
    for image, person in _everyone(images):
        joints, inside = _mpii_joints(image, person)
        left, top, width, height = person.box
        scale = _scale(person)
        centre = [left + width / 2 + 1, top + height / 2 + 1 - 15 * scale]
        content.append(
            {
                "joints_vis": inside.astype(int).tolist(),
                "joints": np.where(inside[:, None], joints, -1.0).tolist(),
                "image": image.file_name,
                "scale": round(scale, 6),
                "center": [round(number, 3) for number in centre],
            }
        )
    return content


def _scale(person: Person) -> float:
    """MPII's scale: the longer side of the person's box in units of 200 pixels."""
    return max(person.box[2:]) / 200


def _head_box(person: Person) -> np.ndarray:
    """Two corners [2, 2], 1-based: a square around the head, 0.6 of whose diagonal is 25 times the scale.

    That product is PCKh's unit of length, and the factor is the same for everyone in MPII.
    """
    neck, top = (person.joints[FIGURE_JOINTS.index(name)] for name in ("upper_neck", "head_top"))
    half = HEAD_PER_SCALE * _scale(person) / (HEAD_PER_BOX_DIAGONAL * math.sqrt(2)) / 2
    return (neck + top) / 2 + 1 + np.array([[-half], [half]])


def _write_gt_valid(path: Path, images: list[Image]):
    """Write what MPII's evaluation reads; people are the last axis, missing joints are 0."""
    everyone = _everyone(images)
    joints, inside = (np.stack(arrays, axis=-1) for arrays in zip(*(_mpii_joints(*one) for one in everyone)))
    names = np.empty((1, len(GT_VALID_JOINTS)), dtype=object)
    names[0] = GT_VALID_JOINTS
    buffer = io.BytesIO()
    scipy.io.savemat(
        buffer,
        {
            "dataset_joints": names,
            "jnt_missing": (~inside).astype(np.uint8),
            "pos_gt_src": np.where(inside[:, None], joints, 0.0),
            "headboxes_src": np.stack([_head_box(person) for _, person in everyone], axis=-1),
        },
        do_compression=True,
    )
    # The first 116 bytes are a comment with the date; without one the same data is the same file.
    path.write_bytes(b"MATLAB 5.0 MAT-file, drawn people".ljust(116) + buffer.getvalue()[116:])


def _write_json(path: Path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
