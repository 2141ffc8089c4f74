"""The README and docs/: commands run, links resolve, the list of settings is the schema's, the site builds."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lib.config.loader import flat_config, load_config, parse_overrides
from lib.config.settings_page import page
from tests.factories.small_run import results_of, run, weights_file, write_config
from tests.factories.tiny_world import make_world
from tests.harness.review_command import decide_and_stop

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = r"^ *```\w*\n(.*?)^ *```"  # code blocks, also those of lists
PROGRAMS = ("python", "make", "pip", "torchrun", "cd", "ln", "tensorboard", "pytest")

# What is not run, and why that is no loss.
EXCUSED = {
    "make": "the tests themselves are run by make test; tests/benchmarks runs what the others call",
    "pip": "installs",
    "cd lib && make": "builds what the tests use",
    "tensorboard": "not among the requirements",
    "pytest": "tests",
    "python -m lib.config.settings_page": "test_the_list_of_settings_is_the_schemas",
    "python pose_estimation/fetch_weights.py": "downloads: tests/models/test_pretrained.py",
    "python pose_estimation/transfer.py": "days: tests/pose_estimation/test_transfer.py",
    "python benchmarks/modes.py --modes": "minutes to hours: tests/benchmarks/test_modes.py",
    "python benchmarks/modes.py --ground": "needs the real people: tests/benchmarks/test_real_ground.py",
    "python benchmarks/real.py --data": "needs the real people: tests/benchmarks/test_real.py, drawn ones",
    "python benchmarks/real_pack.py": "needs the real people: tests/benchmarks/test_real_pack.py, drawn ones",
    "python benchmarks/real_ground.py": "needs the real people: tests/benchmarks/test_real_ground.py",
    "python pose_estimation/main.py --cfg experiments/real/": "needs the real people: tests/benchmarks/test_real_ground.py",
    "python pose_estimation/exchange_labels.py from": "needs a tool's file: tests/exchange/test_round_trips.py",
    "python pose_estimation/find_labels.py --labels doubtful.json": "needs results: tests/pose_estimation/test_find_labels.py",
    "python pose_estimation/find_labels.py --reviewed": "needs decisions: tests/review/test_find_reviewed.py",
    "bash findings/": "installs packages to look at",
    "python benchmarks/all.py": "an hour: tests/benchmarks/test_all.py",
    "python benchmarks/contact_sheet.py": "needs the real people: tests/benchmarks/test_contact_sheet.py, drawn ones",
    "python benchmarks/lspet_layout.py": "needs the original files: tests/benchmarks/test_lspet_layout.py, made-up ones",
    "python benchmarks/step.py": "minutes: tests/benchmarks/test_pose_case.py",
    "python benchmarks/precision.py": "minutes: tests/benchmarks/test_precision.py",
    "python benchmarks/gpu.py": "minutes on a GPU: tests/benchmarks/test_gpu.py",
    "python benchmarks/data.py": "minutes: tests/benchmarks/test_data.py",
    "python benchmarks/evaluation.py": "minutes: tests/benchmarks/test_all.py, smaller",
    "python benchmarks/nms.py": "minutes: tests/benchmarks/test_all.py, smaller",
    "python benchmarks/growth.py": "minutes: tests/benchmarks/test_growth.py",
    "python benchmarks/layers.py": "minutes: tests/benchmarks/test_layers.py",
    "python benchmarks/directions.py": "an hour: tests/benchmarks/test_directions.py",
    "python benchmarks/predictions.py": "needs MPII's evaluation files: tests/benchmarks/test_predictions.py",
    "python benchmarks/reviewing.py": "half an hour: tests/benchmarks/test_reviewing.py",
    "python benchmarks/review_loop.py": "half an hour: tests/benchmarks/test_review_loop.py",
    "python benchmarks/trusted.py": "an hour: tests/benchmarks/test_trusted.py",
    "python benchmarks/standstill.py": "minutes: tests/benchmarks/test_standstill.py",
    "python benchmarks/soak.py": "twenty minutes; tests/benchmarks runs none that long",
    "python benchmarks/communication.py": "minutes: tests/benchmarks/test_all.py, one mode",
}
REVIEW = "python pose_estimation/review.py"  # is used, and then stopped
NEED_DECISIONS = (REVIEW, "python pose_estimation/apply_corrections.py")
# What runs leave that other pages' commands read.
FIRST = [
    f"python pose_estimation/main.py --cfg experiments/demo/people.yaml --{mode}"
    for mode in ("ours1", "ours2", "baseline2")
]


def commands(path: Path) -> list[str]:
    """The commands of a page, in its fenced blocks and in its text."""
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(FENCED, text, re.S | re.M)
    fenced = [line.strip() for block in blocks for line in block.splitlines()]
    inline = re.findall(r"`([^`\n]+)`", re.sub(FENCED, "", text, flags=re.S | re.M))
    lines = [re.split(r"\s+# ", line)[0].strip() for line in fenced] + [
        span for span in inline if " " in span
    ]
    return [line for line in lines if line.split(" ")[0] in PROGRAMS]


def excuse(command: str) -> str | None:
    return next((why for start, why in EXCUSED.items() if command.startswith(start)), None)


def test_every_page_with_commands_is_looked_at():
    assert sum(len(commands(path)) for path in PAGES) > 30
    assert all(excuse(start) for start in EXCUSED)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_scripts_and_files_that_are_named_are_there(path):
    for command in commands(path):
        for word in re.findall(r"[\w./-]+\.(?:py|yaml)\b", command):
            assert (ROOT / word).exists(), command
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (path.parent / target).exists(), target


def test_the_list_of_settings_is_the_schemas():
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == page()


def test_the_site_builds_and_holds_every_page(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    navigation = re.findall(r"\b[\w-]+\.md\b", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert sorted(navigation) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


# The method of the original code, as docs/differences.md describes it.
ORIGINAL = {"LBI.VARIABLES": "online", "LBI.HYPERGRAD_THROUGH": "optimizer", "LBI.HYPERGRAD_LAYERS": "all",
            "LBI.HYPERGRAD_INTERVAL": 1, "LBI.SCHEDULE": "together", "LBI.WARMUP": 0, "LBI.FREEZE_WEIGHTS_EPOCH": 0,
            "LBI.META_DATA": "validation", "LBI.META_MODEL": "target", "LBI.META_LOOP": 1, "LBI.VAL_BATCH_SIZE": 0,
            "LBI.VAL_IN_TRAIN": False, "LBI.RETRAIN": 0.0}  # fmt: skip
WITH_ORIGINAL = [
    ROOT / "docs/modes.md",
    *(ROOT / f"experiments/{name}.yaml" for name in ("custom/excavator", "demo/people", "transfer/ours1")),
    ROOT / "experiments/transfer/ours2.yaml",
    ROOT / "experiments/coco/resnet50/256x192_d256x3_adam_lr1e-3_lbi.yaml",
]


def original_words(path: Path) -> list[str]:
    """The settings that ``path`` prints, on one line, as the original's way."""
    (line,) = re.findall(r"LBI\.VARIABLES online .*", path.read_text(encoding="utf-8"))
    return line.split()


