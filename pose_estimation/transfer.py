"""COCO -> MPII at full size: run every mode of experiments/transfer with several seeds, and fill the tables of docs/transfer.md.

    python pose_estimation/transfer.py                          # every run without results
    python pose_estimation/transfer.py --only ours1 --seeds 0   # some of them
    python pose_estimation/transfer.py --dry-run                # print the commands
    python pose_estimation/transfer.py --estimate               # print the estimated cost
    python pose_estimation/transfer.py --table                  # run nothing, fill docs/transfer.md

Runs with a results.json are skipped, interrupted ones are resumed. At the end the two tables of
docs/transfer.md are filled: the results of all finished runs, and the estimated cost.
"""

import argparse
import json
import shlex
import statistics
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.cli import arguments as shared
from lib.config.loader import load_config
from lib.config.run_paths import RunPaths
from lib.config.schema import Config
from lib.ignoring.modes import MODES
from lib.report.results import GROUPS, read_results
from lib.training.cost import forwards_of_hypergradient, forwards_of_step, training_cost
from lib.training.phases import phases
from lib.utils.errors import InputError
from lib.utils.files import write_text

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "experiments" / "transfer"
TRANSFERRED = ("baseline1", "baseline2", "baseline3", "ours1", "ours2")
SEEDS = (0, 1, 2)
NOT_RUN = "not run here"

PEOPLE_IN_MPII_TRAIN, PEOPLE_IN_COCO_TRAIN = 22_246, 149_813
ASSUMED_STEP = 0.1  # seconds of a step of baseline2 where none is measured
MEASUREMENTS = (
    ROOT / "benchmarks" / "results" / "gpu.json"
)  # of benchmarks/gpu.py: ResNet-50, 256x192, batches of 32
# (TRAIN.AMP, TRAIN.CHANNELS_LAST): the precision's name there. TRAIN.AMP off means tf32 in convolutions.
PRECISIONS = {("off", False): "tf32", ("bf16", False): "bf16", ("bf16", True): "bf16+channels_last"}


def recipe(mode: str) -> Path:
    """The YAML file of a mode."""
    return RECIPES / f"{mode}.yaml"


def settings_of(mode: str, seed: int, output: Path) -> list[str]:
    """The settings of one run that override its YAML file, as command-line arguments."""
    name = f"seed{seed}"
    return ["SEED", str(seed), "OUTPUT_DIR", str(output / name), "LOG_DIR", str(Path("log", output.name, name)),
            "TRAIN.RESUME", "true"]  # fmt: skip


def results_path(mode: str, seed: int, output: Path) -> Path:
    """Where a run writes its results.json."""
    overrides = shared.parse_overrides(settings_of(mode, seed, output))
    config = load_config(recipe(mode), overrides)
    return RunPaths.for_transfer(config, recipe(mode), mode).output / "results.json"


def command_of(mode: str, seed: int, output: Path, gpus: str) -> list[str]:
    """The command line of one run."""
    main = [
        sys.executable,
        str(ROOT / "pose_estimation" / "main.py"),
        "--cfg",
        str(recipe(mode)),
        f"--{mode}",
    ]
    return [*main, "--gpus", gpus, *settings_of(mode, seed, output)]


def table(results: dict[str, list[dict]]) -> str:
    """Markdown table of the PCKh on the test set: mean and standard deviation over the runs of each mode.

    Args:
        results: {mode: the contents of results.json of its runs}.
    """
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
    """Return ``text`` with ``content`` between the marks <!-- name --> and <!-- /name -->.

    Args:
        where: file that errors name.

    Raises:
        InputError: unless each mark occurs exactly once, in this order.
    """
    opening, closing = f"<!-- {name} -->", f"<!-- /{name} -->"
    if text.count(opening) != 1 or text.count(closing) != 1 or text.index(opening) > text.index(closing):
        raise InputError(f"{where}: expected {opening} and below it {closing}, each once")
    before, rest = text.split(opening)
    return f"{before}{opening}\n{content}\n{closing}{rest.split(closing)[1]}"


@dataclass(frozen=True)
class Speed:
    """Seconds that F, a forward pass of one batch, takes: in plain steps and validations, and in a hypergradient.

    source: a sentence that says what is measured, and what calculated.
    """

    plain: float
    hypergradient: float
    source: str


def speed(config: Config, path: Path = MEASUREMENTS) -> Speed:
    """The speed of the runs, from measured steps where ``path`` has those of the configuration's precision.

    Args:
        config: of ours1.
        path: gpu.json of benchmarks/gpu.py; it may be missing.
    """
    report = json.loads(path.read_text()) if path.exists() else {"parts": {}}
    precision = PRECISIONS.get((config.train.amp, config.train.channels_last))
    steps = report["parts"].get("step", {}).get("numbers", {}).get("steps", [])
    ms = {row["step"]: row["ms"] for row in reversed(steps) if row["precision"] == precision and "ms" in row}

    # Measured batches are all of the same size; F of a hypergradient is scaled to the recipe's validation batch.
    alike = replace(config, lbi=replace(config.lbi, val_batch_size=0, schedule="together"))
    (joint,) = phases(alike.train, alike.lbi, MODES["ours1"])
    if "baseline2" not in ms:
        plain = ASSUMED_STEP / forwards_of_step(alike.train, joint)
        return Speed(plain, plain, f"A step of `baseline2` is assumed to take {1000 * ASSUMED_STEP:.0f} ms.")
    plain = ms["baseline2"] / forwards_of_step(alike.train, joint) / 1000
    where = f"{report['machine']['device']}, {precision}"
    measured = f"`baseline2` {ms['baseline2']:.1f} ms"
    if f"ours1 {config.lbi.hypergrad_layers}" not in ms:
        source = f"Measured steps ({where}): {measured}. Hypergradients are calculated from it."
        return Speed(plain, plain, source)
    learning = ms[f"ours1 {config.lbi.hypergrad_layers}"]
    added = (learning - ms["baseline2"]) / forwards_of_hypergradient(alike, joint) / 1000
    source = f"Measured steps ({where}): {measured}, `ours1` with a hypergradient {learning:.1f} ms."
    return Speed(plain, added, source)


