#!/usr/bin/env bash
# sleap-io: an export for YOLO pose says that mirroring exchanges no joints, whatever the skeleton's symmetries say.
#
# Surprise: `save_ultralytics` writes `flip_idx` as 0, 1, 2, ... into data.yaml. The skeleton knows its pairs, and
#   sleap-io itself gives the right order by `Skeleton.get_flipped_node_inds`.
# Natural guess: `flip_idx` holds that order; if no pair is known the key is left out, so that the trainer warns.
# Seen: 2026-11-27, sleap-io 0.9.5, Python 3.11, Linux.
# Why it matters to people who train pose networks: Ultralytics mirrors half of the training images by default and
#   trusts `flip_idx`. The left eye of a mirrored animal is then taught as the right one in half of the samples;
#   nothing fails, and the two joints are confused or averaged.
#
# Installs pinned packages in a temporary folder and fails if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  sleap-io==0.9.5 "numpy==2.3.4" "imageio==2.38.1" 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'P'
import platform
import sys
from importlib.metadata import version

import imageio.v3 as imageio
import numpy as np
import sleap_io
import yaml

print(f"Python {platform.python_version()}, sleap-io {version('sleap-io')}, {platform.system()}")

names = ["nose", "left_eye", "right_eye"]
skeleton = sleap_io.Skeleton(names, symmetries=[("left_eye", "right_eye")])
imageio.imwrite("frame.png", np.full((60, 80, 3), 90, np.uint8))
video = sleap_io.Video.from_filename(["frame.png"])
bird = sleap_io.Instance.from_numpy(np.array([[20.0, 10], [12, 25], [30, 24]]), skeleton=skeleton)
frame = sleap_io.LabeledFrame(video=video, frame_idx=0, instances=[bird])
sleap_io.save_ultralytics(sleap_io.Labels([frame]), "yolo", split_ratios={"train": 1.0}, verbose=False)

with open("yolo/data.yaml", encoding="utf-8") as file:
    written = yaml.safe_load(file)
print("names in data.yaml:", written["node_names"])
print("flip_idx in data.yaml:", written["flip_idx"])
print("order after mirroring by sleap-io itself:", skeleton.get_flipped_node_inds())
as_described = written["flip_idx"] == [0, 1, 2] and list(skeleton.get_flipped_node_inds()) == [0, 2, 1]
sys.exit(0 if as_described else "the behavior has changed")
P
