#!/usr/bin/env bash
# OpenCV: IMREAD_IGNORE_ORIENTATION turns TIFFs all the same, and without it WebP is turned by 5.0, not by 4.12.
#
# Surprise: one picture, stored 8 wide and 4 high with orientation tag 6, is read with the flag as 8 x 4 from JPEG,
#   PNG and WebP, but as 4 x 8 from TIFF; IMREAD_UNCHANGED turns the TIFF, too. Without any flag the turned
#   formats are JPEG, PNG and TIFF in 4.12, and WebP as well in 5.0.
# Natural guess: the flag gives the pixels as they are stored whatever the format, and its absence the upright
#   picture whatever the version.
# Seen: 2026-11-27, opencv-python-headless 4.12.0.88 and 5.0.0.93, Pillow 12.3.0, Python 3.11, Linux.
# Why it matters to people who train pose networks: labels that were made on the stored pixels of a TIFF land beside
#   the joints, turned by 90 degrees and mostly still inside the picture. Labels of WebP pictures fit under one
#   version of OpenCV and not under the other.
#
# Installs pinned packages in a temporary folder and fails if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/sizes.py" <<'P'
import io
import platform
import sys

import cv2
import numpy as np
import PIL
from PIL import Image

print(f"Python {platform.python_version()}, OpenCV {cv2.__version__}, Pillow {PIL.__version__}, {platform.system()}")
flags = {
    "no flag": cv2.IMREAD_COLOR,
    "ignore": cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION,
    "unchanged": cv2.IMREAD_UNCHANGED,
}
found = {}
for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
    picture, file = Image.new("RGB", (8, 4)), io.BytesIO()
    tags = picture.getexif()
    tags[274] = 6  # orientation: to be turned by 90 degrees
    picture.save(file, kind, exif=tags)
    data = np.frombuffer(file.getvalue(), np.uint8)
    found[kind] = [cv2.imdecode(data, flag).shape[:2] == (8, 4) for flag in flags.values()]
    print(f"{kind}: turned with", ", ".join(name for name, turned in zip(flags, found[kind]) if turned) or "nothing")
by_webp = cv2.__version__.startswith("5.")
expected = {"JPEG": [1, 0, 0], "PNG": [1, 0, 0], "WEBP": [by_webp, 0, 0], "TIFF": [1, 1, 1]}
sys.exit(0 if found == expected else "the behavior has changed")
P
for release in 4.12.0.88 5.0.0.93; do
  python3 -m venv "$folder/$release"
  "$folder/$release/bin/python" -m pip install --quiet --disable-pip-version-check \
    "opencv-python-headless==$release" "numpy==2.2.6" "pillow==12.3.0" 2>/dev/null
  "$folder/$release/bin/python" "$folder/sizes.py"
done