def estimate(path: Path = MEASUREMENTS) -> str:
    """Markdown table of the steps and GPU hours of one run of each mode, and where its speed comes from."""
    found = speed(load_config(recipe("ours1")), path)
    lines = [
        "| | steps | F per step, mean | passes over COCO | F of validation | GPU hours a run | of `--baseline2`'s |",
        "|---|---|---|---|---|---|---|",
    ]
    costs = {
        mode: training_cost(
            load_config(recipe(mode)), MODES[mode], PEOPLE_IN_MPII_TRAIN, PEOPLE_IN_COCO_TRAIN
        )
        for mode in TRANSFERRED
    }
    hours = {mode: cost.hours(found.plain, found.hypergradient) for mode, cost in costs.items()}
    for mode, cost in costs.items():
        lines.append(
            f"| `--{mode}` | {cost.steps:,} | {cost.training / cost.steps:.2f} | {cost.source_passes or 0:.1f} "
            f"| {cost.validation:,.0f} | {hours[mode]:.1f} | {hours[mode] / hours['baseline2']:.2f} |"
        )
    runs, total = len(SEEDS) * len(TRANSFERRED), len(SEEDS) * sum(hours.values())
    return "\n".join([*lines, f"| all {runs} runs | | | | | {total:.0f} | |", "", found.source])


def fill_page(page: Path, output: Path) -> str:
    """Write the results of all runs below ``output``, and the estimate, into ``page``; a message about it."""
    results = {mode: [read_results(str(path)) for path in _all_results(mode, output)] for mode in TRANSFERRED}
    try:
        text = page.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{page}: cannot be read ({error.strerror})") from None
    for name, content in (("transfer table", table(results)), ("transfer estimate", estimate())):
        text = filled(text, name, content, str(page))
    write_text(page, text)
    return f"{page}: the table holds {sum(map(len, results.values()))} runs"


def _all_results(mode: str, output: Path) -> list[Path]:
    """The results.json of every finished run of a mode."""
    seeds = sorted(
        int(folder.name.removeprefix("seed"))
        for folder in output.glob("seed*")
        if folder.name[4:].isdecimal()
    )
    paths = [results_path(mode, seed, output) for seed in seeds]
    return [path for path in paths if path.exists()]


def build_parser() -> argparse.ArgumentParser:
    """The parser of transfer.py's arguments."""
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
    parser.add_argument("--page", "--readme", dest="page", type=Path, help="file with the tables to fill")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--dry-run", action="store_true", help="print the commands of the runs without results"
    )
    instead.add_argument("--estimate", action="store_true", help="print the estimated cost of each mode")
    instead.add_argument("--table", action="store_true", help="run nothing, only fill the tables")
    return parser


def wanted(only: str, seeds: str) -> list[tuple[str, int]]:
    """The runs that --only and --seeds select, as (mode, seed).

    Raises:
        InputError: for an unknown mode or an invalid seed.
    """
    modes = only.split(",")
    if unknown := set(modes) - set(TRANSFERRED):
        raise InputError(f"--only: {', '.join(sorted(unknown))} is not among {', '.join(TRANSFERRED)}")
    if not all(seed.isdecimal() for seed in seeds.split(",")):
        raise InputError(f"--seeds is {seeds!r}, expected whole numbers from 0 up, joined by commas")
    # Seed by seed, so that the modes are comparable if the runs are stopped early.
    return [(mode, int(seed)) for seed in seeds.split(",") for mode in modes]


def command(argv: list[str] | None) -> str:
    """Run, print or fill in what the arguments say; a message for the terminal."""
    arguments = build_parser().parse_args(argv)
    if arguments.estimate:
        return estimate()
    if not arguments.table:
        runs = wanted(arguments.only, arguments.seeds)
        missing = [run for run in runs if not results_path(*run, arguments.output).exists()]
        commands = [command_of(*run, arguments.output, arguments.gpus) for run in missing]
        if arguments.dry_run:
            return "\n".join(map(shlex.join, commands))
        for command_line in commands:
            print(shlex.join(command_line), flush=True)
            if code := subprocess.run(command_line, check=False).returncode:
                raise InputError(f"stopped: exit code {code} from {shlex.join(command_line)}")
    return fill_page(arguments.page, arguments.output)


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    return shared.run_command(command, argv)


if __name__ == "__main__":
    sys.exit(main())
