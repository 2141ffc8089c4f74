"""What the sources never do, and what never gets out of a report or a table."""

import ast
import csv
import html.parser
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from lib.dataset.annotations import Annotations
from lib.dataset.keypoints import joint_mapping
from lib.ignoring.weight_table import WeightTable, read_weight_table, write_weight_table
from lib.report.estimates import read_estimate
from lib.report.markup import element
from lib.report.results import read_results, rows_of
from lib.report.runs import read_metrics
from lib.utils.errors import InputError
from tests.harness.mutations import FEW_AND_MANY, PLACES, outcome, put, spoilt_bytes, spoilt_tree, try_many

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    path for part in ("lib", "pose_estimation", "benchmarks") for path in sorted((ROOT / part).rglob("*.py"))
]
NEVER = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "pickle.load", "pickle.loads", "marshal.loads",
    "yaml.load_all", "yaml.unsafe_load", "yaml.full_load", "json_tricks.load", "json_tricks.loads", "tempfile.mktemp",
    "torch.hub.load", "shutil.unpack_archive", "joblib.load", "scipy.io.loadmat", "loadmat",
}  # fmt: skip
METHODS = {"extract", "extractall"}  # of archives, which are read and never unpacked
# What a call must say for itself: keyword and value.
ONLY_WITH = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
}


