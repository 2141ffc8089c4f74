"""What Label Studio's own converter makes of its tasks."""

import json

import numpy as np
import pytest

from tests.factories.birds import (
    BIRDS,
    HEIGHT,
    JOINTS,
    WIDTH,
    Bird,
    assert_birds,
    assert_evaluated,
    assert_joints_inside_crops,
    boxes,
    counts,
    draw_images,
    read,
)

converter = pytest.importorskip(
    "label_studio_sdk.converter", reason="label-studio-sdk (requirements-interop.txt) is not installed"
)

pytestmark = pytest.mark.interop

POINTS = "".join(f'<Label value="{name}" model_index="{k}"/>' for k, name in enumerate(JOINTS))
VIEW = f"""<View><Image name="image" value="$image"/>
<RectangleLabels name="box" toName="image"><Label value="bird"/></RectangleLabels>
<KeyPointLabels name="joint" toName="image">{POINTS}</KeyPointLabels></View>"""
# The converter rounds to whole pixels, and makes one object of all joints in a picture.
ONE_EACH = (BIRDS[0], Bird("b.png", BIRDS[3].joints, BIRDS[3].box))
SINGLE = (BIRDS[0], BIRDS[2])


def result(kind, tag, **value):
    return {
        "from_name": tag, "to_name": "image", "type": kind, "image_rotation": 0,
        "original_width": WIDTH, "original_height": HEIGHT, "value": value,
    }  # fmt: skip


def task(number, bird, image, boxed):
    """A task of Label Studio, whose coordinates are percentages of the picture."""
    results = []
    if boxed:
        x, y, width, height = np.array(bird.box) * 100 / [WIDTH, HEIGHT, WIDTH, HEIGHT]
        box = {"x": x, "y": y, "width": width, "height": height, "rotation": 0}
        results.append(result("rectanglelabels", "box", rectanglelabels=["bird"], **box))
    for name, (x, y) in zip(JOINTS, bird.joints):
        if not np.isnan(x):
            place = {"x": x * 100 / WIDTH, "y": y * 100 / HEIGHT, "width": 0.5}
            results.append(result("keypointlabels", "joint", keypointlabels=[name], **place))
    done = {"id": number, "result": results, "completed_by": 1}
    return {"id": number, "data": {"image": image}, "annotations": [done]}


def convert(folder, tasks):
    """Write ``folder/result.json``."""
    file = folder.parent / "tasks.json"
    file.write_text(json.dumps(tasks))
    made = converter.Converter(VIEW, project_dir=None, download_resources=False)
    made.convert_to_coco(str(file), str(folder), is_dir=False)


@pytest.mark.parametrize("boxed", [False, True])
@pytest.mark.parametrize("birds", [ONE_EACH, SINGLE])
def test_a_server_path_whose_last_part_is_there(tmp_path, birds, boxed):
    """`/data/upload/1/a.png` is found in the image folder; boxes without joints are no objects; no area."""
    draw_images(tmp_path / "out/images")
    tasks = [task(k, bird, f"/data/upload/1/{bird.image}", boxed) for k, bird in enumerate(birds, 1)]
    convert(tmp_path / "out", tasks)
    annotations = read(tmp_path / "out", "result.json")
    assert_birds(annotations, birds, tolerance=0.51)
    middle = np.nanmean([np.nanmin(birds[1].joints, axis=0), np.nanmax(birds[1].joints, axis=0)], axis=0)
    np.testing.assert_allclose(boxes(annotations)[1, :2], middle, atol=1)
    assert_joints_inside_crops(annotations)
    assert annotations.mapping.flip_indices == (0, 2, 1)
    assert counts(annotations.notes.filled_in) == [1, 2, 2]  # a box, areas, images found
    assert counts(annotations.notes.left_out) == ([2] if boxed else [])  # boxes of "bird"
    assert_evaluated(tmp_path / "out", "result.json")


def test_an_absolute_path_whose_last_part_is_there(tmp_path):
    """The path of the machine that exported, where the pictures were at hand."""
    draw_images(tmp_path / "elsewhere")
    draw_images(tmp_path / "out/images")
    tasks = [
        task(k, bird, str(tmp_path / "elsewhere" / bird.image), False) for k, bird in enumerate(ONE_EACH)
    ]
    convert(tmp_path / "out", tasks)
    (tmp_path / "elsewhere").rename(tmp_path / "gone")
    assert_birds(read(tmp_path / "out", "result.json"), ONE_EACH, tolerance=0.51)
