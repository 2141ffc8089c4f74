"""A small annotation file of people, and results for it."""

from tests.factories.data_sets import coco_image, write_json


def annotation_file(folder, people, images=2):
    path = folder / "truth.json"
    write_json(path, {"images": [coco_image(n) for n in range(1, images + 1)], "annotations": people})
    return path


def result(image_id=1, shift=0.0, score=1.0, **changed):
    """What finds a ``coco_person`` of that image, ``shift`` pixels aside."""
    keypoints = [value for k in range(17) for value in (10 + k + shift, 8 + k, 1)]
    return {"image_id": image_id, "category_id": 1, "keypoints": keypoints, "score": score, **changed}