@pytest.mark.parametrize("path", WITH_ORIGINAL, ids=lambda path: path.name)
def test_the_originals_way_is_one_line_away(path):
    overrides = parse_overrides(original_words(path))
    for experiment in WITH_ORIGINAL[1:]:  # whatever the file says itself
        config = flat_config(load_config(experiment, overrides))
        assert {key: config[key] for key in ORIGINAL} == ORIGINAL


def test_the_originals_way_trains_both_models_at_once_with_weights_that_are_not_kept(tmp_path, data):
    config = write_config(tmp_path, data)
    assert run(config, "--ours2", *original_words(WITH_ORIGINAL[-1])) == 0
    assert results_of(config, "ours2")["steps"] == 4  # one phase
    checkpoint = weights_file(config, "ours2")
    assert checkpoint["variables"]["A"].keys() >= {"seen", "total"}  # a mean over visits, for the table only


@pytest.mark.slow
def test_the_commands_run_as_they_stand(tmp_path, data):
    make_world(tmp_path, data)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
    wanted = [command for page in PAGES for command in commands(page) if not excuse(command)]
    assert len(wanted) > 15
    for command in dict.fromkeys([*FIRST, *wanted]):
        if not importlib.util.find_spec("onnx"):  # an extra
            command = command.replace("pose.onnx", "pose.ts")
        if command.startswith(NEED_DECISIONS) and not importlib.util.find_spec("uvicorn"):  # likewise
            continue
        if command.startswith(REVIEW):
            decide_and_stop(command, tmp_path, env, ["wrong", "right"])
            continue
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True)
        # What doctor.py warns of is no failure.
        allowed = (0, 1) if "doctor.py" in command else (0,)
        assert done.returncode in allowed, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
