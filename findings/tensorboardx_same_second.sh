#!/usr/bin/env bash
# tensorboardX: a second SummaryWriter for the same folder, made in the same second, erases the first one's events.
#
# Surprise: the event file is named by the second and the host alone, and opened for writing, not for
#   appending. A writer that was closed a moment ago loses all its points, without a warning; one that is
#   still open goes on writing into the middle of the other's file.
# Natural guess: every writer has a file of its own (torch.utils.tensorboard adds the process and a counter),
#   or at least appends.
# Seen: 2026-11-27, tensorboardX 2.6.5, Python 3.11, Linux.
# Why it matters to people who train pose networks: short phases (a warm-up, a validation, a source model
#   trained before the target model) that each open a writer in the run's folder, and runs of a sweep that are
#   started together on one folder, lose their curves.
#
# Installs pinned packages in a temporary folder and fails if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  tensorboardX==2.6.5 "protobuf==6.33.0" "numpy==2.3.4" "packaging==25.0" 2>/dev/null
"$folder/venv/bin/python" - "$folder" <<'P'
import os
import platform
import sys
import time
from importlib.metadata import version

from tensorboardX import SummaryWriter

print(f"Python {platform.python_version()}, tensorboardX {version('tensorboardX')}, {platform.system()}")


def written(writers, apart):
    """Points of each of ``writers`` that are in the folder's files, and the number of files."""
    folder = os.path.join(sys.argv[1], f"log{apart}")
    while time.time() % 1 > 0.2:  # the beginning of a second
        time.sleep(0.01)
    for name in writers:
        writer = SummaryWriter(folder)
        for step in range(50):
            writer.add_scalar(name, step, step)
        writer.close()
        time.sleep(apart)
    contents = [open(os.path.join(folder, name), "rb").read() for name in os.listdir(folder)]
    return {name: sum(c.count(name.encode()) for c in contents) for name in writers}, len(contents)


same, files = written(("first", "second"), 0)
print(f"two writers in one second: {files} file(s), points found: {same}")
later, more = written(("first", "second"), 1.1)
print(f"the same a second apart: {more} file(s), points found: {later}")
as_described = files == 1 and same == {"first": 0, "second": 50} and more == 2 and later == {"first": 50, "second": 50}
sys.exit(0 if as_described else "the behavior has changed")
P
