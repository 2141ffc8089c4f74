#!/usr/bin/env bash
# OpenCV: a JPEG file without its last bytes decodes to an image in some versions and to None in others.
#
# Surprise: up to 4.10, OpenCV returns an image without an error, even where only the two bytes of the end marker are
#   missing: 4.8 with the last rows of blocks wrong, 4.10 with whatever the memory held there (rows of the image that was
#   decoded before, for one). From 4.11 on it returns None. A file cut in the middle to which an end marker was added
#   is decoded by all, its lower half grey.
# Natural guess: a file that is cut off gives None, and one that lacks only its end marker is whole.
# Seen: 2026-11-27, opencv-python-headless 4.8.0 to 5.0.0, Python 3.11, Linux.
# Why it matters to people who train pose networks: the same data set trains on other pixels, or has other images,
#   after an upgrade; labels lie on grey, and nothing says so.
#
# Installs pinned packages in temporary folders and fails if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/check.py" <<'P'
import platform
import sys

import cv2
import numpy as np

print(f"Python {platform.python_version()}, opencv {cv2.__version__}, numpy {np.__version__}, {platform.system()}")
smooth = cv2.resize(np.random.default_rng(0).random((20, 15, 3)), (120, 160), interpolation=cv2.INTER_CUBIC)
file = cv2.imencode(".jpg", (smooth.clip(0, 1) * 255).astype(np.uint8))[1].tobytes()
assert file.endswith(b"\xff\xd9")
whole = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)


def wrong_rows(content):
    """Rows that differ from the whole image; None if it is not decoded."""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    return None if image is None else int((image != whole).any(axis=(1, 2)).sum())


found = {
    "without the end marker": wrong_rows(file[:-2]),
    "first half": wrong_rows(file[: len(file) // 2]),
    "first half and an end marker": wrong_rows(file[: len(file) // 2] + b"\xff\xd9"),
}
for what, rows in found.items():
    print(f"  {what}: {'None' if rows is None else f'{rows} of {len(whole)} rows are wrong'}")
if sys.argv[1] == "decodes":
    assert found["without the end marker"] is not None and found["first half"]
    assert found["without the end marker"] > 0 or cv2.__version__ != "4.8.1"
else:
    assert found["without the end marker"] is None and found["first half"] is None
assert found["first half and an end marker"] > len(whole) / 4
P
check() {
  python3 -m venv "$folder/$1"
  "$folder/$1/bin/python" -m pip install --quiet --disable-pip-version-check "opencv-python-headless==$1" "numpy==$2"
  "$folder/$1/bin/python" "$folder/check.py" "$3" 2>/dev/null
}
check 4.8.1.78 1.26.4 decodes
check 4.10.0.84 1.26.4 decodes
check 4.11.0.86 1.26.4 refuses
check 5.0.0.93 2.3.4 refuses
echo "as described"
