import json

import pytest

from benchmarks.all import BENCHMARKS, HERE, chosen, main, markdown, run
from benchmarks.tables import tables
from lib.utils.errors import InputError

MACHINE = {"processor": "an abacus", "threads": 1}
SCRIPT = """\
import json, sys
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
numbers = {"machine": {"threads": int(options["--threads"])}, "ratios": {"slow / fast": 2.5}, "repeat": options.get("--repeat", "own")}
open(options["--json"], "w").write(json.dumps(numbers))
"""


@pytest.fixture
def folder(tmp_path):
    """A folder of benchmarks: two that work and one that fails."""
    for name in ("nms", "growth"):
        (tmp_path / f"{name}.py").write_text(SCRIPT)
    (tmp_path / "data.py").write_text("raise SystemExit('no such data')")
    return tmp_path


def test_tables_of_every_kind_of_numbers():
    numbers = {
        "machine": MACHINE,
        "base": "small",
        "seconds": {"fast": 0.0012345, "slow": 12.345},
        "modes": {"ours1": {"ms": 12345.6}, "ours2": {"ms": 2, "MiB": 7}},
        "growth": [{"batch": 1, "seconds": 0.5}, {"batch": 32, "seconds": 10.0}],
        "nothing": {},
    }
    assert tables(numbers).splitlines() == [
        "base: small", "",
        "### seconds", "", "|  | seconds |", "| --- | --- |", "| fast | 0.00123 |", "| slow | 12.3 |", "",
        "### modes", "", "|  | ms | MiB |", "| --- | --- | --- |", "| ours1 | 12346 |  |", "| ours2 | 2 | 7 |", "",
        "### growth", "", "| batch | seconds |", "| --- | --- |", "| 1 | 0.5 |", "| 32 | 10 |",
    ]  # fmt: skip
    with pytest.raises(TypeError, match="'odd'"):
        tables({"odd": [1, 2]})


def test_the_page_has_all_ratios_first_and_names_each_machine():
    found = {
        "nms": {"machine": MACHINE, "ratios": {"numpy / extension": 20.04}, "seconds": {"numpy": 1.5}},
        "growth": {"machine": {"processor": "another"}, "base": "small"},
    }
    page = markdown(found)
    assert "| nms | numpy / extension | 20 |" in page.split("## benchmarks/nms.py")[0]
    of_nms, of_growth = page.split("## benchmarks/nms.py")[1].split("## benchmarks/growth.py")
    assert "On processor an abacus, threads 1." in of_nms and "| numpy | 1.5 |" in of_nms
    assert "numpy / extension" not in of_nms
    assert "On processor another." in of_growth and "base: small" in of_growth


def test_one_that_fails_stops_no_other_and_what_is_not_run_stays(folder, capfd):
    out = folder / "results"
    assert main(["--out", str(out), "--repeat", "3"], folder) == 1
    told = capfd.readouterr()
    assert "[1/3] benchmarks/data.py" in told.out and "no such data" in told.err
    numbers = json.loads((out / "speed.json").read_text())
    assert list(numbers) == ["nms", "growth"] and numbers["nms"]["repeat"] == "3"
    assert numbers["nms"]["run"]["peak MiB of the process"] > 1
    assert main(["--out", str(out), "--only", "nms", "--threads", "2"], folder) == 0
    numbers = json.loads((out / "speed.json").read_text())
    assert [numbers[name]["machine"]["threads"] for name in ("nms", "growth")] == [2, 1]
    assert numbers["nms"]["repeat"] == "own"
    assert (out / "speed.md").read_text() == markdown(numbers)
    assert main(["--out", str(out), "--only", "step"], folder) == 2
    assert "no benchmark 'step'; there are data, nms, growth" in capfd.readouterr().err


def test_the_list_has_every_benchmark_of_the_folder():
    scripts = {path.stem for path in HERE.glob("*.py") if "benchmark_parser(" in path.read_text()}
    assert scripts - {"timing", "soak"} <= set(BENCHMARKS)  # a soak is long, and says nothing of speed
    assert chosen(None, HERE) == [name for name in BENCHMARKS if name in scripts]
    with pytest.raises(InputError):
        chosen("nms,none", HERE)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, words",
    [
        ("communication", ["--only", "ours1"]),
        ("data", ["--people", "300"]),
        ("evaluation", ["--people", "30", "--predictions", "100"]),
        ("nms", ["--boxes", "20", "--poses", "5", "--images", "10"]),
    ],
)
def test_numbers_of_a_small_run_fit_the_page(name, words):
    numbers = run(HERE / f"{name}.py", ["--repeat", "1", *words])
    assert numbers["ratios"] and f"## benchmarks/{name}.py" in markdown({name: numbers})
