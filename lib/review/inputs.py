"""Which files a folder of find_labels.py is about, so that two calls do not mix."""

import json
from collections.abc import Mapping
from pathlib import Path

from lib.dataset.annotations import read_json
from lib.review.found import DESCRIPTION, sha256_of
from lib.utils.errors import InputError
from lib.utils.files import write_text

INPUTS = "inputs.json"
REVIEWED = "--reviewed "  # begins the flags of decisions
TRAINING = "training"  # folder of the run
MADE = (TRAINING, DESCRIPTION)  # of which something is there once a call has come to anything


def record_inputs(folder: Path, files: Mapping[str, str | Path]) -> None:
    """Note in ``folder`` which ``files`` {flag: path} it is about; others than before only if nothing came of those.

    Raises:
        InputError: a file cannot be read, the labels in doubt are also the trusted ones, or the folder is about others.
    """
    hashes = {flag: sha256_of(Path(path)) for flag, path in files.items()}
    if hashes["--labels"] == hashes.get("--trusted"):
        raise InputError(
            f"--trusted {files['--trusted']}: is the same file as --labels, whose labels are in doubt"
        )
    path = folder / INPUTS
    if path.exists() and any((folder / name).exists() for name in MADE):
        former = read_json(path)
        if not isinstance(former, dict) or set(former) != set(hashes):
            given = ", ".join(former) if isinstance(former, dict) else "something else"
            raise InputError(f"--output {folder}: made with {given}, now {', '.join(hashes)}; choose another")
        if changed := [flag for flag in hashes if former[flag] != hashes[flag]]:
            if changed[0].startswith(REVIEWED):
                raise InputError(
                    f"--output {folder}: {changed[0].removeprefix(REVIEWED)} is not what it was when this was begun; take "
                    "another --output for a search that knows what was decided since"
                )
            raise InputError(f"--output {folder}: made with another file as {changed[0]}; choose another")
    write_text(path, json.dumps(hashes, indent=2) + "\n")
