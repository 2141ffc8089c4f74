#!/usr/bin/env bash
# sleap-io: a project whose image sequence was pointed to another folder is saved as a file that it cannot open again.
#
# Surprise: after `Video.replace_filename` of a list of images that are not on this machine, `save` writes the project
#   without a word, and `load_slp` of it raises a TypeError about a path. The same happens with a video that is made
#   of a list of images with `open_backend=False`.
# Natural guess: pointing a project to the folders of another machine is what the method is for; the saved project
#   opens there, as it does for a single video file.
# Seen: 2026-11-28, sleap-io 0.9.5, Python 3.11, Linux.
# Why it matters to people who train pose networks: labels are corrected on one machine and trained on at another.
#   Whoever saves over the project has one that no longer opens; the labels in it can only be got at with HDF5 tools.
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

print(f"Python {platform.python_version()}, sleap-io {version('sleap-io')}, {platform.system()}")

skeleton = sleap_io.Skeleton(["nose"])
names = ["a.png", "b.png"]
for name in names:
    imageio.imwrite(name, np.full((60, 80, 3), 90, np.uint8))


def project(video):
    bird = sleap_io.Instance.from_numpy(np.array([[20.0, 10]]), skeleton=skeleton)
    return sleap_io.Labels([sleap_io.LabeledFrame(video=video, frame_idx=0, instances=[bird])])


def after_saving(labels, path):
    """The names of the images in the saved project, or why it does not open."""
    labels.save(path, verbose=False)
    try:
        return sleap_io.load_slp(path, open_videos=False).videos[0].filename
    except TypeError as problem:
        return f"TypeError: {problem}"


seen = {"images at hand": after_saving(project(sleap_io.Video.from_filename(names)), "here.slp")}
moved = sleap_io.load_slp("here.slp")
moved.videos[0].replace_filename(["/elsewhere/a.png", "/elsewhere/b.png"])
seen["pointed to another machine's folder"] = after_saving(moved, "moved.slp")
closed = sleap_io.Video(filename=names, open_backend=False)
seen["images that were never opened"] = after_saving(project(closed), "closed.slp")
for what, found in seen.items():
    print(f"{what}: {found}")
first, *others = seen.values()
as_described = first == names and all(str(found).startswith("TypeError") for found in others)
sys.exit(0 if as_described else "the behavior has changed")
P
