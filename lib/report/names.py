"""Names that tell the runs of a table or of a report apart."""

import os
from collections.abc import Sequence
from pathlib import Path

from lib.config.loader import flat_config
from lib.config.schema import Config
from lib.ignoring.modes import MODES
from lib.training.influence import COMPUTATION, names, unused_settings
from lib.utils.errors import InputError

MOST_SETTINGS = 3  # in a name
LONGEST = 60  # characters of them


def run_names(paths: Sequence[Path], results: Sequence[dict], configs: Sequence[Config | None]) -> list[str]:
    """A name for each run: its mode and, if other runs are of the same mode, what distinguishes it from them.

    That is the seed and the settings that differ, if they are few and known; otherwise the part of the path.

    Args:
        paths: The runs' folders, or files of their results.
        results: Contents of results.json.
        configs: The runs' settings, None if they are unknown.

    Raises:
        InputError: A path is given twice.
    """
    resolved = [path.resolve() for path in paths]
    repeated = next((path for path, own in zip(paths, resolved) if resolved.count(own) > 1), None)
    if repeated:
        raise InputError(f"{repeated}: given twice; expected different runs")
    found = [str(result["mode"]) for result in results]
    for mode in dict.fromkeys(found):
        same = [run for run, result in enumerate(results) if result["mode"] == mode]
        if len(same) > 1:
            parts = _settings_that_differ([results[run] for run in same], [configs[run] for run in same])
            parts = parts or _parts_that_differ([resolved[run] for run in same])
            for run, part in zip(same, parts):
                found[run] = part if part.startswith(mode) else f"{mode}, {part}"  # a folder, such as ours1.1
    return found


def _settings_that_differ(results: list[dict], configs: list[Config | None]) -> list[str] | None:
    """For each run of one mode its seed and settings that others have not; None if they do not make a name."""
    mode = MODES.get(str(results[0]["mode"]))
    without = (*COMPUTATION, "SEED", "TEST.MODEL_FILE", *(unused_settings(mode) if mode else ()))
    known = [flat_config(config) for config in configs if config]
    values = [{"seed": result["seed"]} for result in results]
    if len(known) == len(configs):
        values = [value | flat for value, flat in zip(values, known)]
    keys = [
        key for key in values[0] if not names(without, key) and any(v[key] != values[0][key] for v in values)
    ]
    texts = [", ".join(f"{key} {_short(value[key])}" for key in keys) for value in values]
    short = len(keys) <= MOST_SETTINGS and max(map(len, texts)) <= LONGEST
    return texts if short and len(set(texts)) == len(texts) else None


def _short(value: object) -> str:
    return "''" if value == "" else str(value).lower() if isinstance(value, bool) else str(value)


def _parts_that_differ(paths: list[Path]) -> list[str]:
    """The paths without what all of them begin and end with."""
    parts = [path.parts for path in paths]
    begin = len(os.path.commonprefix(parts))
    end = len(os.path.commonprefix([part[begin:][::-1] for part in parts]))
    shortened = [os.sep.join(part[begin : len(part) - end]) for part in parts]
    # One folder may lie in another: then its own name is what it lacks.
    return shortened if all(shortened) else [os.sep.join(part[max(0, begin - 1) :]) for part in parts]
