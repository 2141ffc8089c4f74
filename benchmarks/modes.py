"""Evidence for the method: compare modes, oracles and simpler ways to find wrong labels, over label noises and seeds.

    python benchmarks/modes.py --modes baseline2,ours1,oracle1 --seeds 100,101 --out output/evidence.json
    python benchmarks/modes.py --table output/evidence.json        # print the table of existing results

A data set is generated for each seed, or drawn from the real one of another ground, and the same labels are corrupted for every method. The file gets a
row for each run; existing rows are not run again. The table is printed at the end and written beside the
file (.md), with a plot (.svg). With --tune, gamma and lambda are chosen first, on the validation people of
other seeds, and stored in the file's .tuning.json; later runs use them from there.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.evidence import cases, tuning
from benchmarks.evidence.benchmark import Benchmark
from benchmarks.evidence.grounds import BUILT_IN, GROUNDS
from benchmarks.evidence.methods import METHODS, VARIABLES, chosen
from benchmarks.evidence.overview import overview
from benchmarks.evidence.packages import check_installed, is_installed
from benchmarks.evidence.plot import RANKING, plot
from benchmarks.evidence.summary import lines_by_noise, markdown
from lib.config.loader import current_names, load_config, parse_overrides
from lib.utils.errors import InputError
from lib.utils.files import write_text

ROOT = Path(__file__).resolve().parents[1]


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    methods = "\n".join(f"  {method.name}: {method.meaning}" for method in METHODS.values())
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=f"methods, for --modes:\n{methods}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--modes", metavar="METHOD,...", help="see below; all: every one that is installed")
    parser.add_argument("--variables", metavar="KIND,...", help=f"of {', '.join(VARIABLES)}, for methods that learn weights; default: the YAML file's")  # fmt: skip
    parser.add_argument("--noise", default="exchange:0.6", metavar="KIND:SHARE,...", help="default: exchange:0.6; none: right labels; several kinds: joined by +, or rare, low or demo, mixtures of five kinds")  # fmt: skip
    parser.add_argument("--seeds", default="100,101", metavar="SEED,...", help="default: 100,101")
    parser.add_argument(
        "--out", type=Path, metavar="FILE.json", help="file of the results, a row for each run"
    )
    parser.add_argument("--ground", choices=list(GROUNDS), default=BUILT_IN, help="; ".join(f"{name}: {ground.meaning}" for name, ground in GROUNDS.items()) + f"; default: {BUILT_IN}")  # fmt: skip
    parser.add_argument("--ground-data", type=Path, metavar="DIR", help="folder of the data of --ground mpii: mpii_train.json, mpii_test.json, images")  # fmt: skip
    parser.add_argument("--cfg", type=Path, metavar="FILE", help="default: " + ", ".join(f"{ground.cfg.relative_to(ROOT)} ({name})" for name, ground in GROUNDS.items()))  # fmt: skip
    parser.add_argument("--data", type=Path, default=ROOT / "data/evidence", metavar="DIR", help="folder for the data sets that are generated or drawn; default: data/evidence")  # fmt: skip
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs side by side; default: the cores")  # fmt: skip
    parser.add_argument("--val-in-train", choices=("true", "false"), default="true", help="train on the target's validation people too (default)")  # fmt: skip
    parser.add_argument("--tune", action="store_true", help="choose gamma and lambda first")
    parser.add_argument("--tune-seeds", default="0,1", metavar="SEED,...", help="default: 0,1")
    parser.add_argument("--tune-own", default="", metavar="METHOD,...", help="tune these on their own, instead of using their baseline's values")  # fmt: skip
    parser.add_argument("--table", type=Path, metavar="FILE.json", help="run nothing, print the table of FILE.json")  # fmt: skip
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="any setting, for all methods")
    return parser


def seeds_of(text: str, flag: str) -> list[int]:
    """The seeds in the value ``text`` of a flag; InputError if it is invalid."""
    if not all(word.isdecimal() for word in text.split(",")):
        raise InputError(f"{flag}: expected whole numbers joined by commas, found '{text}'")
    return list(dict.fromkeys(map(int, text.split(","))))


def benchmark_of(arguments: argparse.Namespace) -> Benchmark:
    """The benchmark that the command line describes; InputError if it is invalid."""
    for flag in ("modes", "out"):
        if getattr(arguments, flag) is None:
            raise InputError(f"--{flag} is needed (or --table)")
    if arguments.jobs < 1:
        raise InputError(f"--jobs is {arguments.jobs}, expected at least 1")
    cfg = arguments.cfg or GROUNDS[arguments.ground].cfg
    return Benchmark(
        cfg=cfg,
        given=current_names(parse_overrides(arguments.overrides), "command line"),
        methods=methods_of(arguments.modes),
        variables=chosen(arguments.variables or load_config(cfg).lbi.variables, VARIABLES, "--variables"),
        noises=list(dict.fromkeys(map(cases.parse_noise_or_mixture, arguments.noise.split(",")))),
        seeds=seeds_of(arguments.seeds, "--seeds"),
        val_in_train=arguments.val_in_train == "true",
        own=own_of(arguments),
        data=arguments.data,
        out=arguments.out,
        jobs=arguments.jobs,
        ground=arguments.ground,
        origin=arguments.ground_data,
    )


def methods_of(text: str) -> list[str]:
    """The methods that --modes names; "all" leaves out those whose package is not installed.

    Raises:
        InputError: a method is unknown, or needs a package that is not installed.
    """
    names = chosen(text, METHODS, "--modes")
    if text != "all":
        for name in names:
            check_installed(METHODS[name].package, name)
        return names
    there = [name for name in names if is_installed(METHODS[name].package)]
    if len(there) < len(names):
        print(f"left out, not installed: {', '.join(name for name in names if name not in there)}")
    return there


def own_of(arguments: argparse.Namespace) -> list[str]:
    """The methods that --tune-own names; InputError if they cannot be tuned on their own."""
    if not arguments.tune_own:
        return []
    if not arguments.tune:
        raise InputError("--tune-own needs --tune")
    # A method that shares the run of another one shares its settings, too.
    tunable = [name for name, method in METHODS.items() if method.tuned_as and method.tuned_as != method.run]
    return chosen(arguments.tune_own, tunable, "--tune-own")


def show(rows: list[dict], out: Path) -> None:
    """Print the table, and write it and the plot beside ``out``."""
    if not rows:
        return
    text = "\n".join([markdown(rows), "### At a glance", "", *overview(lines_by_noise(rows))])
    write_text(out.with_suffix(".md"), text)
    write_text(out.with_suffix(".svg"), plot(rows))
    write_text(out.with_suffix(".ap.svg"), plot(rows, RANKING))
    print(text)
    print(f"{out}, {out.with_suffix('.md')}, {out.with_suffix('.svg')}")


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code is 1 if a run failed, 2 for invalid input."""
    arguments = build_parser().parse_intermixed_args(argv)
    try:
        if arguments.table:
            show(cases.read_rows(arguments.table), arguments.table)
            return 0
        benchmark = benchmark_of(arguments)
        if arguments.tune and benchmark.tune(seeds_of(arguments.tune_seeds, "--tune-seeds")):
            # Otherwise the test would silently use the YAML file's values.
            print("not tested: some tuning runs failed; they are repeated the next time", file=sys.stderr)
            return 1
        rows, failed = benchmark.run(tuning.read_tuning(tuning.tuning_file(arguments.out)))
        show(rows, arguments.out)
        return int(failed > 0)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
