"""That benchmarks/gpu.py goes through its parts, at a tiny size on the CPU."""

import json
import re
import warnings
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import pytest
import torch

from benchmarks import gpu_floor, gpu_step, gpu_waits
from benchmarks.gpu import PARTS, Part, bounds, main, page, summarize_tests, throughput
from benchmarks.gpu_case import FASTEST, PRECISIONS, RECOMMENDED, STEPS, Task, precision_of
from benchmarks.gpu_data import DEMO_MODES, demo_on_cpu, demo_row
from benchmarks.gpu_floor import Traffic
from benchmarks.gpu_step import ROWS, UNROLLED, first_cause, with_ratios
from benchmarks.gpu_waits import counted_warnings

WRITES = """\
import json, sys, time
options = sys.argv[1:]
name, file = options[0], options[options.index("--file") + 1]
json.dump({"rows": [{"part": name, "value": 1.5}]}, open(file, "w"))
"""


@pytest.fixture
def parts(tmp_path):
    """One that works, one that fails, one that never ends; all leave numbers."""
    scripts = {
        "good": WRITES,
        "bad": f"{WRITES}raise RuntimeError('no such kernel')",
        "slow": f"{WRITES}time.sleep(300)",
    }
    for name, text in scripts.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tuple(Part(name, str(tmp_path / f"{name}.py"), 3 if name == "slow" else 60) for name in scripts)


