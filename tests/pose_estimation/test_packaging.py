"""The project as a package: a wheel built apart from everything, installed apart from the checkout, and used."""

import importlib
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.factories.small_run import CONFIG, RUNS

ROOT = Path(__file__).resolve().parents[2]
OF_A_CHECKOUT = {"transfer"}  # runs the recipes in experiments/ and fills docs/transfer.md


@pytest.fixture(scope="module")
def project():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_every_command_has_a_script_that_is_there(project):
    files = {path.stem for path in (ROOT / "pose_estimation").glob("*.py")} - OF_A_CHECKOUT
    modules = {}
    for script, place in project["scripts"].items():
        module, _, name = place.partition(":")
        assert script.startswith("lbi-") and callable(getattr(importlib.import_module(module), name))
        modules[module.removeprefix("pose_estimation.")] = script
    assert modules.keys() == files
    assert len(set(modules.values())) == len(files)


def test_a_command_that_is_imported_leaves_the_path_of_modules_alone():
    words = [sys.executable, "-c", "import sys; before = list(sys.path); import pose_estimation.compare; print(before == sys.path)"]  # fmt: skip
    assert subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "True\n"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of the commands, in an environment that has the wheel, and the requirements of this one."""
    folder = tmp_path_factory.mktemp("package")
    for name in ("lib", "pose_estimation"):
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))  # fmt: skip
    for name in ("setup.py", "pyproject.toml", "requirements.txt", "README.md", "MANIFEST.in"):
        shutil.copy(ROOT / name, folder / "source")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    # An isolated build fetches its tools. Without a package index, those of this environment build the wheel.
    tools = [*pip, "download", "--quiet", "--no-deps", "--dest", folder / "tools", "setuptools", "cython"]
    reached = subprocess.run(tools, capture_output=True).returncode == 0
    isolation = [] if reached else ["--no-build-isolation"]
    build = subprocess.run(
        [*pip, "wheel", *isolation, "--no-deps", "--wheel-dir", folder, folder / "source"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert build.returncode == 0, build.stderr
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env")
    python = folder / "env" / "bin" / "python"
    subprocess.run([*pip, "--python", python, "install", "--no-deps", "--quiet", wheel], check=True)
    (own,) = (folder / "env").glob("lib/python*/site-packages")
    (own / "requirements.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return wheel, folder / "env" / "bin"


def ran(installed, folder, *words):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    words = [installed[1] / words[0], *words[1:]]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_wheel_is_built_apart_and_its_commands_train(installed, project, tmp_path):
    wheel, _ = installed
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"lib", "pose_estimation"}
    assert "lib/report/style.css" in names
    assert any(name.startswith("lib/nms/cpu_nms.") and not name.endswith(".pyx") for name in names)

    where = ran(installed, tmp_path, "python", "-c", "import lib.nms.cpu_nms, pose_estimation.main as m; print(lib.__file__, m.__file__, lib.nms.cpu_nms.__file__)")  # fmt: skip
    assert all(str(installed[1].parent) in path for path in where.split())

    for script in project["scripts"]:
        assert f"usage: {script} " in ran(installed, tmp_path, script, "--help")
    made = ran(installed, tmp_path, "lbi-make-people", "--output", "people", "--source-people", "20",
               "--source-val-people", "2", "--target-train-people", "15", "--test-people", "8")  # fmt: skip
    assert made.startswith("created people")
    (tmp_path / "small.yaml").write_text(CONFIG.format(data="people", root="."))
    printed = ran(installed, tmp_path, "lbi-train", "--cfg", "small.yaml", "--ours1", "--quiet")
    results = printed.splitlines()[-1]  # before it are warnings
    assert results == f"output/{RUNS}/ours1/results.json" and (tmp_path / results).is_file()
    assert "ours1" in ran(installed, tmp_path, "lbi-compare", results)
    page = Path(ran(installed, tmp_path, "lbi-report", str(Path(results).parent)).strip())
    assert (ROOT / "lib/report/style.css").read_text() in (tmp_path / page).read_text()
