"""Spoilt configurations: load to settings of the right kinds and ranges, or one clear error."""

import contextlib
import io
from pathlib import Path

import pytest
import yaml
from hypothesis import strategies as st

from lib.cli.arguments import run_command
from lib.config.loader import dump_config, load_config, parse_overrides
from lib.config.schema import settings
from lib.dataset.build import build_codec
from lib.utils.errors import InputError
from pose_estimation.main import main
from tests.harness.mutations import (
    FEW_AND_MANY,
    PLACES,
    nasty_values,
    outcome,
    put,
    spoilt_bytes,
    spoilt_tree,
    try_many,
    within,
)

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = (ROOT / "experiments/demo/people.yaml").read_bytes()


def nested(flat):
    tree = {}
    for key, value in flat.items():
        *path, name = key.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[name] = value
    return tree


def as_yaml(tree):
    return yaml.dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass")


def assert_sane(config):
    for key, setting in settings().items():
        value = config
        for part in key.split("."):
            value = getattr(value, part.lower())
        if isinstance(setting.default, dict):
            assert all(type(name) is str for pair in value.items() for name in pair), key
            continue
        assert isinstance(value, tuple) == isinstance(setting.default, list), key
        for item in value if isinstance(value, tuple) else [value]:
            assert type(item) is setting.kind, key
            assert not setting.choices or item in setting.choices, key
            assert setting.minimum is None or item >= setting.minimum, key
            assert setting.maximum is None or item <= setting.maximum, key


@pytest.mark.parametrize("examples", FEW_AND_MANY)
def test_files(tmp_path, examples):
    path, again = tmp_path / "a.yaml", tmp_path / "again.yaml"
    whole = nested({key: setting.default for key, setting in settings().items()})
    contents = st.one_of(spoilt_bytes(SHIPPED), spoilt_tree(whole).map(as_yaml))
    placed = st.tuples(contents, st.one_of(st.just("file"), st.just("file"), st.sampled_from(PLACES)))

    def check(content_and_place):
        put(path, *content_and_place)
        config = outcome(load_config, path)
        if config is None:
            return
        assert_sane(config)
        again.write_text(dump_config(config), encoding="utf-8")
        assert load_config(again) == config
        outcome(build_codec, config.model)

    try_many(examples, placed, check)


def words_for(keys):
    texts = st.one_of(
        nasty_values().map(lambda value: yaml.dump(value, default_flow_style=True).split("\n")[0]),
        nasty_values().map(str),
        st.text(max_size=8),
        st.sampled_from(["{}", "[", "a: b", "&a [*a]", "!!python/name:os.system", "1e400", "9" * 5000, "0x"]),
    )
    return st.lists(st.tuples(st.sampled_from(keys), texts), min_size=1, max_size=3).map(
        lambda pairs: [word for pair in pairs for word in pair]
    )


@pytest.mark.parametrize("examples", FEW_AND_MANY)
def test_words(tmp_path, examples):
    path = tmp_path / "a.yaml"
    path.write_bytes(SHIPPED)

    def check(words):
        overrides = outcome(parse_overrides, words)
        config = None if overrides is None else outcome(load_config, path, overrides)
        if config is not None:
            assert_sane(config)

    try_many(examples, words_for(sorted(settings()) + ["NONE", "TRAIN", ""]), check)


@pytest.mark.slow
def test_commands(config):
    """A run that is given nonsense ends well, or with one line and exit code 2 or 3, whatever the setting."""
    # Left alone: what makes a run as long, or a network as large, as one asks for; and processes.
    left_alone = ("END_EPOCH", "STEPS_PER_EPOCH", "META_LOOP", "WORKERS", "THREADS", "OUTPUT_DIR", "LOG_DIR",
                  "WIDTH", "NUM_DECONV_FILTERS", "IMAGE_SIZE", "HEATMAP_SIZE", "NUM_LAYERS")  # fmt: skip
    keys = [key for key in settings() if not key.endswith(left_alone)]

    def check(words):
        said = io.StringIO()
        run = ["--cfg", str(config), "--ours2", "TRAIN.STEPS_PER_EPOCH", "1", "TRAIN.END_EPOCH", "1"]
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()), within(120):
            code = main([*run, "--", *words])
        lines = said.getvalue().splitlines()
        assert code in (0, 2, 3), words
        assert code == 0 or (len(lines) == 1 and lines[0].startswith("error: ")), lines

    try_many(60, words_for(keys), check)


BILLION = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefghi", "bcdefghij")
)


@pytest.mark.parametrize(
    "text",
    [
        BILLION,
        "a: &a {x: 1, y: 1}\n"
        + "".join(
            f"{b}: &{b} {{x: *{a}, y: *{a}, z: *{a}}}\n" for a, b in zip("abcdefghijklm", "bcdefghijklmn")
        ),
        "a: &a {b: *a}",
        "TRAIN: &a {LR: *a}",
        "TRAIN: {LR_STEP: &a [*a]}",
    ],
    ids=range(5),
)
def test_aliases_are_refused_before_they_grow(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    with within(10), pytest.raises(InputError, match="a.yaml: not valid YAML") as caught:
        load_config(tmp_path / "a.yaml")
    assert len(str(caught.value)) < 500


def test_a_file_of_many_keys(tmp_path):
    (tmp_path / "a.yaml").write_text("".join(f"k{n}: 1\n" for n in range(6_000)))
    with within(30), pytest.raises(InputError, match="not valid YAML .more than 10000 values"):
        load_config(tmp_path / "a.yaml")


@pytest.mark.parametrize("value", ['"a\\0b"', '"\\ud800"', '"two\\nlines"', '"\\e[31mred"'])
def test_texts_without_control_characters(tmp_path, value):
    (tmp_path / "a.yaml").write_text(f"OUTPUT_DIR: {value}")
    with pytest.raises(InputError, match="OUTPUT_DIR is a text") as caught:
        load_config(tmp_path / "a.yaml")
    assert str(caught.value).isprintable()


def test_a_long_value_is_told_in_short(tmp_path):
    (tmp_path / "a.yaml").write_text(f"SEED: {'x' * 10_000}")
    with pytest.raises(InputError) as caught:
        load_config(tmp_path / "a.yaml")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "setting",
    [
        "SEED 18446744073709551616", "WORKERS 1000000", "THREADS 1000000000", "TRAIN.BATCH_SIZE 10000000000000000000",
        "MODEL.EXTRA.NUM_DECONV_LAYERS 1000000000", "MODEL.EXTRA.SIGMA 1e300", "MODEL.IMAGE_SIZE [320000,320000]",
        "MODEL.EXTRA.WIDTH 100000", "MODEL.EXTRA.NUM_DECONV_FILTERS [8,8,1000000]", "DATASET.ROT_FACTOR 1e308",
    ],
)  # fmt: skip
def test_sizes_that_no_machine_has_are_refused(setting):
    key, text = setting.split()
    with pytest.raises(InputError, match=f"{key} (must be at most|is a whole number)"):
        load_config(ROOT / "experiments/demo/people.yaml", parse_overrides([key, text]))


def test_a_place_where_nothing_can_be_written_is_one_line(config, capsys):
    (config.parent / "a file").write_text("")
    assert main(["--cfg", str(config), "--baseline1", "OUTPUT_DIR", str(config.parent / "a file")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and "a file" in line


def test_an_error_is_one_line_whatever_it_names(capsys):
    def command(_):
        raise InputError("two\nlines and \x1b[31mred \ud800")

    assert run_command(command, []) == 2
    assert capsys.readouterr().err == "error: two lines and \\x1b[31mred \\ud800\n"