def test_every_part_has_its_file_and_its_state(tmp_path, parts, capsys):
    out = tmp_path / "out"
    words = ["--out", str(out), "--device", "cpu", "--tiny"]
    assert main(words, parts) == 1
    report = json.loads((out / "gpu.json").read_text())
    assert {name: one["state"] for name, one in report["parts"].items()} == {
        "good": "done", "bad": "failed (exit 1)", "slow": "stopped after 3 s",
    }  # fmt: skip
    assert all(one["numbers"]["rows"] for one in report["parts"].values())
    assert "RuntimeError: no such kernel" in (out / "bad.txt").read_text()
    text = (out / "gpu.md").read_text()
    assert "| bad | failed (exit 1) |" in text and "| good | 1.5 |" in text
    assert text == page(report)
    # Others stay as they are, and without time nothing begins.
    assert main([*words, "--only", "good", "--minutes", "0"], parts) == 1
    states = [one["state"] for one in json.loads((out / "gpu.json").read_text())["parts"].values()]
    assert states == ["not begun: no time left", "failed (exit 1)", "stopped after 3 s"]
    assert main([*words, "--only", "none"], parts) == 2
    assert "there is no part 'none'; there are good, bad, slow" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_cuda_one_line_says_so(tmp_path, capsys):
    assert main(["--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr()
    assert told.err == "error: benchmarks/gpu.py needs a CUDA device, and torch finds none\n" and not told.out
    assert not (tmp_path / "out").exists()
    assert main(["--out", str(tmp_path / "out"), "--device", "cpu"]) == 2


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="pose_case computes on CUDA where there is one")
def test_tiny_steps_and_their_work_on_the_cpu(tmp_path, monkeypatch):
    once = {part: [row for row in rows if row[0] in ("tf32", FASTEST)] for part, rows in ROWS.items()}
    monkeypatch.setattr(gpu_step, "ROWS", once)
    monkeypatch.setattr("benchmarks.pose_case.PEOPLE", 2)
    monkeypatch.setattr("tests.reference.unrolled.keypoint_losses", gpu_step.keypoint_losses)
    numbers = {}
    parts = gpu_step.PARTS | {"floor": gpu_floor.floor, "syncs": gpu_waits.syncs}
    for name in ("step", "whole", "floor", "syncs"):
        task = Task(tmp_path / f"{name}.json", torch.device("cpu"), tiny=True)
        parts[name](task)
        numbers[name] = json.loads(task.file.read_text())
    for part, rows in once.items():
        steps = numbers[part]["steps"]
        assert Counter((row["precision"], row["step"]) for row in steps) == Counter(rows)
        assert all(row["ms"] > 0 and row["time / baseline2"] > 0 for row in steps)
    work = {(row["precision"], row["step"]): row for row in numbers["floor"]["work of a step"]}
    for precision in ("tf32", FASTEST):
        plain, final, whole = (work[precision, step] for step in ("baseline2", "ours1 final", "ours1"))
        assert 1.6 < whole["TFLOP"] / plain["TFLOP"] < 11 / 6 + 0.01
        assert 1.1 < final["TFLOP"] / plain["TFLOP"] < 1.3
        assert whole["GB"] > final["GB"] > plain["GB"] > 0
    # Adam's look-ahead and hypergradients of every kind wait for nothing; the check for finite losses does, once,
    # and clipping: of the step, and of the look-ahead.
    waits = numbers["syncs"]["waits of the host in a step"]
    assert waits.pop("ours1 final, TRAIN.CLIP_GRAD") == 3
    assert waits.keys() >= STEPS.keys() and set(waits.values()) == {1}
    assert all(re.match(r"lib/\w+/\w+\.py:\d+ ", row["line"]) for row in numbers["syncs"]["where"])
    found = {name: {"state": "done", "seconds": 1, "numbers": one} for name, one in numbers.items()}
    assert len(bounds(found)) == 10
    assert len(throughput(found)) == sum(step != UNROLLED for rows in once.values() for _, step in rows)
    text = page({"machine": {"device": "an abacus"}, "tiny": False, "parts": found})
    assert "## What bounds a step" in text and "## Samples that steps take" in text


def test_every_step_is_measured_in_every_precision_and_all_parts_fit_into_nine_minutes():
    assert {row for rows in ROWS.values() for row in rows} >= {(p, s) for p in PRECISIONS for s in STEPS}
    assert set(ROWS["step"]) == {(precision, step) for precision in PRECISIONS for step in RECOMMENDED}
    first = {part.name: part.limit for part in PARTS[:5]}
    assert list(first) == ["tests", "step", "syncs", "demo", "loader"] and sum(first.values()) < 60 * 8.5


def test_bounds_and_throughput_by_hand():
    steps = [{"precision": "tf32", "step": "ours1", "ms": 40.0}]
    floor = {
        "copy GB/s": 2000.0,
        "matrix TFLOP/s": {"tf32": 400.0},
        "work of a step": [{"precision": "tf32", "step": "ours1", "TFLOP": 4.0, "GB": 40.0}],
    }
    found = {"step": {"numbers": {"steps": steps}}, "floor": {"numbers": floor}}
    assert bounds(found) == [{
        "precision": "tf32", "step": "ours1", "ms": 40.0, "ms of arithmetic": 10.0, "ms of memory": 20.0,
        "arithmetic / measured": 0.25, "memory / measured": 0.5,
    }]  # fmt: skip
    assert throughput(found) == [{"precision": "tf32", "step": "ours1", "samples/s": 2400.0}]


def test_ratios_are_to_the_first_baseline2_of_the_same_precision():
    def row(precision, step, ms):
        return {"precision": precision, "step": step, "ms": ms, "peak MiB": 10 * ms}

    given = [row("a", "baseline2", 2.0), row("a", "ours1", 4.0), row("a", "baseline2", 3.0)]
    given += [row("b", "ours1", 4.0), {"precision": "b", "step": "ours2", "note": "no memory"}]
    ratios = [found.get("time / baseline2") for found in with_ratios(given)]
    assert ratios == [1.0, 2.0, 1.5, None, None]


def test_traffic_counts_what_operations_read_and_write():
    a, b = torch.ones(8, 4), torch.ones(4)
    with Traffic() as traffic:
        a.view(32)[:16].detach()
        torch.empty(1000)
    assert traffic.bytes == 0
    with Traffic() as traffic:
        c = a + b
        c.add_(torch.zeros(()).expand(8, 4))
    assert traffic.bytes == 4 * (32 + 4 + 32) + 4 + 4 * (32 + 32) + 4


def test_waits_are_counted_by_the_line_of_the_project(tmp_path, monkeypatch):
    script = tmp_path / "lib" / "waiting.py"
    script.parent.mkdir()
    script.write_text(
        "import warnings\n\n\ndef wait():\n    warnings.warn('called a synchronizing operation')\n"
    )
    monkeypatch.setattr(gpu_waits, "ROOT", tmp_path)
    space = {}
    exec(compile(script.read_text(), str(script), "exec"), space)
    with counted_warnings("called a synchronizing") as found:
        for _ in range(3):
            space["wait"]()
        warnings.warn("something else", stacklevel=1)
    assert found == {"lib/waiting.py:5 `warnings.warn('called a synchronizing operation')`": 3}


def test_precision_is_restored():
    kept = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    for name, (_, tf32) in PRECISIONS.items():
        with precision_of(name):
            assert torch.backends.cudnn.allow_tf32 == torch.backends.cuda.matmul.allow_tf32 == tf32
    assert kept == (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32)


def test_the_first_of_several_errors_is_told():
    try:
        try:
            raise ValueError("the first")
        finally:
            raise RuntimeError("the second")
    except RuntimeError as error:
        assert str(first_cause(error)) == "the first"


def test_counts_and_failures_of_pytests_report():
    root = ElementTree.fromstring(
        '<testsuites><testsuite tests="4" failures="1" errors="0" skipped="1">'
        '<testcase classname="tests.gpu.test_a" name="t[x]"><failure message="a | b&#10;c"/></testcase>'
        '<testcase classname="tests.gpu.test_a" name="u"><properties>'
        '<property name="error" value="1e-7"/></properties></testcase></testsuite></testsuites>'
    )
    found = summarize_tests(root)
    assert found["counts"] == {"tests": 4, "failures": 1, "errors": 0, "skipped": 1, "passed": 2}
    assert found["failed"] == [{"test": "test_a: t[x]", "why": "a / b c"}]
    assert found["recorded"] == [{"test": "u", "what": "error", "value": "1e-7"}]


@pytest.mark.parametrize("score, note", [(75.9, ""), (77.0, "more than 1 points apart")])
def test_scores_of_the_demo_beside_the_cpus(score, note):
    results = {
        "test": {"PCKh": {"Mean": score}},
        "weights": {"B": {"auroc": 0.8, "wrong_labels": {"auroc": 0.94}}},
        "seconds_per_step": 0.02,
    }
    row = demo_row("ours1", results, 30.0, {"Mean": "75.3", "AUROC": "0.95"})
    assert (row["on a CPU"], row["AUROC on a CPU"]) == ("75.3", "0.95")
    assert (row["PCKh Mean"], row["AUROC"], row["ms a step"], row["note"]) == (score, 0.94, 20.0, note)


def test_scores_on_a_cpu_are_those_of_the_readme():
    table = "ours1 is a\nmode   Mean  ms/step  AUROC\n-----  ----\nbaseline2  65.5  43  -\nours1 75.3 73 0.95\nours2 76.6 43 .9\n"
    assert demo_on_cpu(table)["ours1"] == {
        "mode": "ours1", "Mean": "75.3", "ms/step": "73", "AUROC": "0.95",
    }  # fmt: skip
    readme = Path(__file__).resolve().parents[2] / "README.md"
    found = demo_on_cpu(readme.read_text(encoding="utf-8"))
    assert [20 < float(found[mode]["Mean"]) < 100 for mode in DEMO_MODES] == [True] * 3
    assert found["baseline2"]["AUROC"] == "-" and 0.5 < float(found["ours1"]["AUROC"]) <= 1
