"""COCO -> MPII at full size: every mode of experiments/transfer with several seeds, and docs/transfer.md's tables.

    python pose_estimation/transfer.py                          # everything that is not done yet
    python pose_estimation/transfer.py --only ours1 --seeds 0   # some of it
    python pose_estimation/transfer.py --dry-run                # the commands
    python pose_estimation/transfer.py --estimate               # what it costs, by calculation
    python pose_estimation/transfer.py --table                  # run nothing, fill docs/transfer.md

Runs with a results.json are skipped, interrupted ones are resumed. At the end the two tables of
docs/transfer.md are filled: the results of all finished runs, and the estimate.
"""

import argparse
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.cli import arguments as shared
from lib.config.loader import load_config
from lib.config.run_paths import RunPaths
from lib.ignoring.modes import MODES
from lib.report.results import GROUPS, read_results
from lib.training.cost import forwards_of_step, training_cost
from lib.training.phases import phases
from lib.utils.errors import InputError
from lib.utils.files import write_text

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "experiments" / "transfer"
TRANSFERRED = ("baseline1", "baseline2", "baseline3", "ours1", "ours2")
SEEDS = (0, 1, 2)
NOT_RUN = "not run here"

PEOPLE_IN_MPII_TRAIN, PEOPLE_IN_COCO_TRAIN = 22_246, 149_813
ASSUMED_STEP = 0.1  # seconds of one step of baseline2; an assumption, to be scaled by what one sees


def recipe(mode: str) -> Path:
    return RECIPES / f"{mode}.yaml"


def settings_of(mode: str, seed: int, output: Path) -> list[str]:
    """The settings of one run over its YAML file's, as words of a command line."""
    name = f"seed{seed}"
    return ["SEED", str(seed), "OUTPUT_DIR", str(output / name), "LOG_DIR", str(Path("log", output.name, name)),
            "TRAIN.RESUME", "true"]  # fmt: skip


def results_path(mode: str, seed: int, output: Path) -> Path:
    words = settings_of(mode, seed, output)
    config = load_config(recipe(mode), shared.parse_overrides(words))
    data = f"{config.dataset_src.dataset}_to_{config.dataset_target.dataset}"
    return RunPaths.for_run(config, recipe(mode), data, mode).output / "results.json"


def command_of(mode: str, seed: int, output: Path, gpus: str) -> list[str]:
    main = [
        sys.executable,
        str(ROOT / "pose_estimation" / "main.py"),
        "--cfg",
        str(recipe(mode)),
        f"--{mode}",
    ]
    return [*main, "--gpus", gpus, *settings_of(mode, seed, output)]


