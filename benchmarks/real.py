"""Real label errors, Leeds Sports Pose Extended to MPII: who finds them, and what leaving them out is worth.

    python benchmarks/real.py --data FOLDER --size cpu --methods ours1,distance --seeds 0,1 --out output/real
    python benchmarks/real.py --data FOLDER --size cpu --out output/real --table   # the table of what is there

--data is the folder of lspet_train.json, lspet_second_opinion.json, mpii_train.json, mpii_test.json and images.
Methods, noises and seeds run side by side. A seed draws which people join the source (benchmarks/lspet_ground.py),
the network and the noise. Methods that need the same training share it. What is finished is not run again, and a
training that was interrupted goes on. In --out:

    METHOD-SEED[-NOISE].csv    annotation_id, joint, score of every labelled keypoint of the source; higher is more suspect
    injected-SEED-NOISE.csv    annotation_id, joint of the labels that were made wrong
    results.json, table.md     a row for each run; the tables
    runs/RUN-SEED[-NOISE]      the trainings' output, with the final network

--rejudge reads the labels again with the finished networks, without any training, and replaces tables and rows.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.evidence import cases, tuning
from benchmarks.evidence.benchmark import Benchmark
from benchmarks.evidence.grounds import GROUNDS, People
from benchmarks.evidence.methods import METHODS, chosen
from benchmarks.evidence.real_tables import HALVES, Kept, tables
from benchmarks.evidence.second_opinion import read_second_opinion
from benchmarks.evidence.target_gain import MeasuredPeople, read_heads
from benchmarks.lspet_ground import SECOND_OPINION
from benchmarks.modes import seeds_of
from lib.config.loader import current_names, load_config, parse_overrides
from lib.dataset.build import read_annotations
from lib.dataset.layouts import ImageSet
from lib.utils.errors import InputError
from lib.utils.files import write_text

SIZES = ("cpu", "gpu")
RANKING = ("ours1", "ours1_weights", "distance", "loss", "target_distance", "out_of_fold", "geometry", "permutations", "judged")  # fmt: skip
TRAINED = ("baseline1", "baseline2", "baseline3", "ours2")
REJUDGED = ("ours1", "judged", "distance", "loss")


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    methods = "\n".join(f"  {name}: {METHODS[name].meaning}" for name in (*RANKING, *TRAINED))
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=f"methods, for --methods:\n{methods}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the people, see above")  # fmt: skip
    parser.add_argument("--size", choices=SIZES, required=True, help="; ".join(f"{size}: {GROUNDS[f'lspet_{size}'].meaning}, {GROUNDS[f'lspet_{size}'].cfg.name}" for size in SIZES))  # fmt: skip
    parser.add_argument("--methods", default="all", metavar="METHOD,...", help="see below; default: all")
    parser.add_argument("--seeds", default="0,1,2", metavar="SEED,...", help="default: 0,1,2")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    parser.add_argument("--noise", default="none", metavar="KIND:SHARE,...", help="injected on top of the real errors; default: none")  # fmt: skip
    parser.add_argument("--half", choices=HALVES, help="print the detection of real errors for these people only; table.md has all")  # fmt: skip
    parser.add_argument("--jobs", type=int, help="runs side by side; default: the cores (cpu), 1 (gpu)")
    parser.add_argument("--rejudge", action="store_true", help=f"judge labels again, for {', '.join(REJUDGED)}")  # fmt: skip
    parser.add_argument("--table", action="store_true", help="run nothing, print the table of what is there")
    parser.add_argument("--cfg", type=Path, metavar="FILE", help="in place of the size's own")
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="any setting, for all methods")
    return parser


def benchmark_of(arguments: argparse.Namespace) -> Benchmark:
    """The benchmark that the command line describes; InputError if it is invalid."""
    jobs = arguments.jobs or ((os.cpu_count() or 1) if arguments.size == "cpu" else 1)
    if jobs < 1:
        raise InputError(f"--jobs is {jobs}, expected at least 1")
    ground = f"lspet_{arguments.size}"
    cfg = arguments.cfg or GROUNDS[ground].cfg
    out = arguments.out.resolve()
    return Benchmark(
        cfg=cfg,
        given=current_names(parse_overrides(arguments.overrides), "command line"),
        methods=chosen(arguments.methods, (*RANKING, *TRAINED), "--methods"),
        variables=[load_config(cfg).lbi.variables],
        noises=list(dict.fromkeys(map(cases.parse_noise_or_mixture, arguments.noise.split(",")))),
        seeds=seeds_of(arguments.seeds, "--seeds"),
        val_in_train=True,
        own=[],
        data=out / "data",
        out=out / "results.json",
        jobs=jobs,
        ground=ground,
        origin=arguments.data,
        kept=out,
        anew=REJUDGED if arguments.rejudge else (),
    )


def kept_of(benchmark: Benchmark) -> Kept:
    """What the benchmark's folder holds; InputError if there is nothing yet."""
    rows = cases.read_rows(benchmark.out, benchmark.cfg, benchmark.ground)
    if other := {row["ground"] for row in rows} - {benchmark.ground}:
        raise InputError(f"{benchmark.out}: holds runs on {min(other)}, see --size")
    if not rows:
        raise InputError(f"{benchmark.out}: there is no row yet")
    # The test people are the same for every seed.
    people = People(benchmark.data / benchmark.ground / str(rows[0]["seed"]), "none", rows[0]["seed"], benchmark.ground, benchmark.origin)  # fmt: skip
    if not (people.folder / "test.json").exists():
        GROUNDS[benchmark.ground].draw(people)
    config = load_config(benchmark.cfg, people.settings)
    tested = read_annotations(config, ImageSet(config.dataset_target, config.dataset_target.test_set))
    heads = read_heads(benchmark.origin / "mpii_test.json", tested.ids)
    opinion = read_second_opinion(benchmark.origin / SECOND_OPINION)
    return Kept(benchmark.kept, rows, opinion, MeasuredPeople(tested, heads))


def show(benchmark: Benchmark, half: str | None) -> None:
    """Write table.md, and print it."""
    kept = kept_of(benchmark)
    text = tables(kept)
    write_text(benchmark.kept / "table.md", text)
    print(tables(kept, [half]) if half else text)
    print(benchmark.kept / "table.md")


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code is 1 if a run failed, 2 for invalid input."""
    arguments = build_parser().parse_intermixed_args(argv)
    try:
        benchmark, rows, failed = benchmark_of(arguments), [], 0
        if not arguments.table:
            rows, failed = benchmark.run(tuning.read_tuning(tuning.tuning_file(benchmark.out)))
        if rows or arguments.table:
            show(benchmark, arguments.half)
        return int(failed > 0)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
