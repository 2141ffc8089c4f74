#!/usr/bin/env bash
# Label Studio: the COCO export makes one object of all the keypoints in an image, mixed from several animals.
#
# Surprise: each animal has its box, and each joint names that box as its parent. The YOLO export of the same task
#   keeps the animals apart. The COCO export has one object with joints per image: of joints that two animals
#   have, the later one wins; of others, whoever has it. It belongs to a category "default", and coordinates are
#   rounded to whole pixels.
# Natural guess: one object per box, with the joints whose parent it is, as in the YOLO export.
# Seen: 2026-11-27, label-studio-sdk 2.1.2 (its converter), Python 3.11, Linux.
# Why it matters to people who train pose networks: the file is valid, and each of its joints lies on an animal, so
#   nothing complains. The skeleton spans two animals, the crop as well, and OKS is computed with its area.
#
# Installs pinned packages in a temporary folder and fails if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  label-studio-sdk==2.1.2 "numpy==2.2.6" 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'P'
import json
import platform
import sys
from importlib.metadata import version

from label_studio_sdk.converter import Converter

print(f"Python {platform.python_version()}, label-studio-sdk {version('label-studio-sdk')}, {platform.system()}")

names = ("nose", "left_eye", "right_eye")
labels = "".join(f'<Label value="{name}" model_index="{k}"/>' for k, name in enumerate(names))
view = f"""<View><Image name="image" value="$image"/>
<RectangleLabels name="box" toName="image"><Label value="bird"/></RectangleLabels>
<KeyPointLabels name="joint" toName="image">{labels}</KeyPointLabels></View>"""
size = {"original_width": 100, "original_height": 100}  # percentages are pixels then


def bird(box_id, box, joints):
    """A box and the joints inside it, as Label Studio stores them."""
    x, y, width, height = box
    value = {"x": x, "y": y, "width": width, "height": height, "rotation": 0, "rectanglelabels": ["bird"]}
    yield {"id": box_id, "from_name": "box", "to_name": "image", "type": "rectanglelabels", "value": value} | size
    for name, (x, y) in joints.items():
        value = {"x": x, "y": y, "width": 1, "keypointlabels": [name]}
        point = {"id": f"{box_id}-{name}", "parentID": box_id, "type": "keypointlabels", "value": value}
        yield point | {"from_name": "joint", "to_name": "image"} | size


first = {"nose": (20, 15), "left_eye": (15, 25), "right_eye": (25, 25)}
second = {"nose": (80, 70), "right_eye": (85, 80)}  # its left eye is hidden
drawn = [*bird("one", (10, 10, 20, 20), first), *bird("two", (70, 60, 20, 30), second)]
task = {"id": 1, "data": {"image": "/data/upload/1/frame.png"}, "annotations": [{"id": 1, "result": drawn}]}
with open("tasks.json", "w", encoding="utf-8") as file:
    json.dump([task], file)

converter = Converter(view, project_dir=None, download_resources=False)
converter.convert_to_yolo("tasks.json", "yolo", is_dir=False)
with open("yolo/labels/frame.txt", encoding="utf-8") as file:
    print("objects in the YOLO export:", yolo := len(file.read().strip().splitlines()))
converter.convert_to_coco("tasks.json", "coco", is_dir=False)
with open("coco/result.json", encoding="utf-8") as file:
    exported = json.load(file)
objects = [entry for entry in exported["annotations"] if "keypoints" in entry]
print("objects with joints in the COCO export:", len(objects), [entry["keypoints"] for entry in objects])
print("its categories:", [category["name"] for category in exported["categories"]])
mixed = [80, 70, 2, 15, 25, 2, 85, 80, 2]  # the second bird's nose and right eye, the first one's left eye
as_described = yolo == 2 and [entry["keypoints"] for entry in objects] == [mixed]
sys.exit(0 if as_described else "the behavior has changed")
P