def table(results: dict[str, list[dict]]) -> str:
    """Markdown: PCKh on the test set of each mode, mean +- standard deviation over its runs."""
    lines = [f"| | seeds | {' | '.join(GROUPS)} |", f"|---|---|{'---|' * len(GROUPS)}"]
    for mode, runs in results.items():
        cells = [_mean_and_deviation([run["test"]["PCKh"].get(group) for run in runs]) for group in GROUPS]
        lines.append(f"| `--{mode}` | {len(runs) or '-'} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _mean_and_deviation(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return NOT_RUN
    mean = f"{statistics.mean(known):.1f}"
    return f"{mean} ± {statistics.stdev(known):.1f}" if len(known) > 1 else mean


def filled(text: str, name: str, content: str, where: str) -> str:
    """``text`` with ``content`` between the marks ``name``; InputError where they are not there once."""
    opening, closing = f"<!-- {name} -->", f"<!-- /{name} -->"
    if text.count(opening) != 1 or text.count(closing) != 1 or text.index(opening) > text.index(closing):
        raise InputError(f"{where}: expected {opening} and below it {closing}, each once")
    before, rest = text.split(opening)
    return f"{before}{opening}\n{content}\n{closing}{rest.split(closing)[1]}"


def estimate() -> str:
    """Markdown: steps and GPU hours of one run of each mode, by calculation."""
    config = load_config(recipe("baseline2"))
    (joint,) = phases(config, MODES["baseline2"])
    per_forward = ASSUMED_STEP / forwards_of_step(config, joint)
    lines = [
        "| | steps | F per step, mean | passes over COCO | F of validation | GPU hours a run |",
        "|---|---|---|---|---|---|",
    ]
    total = 0.0
    for mode in TRANSFERRED:
        config = load_config(recipe(mode))
        cost = training_cost(config, MODES[mode], PEOPLE_IN_MPII_TRAIN, PEOPLE_IN_COCO_TRAIN)
        hours = cost.hours(per_forward)
        total += len(SEEDS) * hours
        lines.append(
            f"| `--{mode}` | {cost.steps:,} | {cost.training / cost.steps:.1f} | {cost.source_passes or 0:.1f} "
            f"| {cost.validation:,.0f} | {hours:.1f} |"
        )
    runs = len(SEEDS) * len(TRANSFERRED)
    return "\n".join([*lines, f"| all {runs} runs | | | | | {total:.0f} |"])


def fill_page(page: Path, output: Path) -> str:
    """Write the results of all runs below ``output``, and the estimate, into ``page``; returns a summary line."""
    found = {mode: [read_results(str(path)) for path in _all_results(mode, output)] for mode in TRANSFERRED}
    try:
        text = page.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{page}: cannot be read ({error.strerror})") from None
    for name, content in (("transfer table", table(found)), ("transfer estimate", estimate())):
        text = filled(text, name, content, str(page))
    write_text(page, text)
    return f"{page}: the table holds {sum(map(len, found.values()))} runs"


def _all_results(mode: str, output: Path) -> list[Path]:
    """The results of every seed there is."""
    seeds = sorted(
        int(folder.name.removeprefix("seed"))
        for folder in output.glob("seed*")
        if folder.name[4:].isdecimal()
    )
    paths = [results_path(mode, seed, output) for seed in seeds]
    return [path for path in paths if path.exists()]


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    defaults = {"only": ",".join(TRANSFERRED), "seeds": ",".join(map(str, SEEDS)), "gpus": "0",
                "output": Path("output", "transfer"), "page": ROOT / "docs" / "transfer.md"}  # fmt: skip
    parser.set_defaults(**defaults)
    parser.add_argument("--only", metavar="MODE,...", help=f"default: {defaults['only']}")
    parser.add_argument("--seeds", metavar="SEED,...", help=f"default: {defaults['seeds']}")
    parser.add_argument("--gpus", metavar="NUMBER", help="the CUDA device to use (default: 0)")
    parser.add_argument("--output", type=Path, help=f"folder of the runs (default: {defaults['output']})")
    parser.add_argument("--page", "--readme", dest="page", type=Path, help="file whose tables are filled")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--dry-run", action="store_true", help="print the commands of what is not done yet")
    instead.add_argument("--estimate", action="store_true", help="print what a run of each mode costs")
    instead.add_argument("--table", action="store_true", help="run nothing, fill the tables")
    return parser


def wanted(only: str, seeds: str) -> list[tuple[str, int]]:
    """(mode, seed) of every run that the two flags ask for. Raises InputError."""
    modes = only.split(",")
    if unknown := set(modes) - set(TRANSFERRED):
        raise InputError(f"--only: {', '.join(sorted(unknown))} is not among {', '.join(TRANSFERRED)}")
    if not all(seed.isdecimal() for seed in seeds.split(",")):
        raise InputError(f"--seeds is {seeds!r}, expected whole numbers from 0 up, joined by commas")
    # Seed by seed, so that an early stop leaves modes that can be compared.
    return [(mode, int(seed)) for seed in seeds.split(",") for mode in modes]


def command(words: list[str] | None) -> str:
    arguments = build_parser().parse_args(words)
    if arguments.estimate:
        return estimate()
    if not arguments.table:
        runs = wanted(arguments.only, arguments.seeds)
        left = [run for run in runs if not results_path(*run, arguments.output).exists()]
        commands = [command_of(*run, arguments.output, arguments.gpus) for run in left]
        if arguments.dry_run:
            return "\n".join(map(shlex.join, commands))
        for run in commands:
            print(shlex.join(run), flush=True)
            if code := subprocess.run(run, check=False).returncode:
                raise InputError(f"stopped: exit code {code} from {shlex.join(run)}")
    return fill_page(arguments.page, arguments.output)


def main(words: list[str] | None = None) -> int:
    return shared.run_command(command, words)


if __name__ == "__main__":
    sys.exit(main())
