import json
import math

import numpy as np

from lib.utils.json_files import without_nan, write_results


def test_results_are_plain_json_without_nan(tmp_path):
    path = tmp_path / "run" / "results.json"
    results = {
        "mode": "ours1",
        "test": {"Mean": np.float32(0.5), "Head": math.nan, "loss": np.float64("inf")},
        "steps": np.int64(3),
        "groups": (1, [math.nan, True, None]),
    }
    write_results(path, results)
    text = path.read_text()
    assert text.endswith("}\n") and "NaN" not in text and "Infinity" not in text
    assert json.loads(text) == {
        "mode": "ours1",
        "test": {"Mean": 0.5, "Head": None, "loss": None},
        "steps": 3,
        "groups": [1, [None, True, None]],
    }
    assert list(json.loads(text)) == list(results)


def test_only_numbers_that_json_lacks_are_replaced():
    tree = {"a": [1, 2.5, "nan"], "b": {"c": -math.inf, "d": np.float32(2)}}
    assert without_nan(tree) == {"a": [1, 2.5, "nan"], "b": {"c": None, "d": 2}}
    assert tree["b"]["c"] == -math.inf  # the argument is not changed
