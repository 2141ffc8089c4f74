"""Choice of gamma and lambda for each method, by the PCKh on V of development seeds."""

import itertools
import json
from dataclasses import replace
from pathlib import Path
from statistics import mean

from benchmarks.evidence.cases import Case, row_key
from benchmarks.evidence.grounds import BUILT_IN
from benchmarks.evidence.methods import METHODS, Method
from lib.config.loader import current_names
from lib.dataset.annotations import read_json
from lib.utils.errors import InputError
from lib.utils.files import write_text

GAMMAS, LAMBDAS = (1.0, 0.3, 0.1), (0.0001, 0.001, 0.01)
TUNED = ("LBI.GAMMA", "LBI.LAM")
GROUP = ("method", "variables", "noise", "share", "ground")

# {values of GROUP: [(settings to try, the cases that try them, one for each seed)]}
Grids = dict[tuple, list[tuple[dict, list[Case]]]]


def grid(method: Method, given: dict, on_both: bool = False) -> list[dict]:
    """The combinations of settings to try; a single empty one if nothing is to be tuned.

    Args:
        given: settings that are not tuned.
        on_both: source models are trained on the target, too, so that gamma affects them.
    """
    values = {}
    if method.joint_loss:
        values["LBI.GAMMA"] = GAMMAS
    if method.has_source_model:
        values["LBI.LAM"] = LAMBDAS
        if on_both and not method.joint_loss:
            values["LBI.GAMMA"] = GAMMAS[:2]  # a grid of six, together with lambda; 0.1 was never the best
    values = {key: tried for key, tried in values.items() if key not in given | method.settings}
    return [dict(zip(values, point)) for point in itertools.product(*values.values())]


def tuned_by(case: Case, own: list[str]) -> Case:
    """The case whose tuning ``case`` uses: another method's, unless the method is among ``own``."""
    method = METHODS[case.method]
    if not method.tuned_as or method.name in own:
        return case
    return replace(case, method=method.tuned_as, variables=case.variables if method.learns else None)


def group_of(case: Case | dict) -> tuple:
    """The fields that cases tuned together share."""
    values = {"ground": BUILT_IN} | (case if isinstance(case, dict) else vars(case))
    return tuple(values[name] for name in GROUP)


def choose(grids: Grids, rows: list[dict]) -> list[dict]:
    """For each group with all its runs finished: the group, its best settings, and the means of all settings.

    Of equally good settings, the first are chosen.
    """
    scores = {row_key(row): row["val"] for row in rows}
    choices = []
    for group, tried in grids.items():
        values = [[scores.get(case.key) for case in cases] for _, cases in tried]
        if any(value is None for of_point in values for value in of_point):
            continue
        table = [{"settings": point, "val": mean(of_point)} for (point, _), of_point in zip(tried, values)]
        best = max(table, key=lambda entry: entry["val"])
        choices.append(dict(zip(GROUP, group)) | {"settings": best["settings"], "tried": table})
    return choices


class Choices:
    """The chosen settings by group."""

    def __init__(self, choices: list[dict]):
        self.by_group = {group_of(choice): choice["settings"] for choice in choices}

    def of(self, case: Case) -> dict:
        """The settings chosen for the method, else for the method that it is tuned as, else none."""
        for own in ([case.method], []):
            if (group := group_of(tuned_by(case, own))) in self.by_group:
                return self.by_group[group]
        return {}


def tuning_file(out: Path) -> Path:
    """The file of the tuning that belongs to the results ``out``."""
    return out.with_suffix(".tuning.json")


def read_tuning(path: Path) -> dict:
    """{"given": settings of all runs, "choices": [...], "runs": rows}; empty if the file does not exist."""
    if not path.exists():
        return {"given": None, "choices": [], "runs": []}
    content = read_json(path)
    try:
        content["given"] = content["given"] and [
            current_names(given, str(path)) for given in content["given"]
        ]
        for choice in content["choices"]:
            for point in (choice, *choice["tried"]):
                point["settings"] = current_names(point["settings"], str(path))
            group_of(choice)
        for row in content["runs"]:
            row["settings"] = current_names(row["settings"], str(path))
            row_key(row)
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{path}: expected the tuning of this benchmark: given, choices and runs") from None
    return content


def write_tuning(path: Path, given: dict, choices: list[dict], rows: list[dict]) -> None:
    """Write a tuning file, one entry per line."""
    lines = {"given": [given], "choices": choices, "runs": rows}
    texts = [
        f'"{name}": [\n' + ",\n".join(map(json.dumps, entries)) + "\n]" for name, entries in lines.items()
    ]
    write_text(path, "{" + ",\n".join(texts) + "}\n")
