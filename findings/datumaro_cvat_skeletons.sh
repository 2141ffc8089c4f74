#!/usr/bin/env bash
# datumaro: a skeleton of CVAT is read as loose points, of which those that are outside are visible ones.
#
# Surprise: of <skeleton> with its <points>, each point becomes an annotation of its own. That they are one object is
#   lost (no group), so are the skeleton's attributes, and outside="1", CVAT's mark of a joint that is not there: the
#   joint has Visibility.visible at the place where CVAT keeps it for later, and is written back with outside="0".
# Natural guess: a skeleton is read as Points with one visibility for each joint, or refused as other shapes are.
# Seen: 2026-11-28, datumaro 1.13.12 (the one on PyPI), Python 3.11, Linux. (CVAT uses a datumaro of its own.)
# Why it matters to people who train pose networks: the joints that annotators said are not in the picture come back as
#   labels at arbitrary places, and people next to each other cannot be told apart any more. There is no warning.
#
# Installs pinned packages in a temporary folder and fails if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check datumaro==1.13.12 "numpy==2.3.4" 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - 2>"$folder/errors" <<'P' || { cat "$folder/errors" >&2; exit 1; }
import platform
import sys
import xml.etree.ElementTree as ET
from importlib.metadata import version
from pathlib import Path

import numpy as np
from datumaro.components.dataset import Dataset
from datumaro.util.image import save_image

print(f"Python {platform.python_version()}, datumaro {version('datumaro')}, {platform.system()}")

save_image("cvat/images/a.png", np.full((60, 80, 3), 90, np.uint8), create_dir=True)
Path("cvat/annotations.xml").write_text(
    """<annotations><version>1.1</version><meta><task><labels>
<label><name>bird</name><type>skeleton</type><attributes><attribute><name>ring</name><mutable>False</mutable>
<input_type>text</input_type><default_value/><values/></attribute></attributes></label>
<label><name>nose</name><type>points</type><attributes/><parent>bird</parent></label>
<label><name>left_eye</name><type>points</type><attributes/><parent>bird</parent></label>
</labels></task></meta><image id="0" name="a.png" width="80" height="60">
<skeleton label="bird" source="manual" z_order="0">
<points label="nose" source="manual" outside="0" occluded="0" points="20.00,10.00"></points>
<points label="left_eye" source="manual" outside="1" occluded="0" points="5.00,5.00"></points>
<attribute name="ring">B7</attribute></skeleton></image></annotations>"""
)
dataset = Dataset.import_from("cvat", "cvat")
(item,) = dataset
for points in item.annotations:
    print(points.type.name, points.points, points.visibility[0].name, "group", points.group, points.attributes)
dataset.export("back", "cvat", save_media=True)
image = ET.parse("back/annotations.xml").find("image")
back = {point.get("label"): point.get("outside") for point in image.findall("points")}
print("written back:", len(image.findall("skeleton")), "skeletons; outside:", back)
as_described = (
    len(item.annotations) == 2
    and all(each.group == 0 and each.visibility[0].name == "visible" for each in item.annotations)
    and not any("ring" in each.attributes for each in item.annotations)
    and back == {"nose": "0", "left_eye": "0"}
)
sys.exit(0 if as_described else "the behavior has changed")
P