def complaints(source):
    """(line, what is wrong) of the calls in ``source``."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        said = {word.arg: word.value for word in node.keywords}
        if name in NEVER or name.rpartition(".")[2] in METHODS:
            yield node.lineno, name
        if name in ONLY_WITH:
            keyword, value = ONLY_WITH[name]
            if not isinstance(said.get(keyword), ast.Constant) or said[keyword].value is not value:
                yield node.lineno, f"{name} without {keyword}={value}"
        if name == "yaml.load" and ast.unparse(said.get("Loader", ast.Constant(None))) != "_StrictLoader":
            yield node.lineno, "yaml.load with a loader of another kind"
        if "shell" in said:
            yield node.lineno, f"{name} with a shell"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_runs_or_unpickles_what_it_is_given(path):
    assert list(complaints(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    ["eval('1')", "torch.load(p)", "torch.load(p, weights_only=False)", "np.load(p, allow_pickle=True)", "np.load(p)",
     "yaml.load(t, yaml.UnsafeLoader)", "yaml.load(t, Loader=yaml.Loader)", "subprocess.run(c, shell=True)",
     "archive.extractall()", "pickle.loads(b)", "os.system(c)"],
)  # fmt: skip
def test_the_search_finds_what_it_looks_for(source):
    assert len(list(complaints(source))) == 1


def test_the_loader_of_settings_makes_no_objects():
    import yaml

    from lib.config.loader import _StrictLoader

    assert issubclass(_StrictLoader, yaml.SafeLoader)
    for tag in (
        "!!python/object/apply:os.system [echo]",
        "!!python/name:os.system ''",
        "!!python/module:os ''",
    ):
        with pytest.raises(yaml.YAMLError):
            yaml.load(tag, Loader=_StrictLoader)


class Seen(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.values, self.text = [], [], ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.values += [value for _, value in attributes]

    def handle_data(self, data):
        self.text += data


HOSTILE = st.one_of(
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\0")),
    st.sampled_from(
        ["<script>alert(1)</script>", '" onload="x', "'><img src=x>", "]]>", "<!--", "&lt;", "</p></title>"]
    ),
)


@pytest.mark.parametrize("examples", FEW_AND_MANY)
def test_any_text_is_only_text_in_a_report(examples):
    def check(text):
        seen = Seen(element("p", {"title": text}, text, [text]))
        assert seen.tags == ["p"] and seen.values == [text] and seen.text == 2 * text

    try_many(examples, HOSTILE, check)


def people(image_paths=("a.jpg", "b.jpg")):
    rng = np.random.default_rng(0)
    return Annotations(
        mapping=joint_mapping("coco", ("left_knee", "right_knee")),
        ids=np.array([7, 3, 5]),
        image_paths=image_paths,
        image_index=np.array([0, 1, 0]),
        joints=rng.random((3, 2, 2)),
        visible=np.array([[1, 1], [0, 1], [1, 0]]),
        centers=rng.random((3, 2)),
        sizes=rng.random((3, 2)),
    )


@pytest.mark.parametrize(
    "name", ["=cmd|'calc'!A0.jpg", "+1.jpg", "-1.jpg", "@SUM(A1).jpg", '=a","b\n.jpg', "\t=1.jpg"]
)
def test_no_name_in_a_table_is_a_formula(tmp_path, name):
    """Programs that open tables compute what begins with these characters."""
    write_weight_table(
        tmp_path / "w.csv", people((name, "b.jpg")), WeightTable(np.full((3, 2), 0.5), np.zeros((3, 2), int))
    )
    with open(tmp_path / "w.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["image"] for row in rows} == {f"'{name}", "b.jpg"}
    assert all(cell[:1] not in ("=", "+", "-", "@", "\t", "\r") for row in rows for cell in row.values())


@pytest.mark.parametrize("examples", FEW_AND_MANY)
def test_spoilt_weight_tables(tmp_path, examples):
    of = people()
    write_weight_table(
        tmp_path / "w.csv", of, WeightTable(np.linspace(0, 1, 6).reshape(3, 2), np.arange(6).reshape(3, 2))
    )
    whole = {suffix: (tmp_path / f"w{suffix}").read_bytes() for suffix in (".csv", ".npz")}
    kinds = st.sampled_from([".csv", ".npz"])
    contents = kinds.flatmap(
        lambda suffix: st.tuples(st.just(suffix), spoilt_bytes(whole[suffix]), st.sampled_from(PLACES))
    )

    def check(spoilt):
        suffix, content, place = spoilt
        put(tmp_path / f"w{suffix}", content, place)
        table = outcome(read_weight_table, tmp_path / f"w{suffix}", of)
        if table is not None:
            assert table.weights.shape == table.seen.shape == (3, 2)
            assert ((table.weights >= 0) & (table.weights <= 1)).all() and (table.seen >= 0).all()

    try_many(examples, contents, check)


def test_arrays_of_objects_are_not_unpickled(tmp_path):
    proof = tmp_path / "it ran"

    class Malicious:
        def __reduce__(self):
            return (open, (str(proof), "w"))

    array = np.empty((3, 2), object)
    array[:] = Malicious()
    names = {
        "weights": array,
        "seen": array,
        "annotation_ids": np.array([7, 3, 5]),
        "joints": np.array(["a"]),
    }
    np.savez(tmp_path / "w.npz", **names)
    with pytest.raises(InputError, match="w.npz: not the weights"):
        read_weight_table(tmp_path / "w.npz", people())
    assert not proof.exists()


ESTIMATE = {"labels": 9, "wrong": 2.5, "low": 1.0, "high": 4.0, "flagged": 2, "precision": 0.75, "kinds": {"moved": 2},
            "auroc": 0.9, "average_precision": 0.8}  # fmt: skip
RESULTS = {
    "mode": "ours1", "seed": 0, "output": "output/a", "log": "log/a", "seconds_per_step": 0.1, "steps": 3,
    "test": {"PCKh": {"Head": 1.0, "Mean": 2.5, "Mean@0.1": None}, "loss": 0.1, "people": 3},
    "weights": {"B": {"file": "ignoring_weights.csv", "mean": 0.5, "auroc": 0.9, "average_precision": 0.8, "wrong_labels": ESTIMATE}},
    "source_model": {"test": {"PCKh": {"Mean": 1.0}}},
    "retrained": {"mode": "ours1", "seed": 0, "output": "o", "log": "l", "test": {"PCKh": {"Mean": 1.0}}},
}  # fmt: skip


@pytest.mark.parametrize("examples", FEW_AND_MANY)
def test_spoilt_results(tmp_path, examples):
    path = tmp_path / "results.json"
    text = json.dumps(RESULTS).encode()
    contents = st.one_of(spoilt_tree(RESULTS).map(lambda t: json.dumps(t).encode()), spoilt_bytes(text))

    def check(content_and_place):
        put(path, *content_and_place)
        results = outcome(read_results, path)
        if results is not None:
            rows = rows_of(results, str(results["mode"]))
            assert all(isinstance(cell, str) for row in rows for cell in row)
            for summary in (results.get("weights") or {}).values():
                estimate = outcome(read_estimate, path, summary)
                assert estimate is None or all(isinstance(line, str) for line in estimate.lines())
            Path(results["output"], results["log"])

    try_many(examples, st.tuples(contents, st.sampled_from(PLACES)), check)


@pytest.mark.parametrize("examples", FEW_AND_MANY)
def test_spoilt_metrics(tmp_path, examples):
    path = tmp_path / "metrics.jsonl"
    lines = [{"step": s, "loss/a": 0.5, "histogram": {"tag": "t", "counts": [1] * 20}} for s in range(3)]
    text = "\n".join(map(json.dumps, lines)).encode()
    trees = spoilt_tree(lines).map(
        lambda t: "\n".join(map(json.dumps, t if isinstance(t, list) else [t])).encode()
    )

    def check(content):
        put(path, content)
        scalars, histograms = read_metrics(path)
        for steps, values in (*scalars.values(), *histograms.values()):
            assert len(steps) == len(values) and np.isfinite(values.astype(float)).all()

    try_many(examples, st.one_of(trees, spoilt_bytes(text)), check)


@pytest.mark.parametrize(
    "line",
    [{"step": 1, "loss/a": 10**400}, {"step": 10**400, "loss/a": 1}, {"step": -1, "loss/a": 1},
     {"step": 1, "histogram": {"tag": "t", "counts": [10**400] * 20}}],
    ids=range(4),
)  # fmt: skip
def test_recorded_numbers_that_no_curve_has_are_left_out(tmp_path, line):
    (tmp_path / "metrics.jsonl").write_text(json.dumps(line))
    assert read_metrics(tmp_path / "metrics.jsonl") == ({}, {})


def test_an_archive_of_weights_that_cannot_be_unpacked(tmp_path):
    write_weight_table(tmp_path / "w.csv", people(), WeightTable(np.full((3, 2), 0.5), np.zeros((3, 2), int)))
    content = bytearray((tmp_path / "w.npz").read_bytes())
    begin = content.index(b"weights.npy") + 11 + 20  # behind the member's name and its extra field
    content[begin : begin + 30] = bytes(range(200, 230))
    (tmp_path / "w.npz").write_bytes(content)
    with pytest.raises(InputError, match="w.npz: not the weights"):
        read_weight_table(tmp_path / "w.npz", people())


def test_no_file_holds_what_json_does_not_have(tmp_path):
    from lib.utils.json_files import without_nan, write_results

    write_results(
        tmp_path / "r.json", {"a": float("nan"), "b": [float("inf"), {"c": np.float32("nan")}], "d": 1}
    )

    def refuse(name):
        raise AssertionError(name)

    found = json.loads((tmp_path / "r.json").read_text(), parse_constant=refuse)
    assert found == {"a": None, "b": [None, {"c": None}], "d": 1}
    assert without_nan({"t": torch.tensor(1.0).item()}) == {"t": 1.0}


@pytest.mark.parametrize(
    "changed",
    [{"log": None}, {"mode": 3}, {"seed": []}, {"steps": "many"}, {"seconds_per_step": "1"}, {"test": {"PCKh": {"Mean": "9"}}},
     {"test": {"PCKh": {"Mean": 10**400}}}, {"weights": [1]}, {"weights": {"B": 1}}, {"source_model": 1}, {"retrained": {"mode": "x"}}],
    ids=str,
)  # fmt: skip
def test_results_that_no_table_can_show(tmp_path, changed):
    (tmp_path / "results.json").write_text(json.dumps(RESULTS))
    assert len(rows_of(read_results(tmp_path / "results.json"), "x")) == 3
    (tmp_path / "results.json").write_text(json.dumps(RESULTS | changed))
    with pytest.raises(InputError, match="results.json: not the results of a run"):
        read_results(tmp_path / "results.json")
