#!/usr/bin/env bash
# OpenCV: IMREAD_IGNORE_ORIENTATION does not hold for TIFF files.
#
# Surprise: a TIFF with an orientation tag is turned with the flag as without it, in every version tried; JPEG, PNG and
#   WebP are not. Without the flag, WebP is turned from 4.13 on, and not before. Pillow (10.3 and later) gives the
#   exchanged width and height for such a TIFF already when it is opened, and the stored ones for other formats.
# Natural guess: the flag gives the pixels as stored, whatever the format, and Pillow's size is that of the stored image.
# Seen: 2026-11-27, opencv-python-headless 4.8.0 to 5.0.0, Pillow 13.0.0, Python 3.11, Linux.
# Why it matters to people who train pose networks: COCO's keypoints count the pixels as stored, so pose toolboxes read
#   with the flag; labels of a TIFF data set then lie beside their joints, and a size check by Pillow does not see it.
#
# Installs pinned packages in temporary folders and fails if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/check.py" <<'P'
import io
import platform
import sys

import cv2
import numpy as np
import PIL
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

print(
    f"Python {platform.python_version()}, opencv {cv2.__version__}, Pillow {PIL.__version__}, {platform.system()}"
)
exif, tags = Image.Exif(), ImageFileDirectory_v2()
exif[274] = tags[274] = 6  # a quarter turn
found = {}
for kind, options in (
    ("JPEG", {"exif": exif}),
    ("PNG", {"exif": exif}),
    ("WEBP", {"exif": exif}),
    ("TIFF", {"tiffinfo": tags}),
):
    file = io.BytesIO()
    Image.new("RGB", (40, 24)).save(file, kind, **options)
    data = np.frombuffer(file.getvalue(), np.uint8)
    ignoring = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION).shape[1::-1]
    usual = cv2.imdecode(data, cv2.IMREAD_COLOR).shape[1::-1]
    found[kind] = ignoring, usual, Image.open(file).size
    print(f"  {kind}, stored 40 x 24: with the flag {ignoring}, without {usual}, Pillow {found[kind][2]}")
stored, turned = (40, 24), (24, 40)
assert found["JPEG"] == found["PNG"] == (stored, turned, stored)
assert found["WEBP"] == (stored, turned if sys.argv[1] == "turns" else stored, stored)
assert found["TIFF"] == (turned, turned, turned)
P
check() {
  python3 -m venv "$folder/$1"
  "$folder/$1/bin/python" -m pip install --quiet --disable-pip-version-check "opencv-python-headless==$1" "numpy==$2" pillow==13.0.0
  "$folder/$1/bin/python" "$folder/check.py" "$3" 2>/dev/null
}
check 4.12.0.88 2.2.6 stays
check 5.0.0.93 2.3.4 turns
echo "as described"
