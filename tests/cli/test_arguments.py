"""Flags for settings and modes, and the exit codes of errors."""

from types import SimpleNamespace

import pytest

from lib.cli.arguments import (
    FLAGS,
    add_mode_flags,
    add_terminal_flags,
    chosen_mode,
    configuration,
    run_command,
    settings_parser,
)
from lib.config.schema import settings
from lib.ignoring.modes import MODES
from lib.utils.distributed import Group
from lib.utils.errors import InputError, NonFiniteError, PartlyDoneError, StoppedError


def parse(config, *argv, flags=FLAGS):
    return configuration(settings_parser("test", flags).parse_intermixed_args(["--cfg", str(config), *argv]))


def test_flags_are_short_for_settings(config):
    loaded = parse(config, "--batch_size", "3", "--resume", "--random_seed", "7", "--save_dir", "there")
    assert (loaded.train.batch_size, loaded.train.resume, loaded.seed) == (3, True, 7)
    assert loaded.output_dir == "there" and loaded.train.end_epoch == 2  # the file's
    assert set(FLAGS.values()) <= set(settings())


def test_flags_override_pairs_and_pairs_override_the_file(config):
    loaded = parse(config, "--num_epochs", "9", "TRAIN.END_EPOCH", "5", "TRAIN.LR", "0.5")
    assert loaded.train.end_epoch == 9 and loaded.train.lr == 0.5


@pytest.mark.parametrize(
    ("argv", "parts"),
    [(["TRAIN.LRR", "1"], ("TRAIN.LRR", "TRAIN.LR")), (["--batch_size", "x"], ("TRAIN.BATCH_SIZE", "x"))],
)
def test_a_wrong_key_or_value_is_named(config, argv, parts):
    with pytest.raises(InputError) as error:
        parse(config, *argv)
    assert all(part in str(error.value) for part in parts)


def mode_of(*argv, default=None):
    parser = settings_parser("test")
    add_mode_flags(parser, "mode")
    return chosen_mode(parser.parse_args(["--cfg", "none", *argv]), default)


@pytest.mark.parametrize("name", MODES)
def test_every_mode_has_a_flag(name):
    assert mode_of(f"--{name}") is MODES[name]
    assert mode_of(f"--{name}", default="baseline1") is MODES[name]


def test_exactly_one_mode():
    assert mode_of(default="ours2") is MODES["ours2"]
    with pytest.raises(InputError, match="none.*--ours5"):
        mode_of()
    with pytest.raises(InputError, match="--baseline1 and --ours1"):
        mode_of("--ours1", "--baseline1", default="ours2")


def test_verbosity():
    parser = settings_parser("test")
    add_terminal_flags(parser)
    chosen = [parser.parse_args(["--cfg", "c", *flag]).verbosity for flag in ([], ["--quiet"], ["--verbose"])]
    assert chosen == ["normal", "quiet", "verbose"]


def raising(error):
    def command(argv):
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "start"),
    [
        (InputError("a.yaml: no\nsuch key"), 2, "error: a.yaml: no such key"),
        (FileNotFoundError(2, "missing", "b.yaml"), 2, "error: "),
        (PartlyDoneError("3 of 4"), 1, "3 of 4"),
        (NonFiniteError("the loss is NaN"), 3, "error: the loss is NaN"),
        (StoppedError(15, "stopped"), 143, "stopped"),
    ],
)
def test_exit_codes_of_errors(error, code, start, capsys):
    assert run_command(raising(error), []) == code
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith(start) and captured.out == ""


def test_the_result_is_printed_by_the_main_rank(capsys):
    assert run_command(lambda argv: f"done {argv}", ["a"]) == 0
    assert capsys.readouterr().out == "done ['a']\n"
    assert run_command(lambda argv: "done", [], Group(1, 2)) == 0
    assert capsys.readouterr().out == ""
    assert run_command(lambda argv: SimpleNamespace(exit_code=2), None) == 2


def test_other_errors_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        run_command(lambda argv: 1 / 0, [])
