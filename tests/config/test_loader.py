import dataclasses
import pickle
from pathlib import Path

import pytest
import yaml

from lib.config.former_names import ALIASES, WITHOUT_EFFECT
from lib.config.loader import (
    describe_settings,
    dump_config,
    flat_config,
    kept_settings,
    load_config,
    parse_overrides,
    settings_in,
    with_settings,
)
from lib.config.schema import settings
from lib.utils.errors import InputError
from lib.utils.log import captured_messages

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENTS = sorted((ROOT / "experiments").rglob("*.yaml"))


@pytest.fixture
def load(tmp_path):
    """Loads a configuration given as text."""

    def load_text(text="", overrides=None):
        path = tmp_path / "some.yaml"
        path.write_text(text, encoding="utf-8")
        return load_config(path, overrides)

    return load_text


def complaint(call, *args):
    """The message of the InputError that the call ends in; it is one line."""
    with pytest.raises(InputError) as caught:
        call(*args)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("text", ["", "# nothing but a comment", "---", "{}"])
def test_an_empty_file_gives_the_defaults(load, text):
    with captured_messages() as messages:
        config = load(text)
    assert messages == []
    # As the original's: ResNet-50, 256 x 192, 13 joints, Adam 1e-3, lambda 7e-3.
    assert config.model.image_size == (192, 256)
    assert config.model.extra.heatmap_size == (48, 64)
    assert (config.model.extra.num_layers, config.model.num_joints) == (50, 13)
    assert (config.train.optimizer, config.train.lr, config.train.lr_step) == ("adam", 1e-3, (90, 120))
    assert (config.lbi.lam, config.lbi.gamma, config.lbi.meta_loop) == (7e-3, 1.0, 1)
    assert (config.dataset_src.dataset, config.dataset_target.dataset) == ("coco", "mpii")
    assert config.dataset_target.train_set == "train_finetune"
    assert config.dataset_target.val_set == "train_validate"
    assert config.dataset.color_rgb == "auto" and config.dataset.reads_rgb


def test_defaults_are_not_shared_between_configurations(load):
    load().dataset_src.joints["a"] = "b"
    flat_config(load())["TRAIN.LR_STEP"].append(1)
    config = load()
    assert config.dataset_src.joints == {} and config.train.lr_step == (90, 120)


def test_a_configuration_is_not_changed_but_copied(load):
    config = load()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.train.lr = 5
    changed = with_settings(config, {"TRAIN.LR": "0.5", "MODEL.IMAGE_SIZE": [64, 96], "LBI.EVERY": 3})
    assert (changed.train.lr, changed.model.image_size, changed.lbi.hypergrad_interval) == (0.5, (64, 96), 3)
    assert dataclasses.replace(changed, train=config.train, model=config.model, lbi=config.lbi) == config
    assert "TRAIN.BATCH_SIZE must be at least 1" in complaint(with_settings, config, {"TRAIN.BATCH_SIZE": 0})
    assert pickle.loads(pickle.dumps(changed)) == changed


def test_yaml_over_defaults_and_overrides_over_yaml(load):
    text = """
    TRAIN: {LR: 0.01, BATCH_SIZE: 8}
    MODEL:
      EXTRA:
        NUM_LAYERS: 18
    """
    config = load(text, {"TRAIN.LR": 0.5, "MODEL.EXTRA.SIGMA": 3})
    assert config.train.lr == 0.5
    assert config.train.batch_size == 8
    assert config.model.extra.num_layers == 18
    assert config.model.extra.sigma == 3.0 and isinstance(config.model.extra.sigma, float)
    assert config.train.wd == 0.0


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("TRAIN: {LR: 1e-3}", "TRAIN.LR", 0.001),  # a text to YAML 1.1
        ("TRAIN: {LR: '0.5'}", "TRAIN.LR", 0.5),
        ("TRAIN: {LR: 1}", "TRAIN.LR", 1.0),
        ("GPUS: 3", "GPUS", "3"),
        ("GPUS: 0,1", "GPUS", "0,1"),
        ("TRAIN: {LR_STEP: 5}", "TRAIN.LR_STEP", [5]),
        ("TRAIN: {LR_STEP: []}", "TRAIN.LR_STEP", []),
        ("TRAIN: {SHUFFLE: no}", "TRAIN.SHUFFLE", False),
        ("MODEL: {IMAGE_SIZE: [64, 96]}", "MODEL.IMAGE_SIZE", [64, 96]),
    ],
)
def test_values_take_the_type_of_the_setting(load, line, key, value):
    found = flat_config(load(line))[key]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["TRAIN.LR", "1e-3"], 1e-3),
        (["TRAIN.LR", "2"], 2.0),
        (["TRAIN.BATCH_SIZE", "16"], 16),
        (["TRAIN.SHUFFLE", "false"], False),
        (["MODEL.IMAGE_SIZE", "[64, 96]"], [64, 96]),
        (["MODEL.EXTRA.HEATMAP_SIZE", "[16, 24]"], [16, 24]),
        (["GPUS", "1"], "1"),
        (["OUTPUT_DIR", "1e-3"], "1e-3"),
        (["OUTPUT_DIR", "yes"], "yes"),
        (["MODEL.PRETRAINED", ""], ""),
        (["LOG_DIR", "a: b"], "a: b"),
        (["TRAIN.LR", "1", "TRAIN.LR", "2"], 2.0),  # the last word counts
    ],
)
def test_words_of_the_command_line(load, words, expected):
    found = flat_config(load("TRAIN: {LR: 9, BATCH_SIZE: 9}", parse_overrides(words)))[words[0]]
    assert found == expected
    assert type(found) is type(expected)


def test_several_pairs_and_none():
    assert parse_overrides(["SEED", "3", "GPUS", "1", "TRAIN.RESUME", "true"]) == {
        "SEED": 3, "GPUS": "1", "TRAIN.RESUME": True,
    }  # fmt: skip
    assert parse_overrides([]) == {}


def test_odd_number_of_words():
    message = complaint(parse_overrides, ["TRAIN.LR", "1", "TRAIN.WD"])
    assert "command line" in message and "'TRAIN.WD' has no value" in message


@pytest.mark.parametrize(
    ("key", "nearest"),
    [("TRAIN.BATCHSIZE", "TRAIN.BATCH_SIZE"), ("train.lr", "TRAIN.LR"), ("LBI.LAMBDA", "LBI.LAM"),
     ("MODEL.EXTRA.SIGMAS", "MODEL.EXTRA.SIGMA"), ("TEST.FLIPTEST", "TEST.FLIP_TEST"), ("SEEDS", "SEED")],
)  # fmt: skip
def test_unknown_key_names_the_nearest_one(load, tmp_path, key, nearest):
    *sections, name = key.split(".")
    text = "".join(f"{'  ' * depth}{section}:\n" for depth, section in enumerate(sections))
    message = complaint(load, f"{text}{'  ' * len(sections)}{name}: 1")
    assert str(tmp_path / "some.yaml") in message
    assert f"unknown setting {key}; the nearest valid one is {nearest}" in message
    for call, args in ((parse_overrides, [[key, "1"]]), (load, ["", {key: 1}])):
        message = complaint(call, *args)
        assert message == f"command line: unknown setting {key}; the nearest valid one is {nearest}"


@pytest.mark.parametrize(
    "line", ["1: 2", "null: 2", "[1, 2]: 3", "'': 1", "NONSENSE: {}", "TRAIN: {NONSENSE: {}}"]
)
def test_keys_that_are_no_setting(load, line):
    assert "some.yaml: " in complaint(load, line)


@pytest.mark.parametrize(
    ("line", "key", "expected"),
    [
        ("TRAIN: {LR: fast}", "TRAIN.LR", "a number, found 'fast'"),
        ("TRAIN: {LR: true}", "TRAIN.LR", "a number, found True"),
        ("TRAIN: {LR: [1]}", "TRAIN.LR", "a number, found [1]"),
        ("TRAIN: {LR: .nan}", "TRAIN.LR", "a number, found nan"),
        ("TRAIN: {LR: nan}", "TRAIN.LR", "a number, found 'nan'"),
        ("TRAIN: {LR: .inf}", "TRAIN.LR", "a number, found inf"),
        ("TRAIN: {LR: 1" + "0" * 400 + "}", "TRAIN.LR", "a number, found 1"),
        ("TRAIN: {LR: }", "TRAIN.LR", "a number, found None"),
        ("TRAIN: {LR: 2020-01-02}", "TRAIN.LR", "a number, found "),
        ("SEED: 1.0", "SEED", "a whole number, found 1.0"),
        ("SEED: '1'", "SEED", "a whole number, found '1'"),
        ("SEED: true", "SEED", "a whole number, found True"),
        ("SEED: null", "SEED", "a whole number, found None"),
        ("SEED: {}", "SEED", "a whole number, found {}"),
        ("SEED: [1]", "SEED", "a whole number, found [1]"),
        ("TRAIN: {SHUFFLE: 1}", "TRAIN.SHUFFLE", "true or false, found 1"),
        ("TRAIN: {SHUFFLE: 'no'}", "TRAIN.SHUFFLE", "true or false, found 'no'"),
        ("OUTPUT_DIR: 1.5", "OUTPUT_DIR", "a text, found 1.5"),
        ("OUTPUT_DIR: true", "OUTPUT_DIR", "a text, found True"),
        ("OUTPUT_DIR:", "OUTPUT_DIR", "a text, found None"),
        ("TRAIN: {LR_STEP: [1, a]}", "TRAIN.LR_STEP", "a whole number, found 'a'"),
        ("TRAIN: {LR_STEP: [1, null]}", "TRAIN.LR_STEP", "a whole number, found None"),
        ("TRAIN: {LR_STEP: [[1]]}", "TRAIN.LR_STEP", "a whole number, found [1]"),
        ("MODEL: {IMAGE_SIZE: 256}", "MODEL.IMAGE_SIZE", "a width and a height, found [256]"),
        ("MODEL: {IMAGE_SIZE: [1, 2, 3]}", "MODEL.IMAGE_SIZE", "a width and a height, found [1, 2, 3]"),
        ("MODEL: {EXTRA: {HEATMAP_SIZE: []}}", "MODEL.EXTRA.HEATMAP_SIZE", "a width and a height, found []"),
    ],
    ids=lambda value: value[:40],
)  # fmt: skip
def test_wrong_type(load, line, key, expected):
    assert f"some.yaml: {key} is {expected}" in complaint(load, line)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("TRAIN: {OPTIMIZER: adamw}", "TRAIN.OPTIMIZER is one of adam, sgd; found 'adamw'"),
        ("MODEL: {STYLE: keras}", "MODEL.STYLE is one of pytorch, caffe; found 'keras'"),
        ("MODEL: {EXTRA: {NUM_LAYERS: 51}}", "EXTRA.NUM_LAYERS is one of 10, 18, 34, 50, 101, 152; found 51"),
        ("TRAIN: {BATCH_SIZE: 0}", "TRAIN.BATCH_SIZE must be at least 1, found 0"),
        ("TRAIN: {LR: -1e-3}", "TRAIN.LR must be at least 0, found -0.001"),
        ("TRAIN: {MOMENTUM: 1.5}", "TRAIN.MOMENTUM must be at most 1, found 1.5"),
        ("TRAIN: {LR_STEP: [3, -1]}", "TRAIN.LR_STEP must be at least 0, found -1"),
        ("MODEL: {EXTRA: {NUM_DECONV_KERNELS: [4, 5]}}", "NUM_DECONV_KERNELS must be at most 4, found 5"),
    ],
)  # fmt: skip
def test_outside_what_is_allowed(load, line, expected):
    assert expected in complaint(load, line)


def test_limits_themselves_are_allowed(load):
    config = load("TRAIN: {LR: 0, MOMENTUM: 1, BATCH_SIZE: 1, OPTIMIZER: sgd}")
    assert (config.train.lr, config.train.momentum, config.train.batch_size) == (0, 1, 1)


@pytest.mark.parametrize(
    ("line", "section"),
    [
        ("TRAIN: 3", "TRAIN"),
        ("TRAIN:", "TRAIN"),
        ("MODEL: {EXTRA: [1]}", "MODEL.EXTRA"),
        ("MODEL: x", "MODEL"),
    ],
)
def test_a_section_is_no_value(load, line, section):
    assert f"some.yaml: {section} is a section of settings, found " in complaint(load, line)
    assert "unknown setting TRAIN" in complaint(load, "", {"TRAIN": 3})


def test_a_value_is_no_section(load):
    assert "unknown setting SEED.A; the nearest valid one is SEED" in complaint(load, "SEED: {A: 1}")


@pytest.mark.parametrize(
    "text",
    ["TRAIN: {", "a: b: c", "\tTRAIN: 1", "TRAIN: *x", "SEED: 2000-13-01", "SEED: 0b_", "SEED: !!int x",
     "!!bool x", "SEED: !!python/object/apply:os.getcwd []", "[" * 1000, "\0", "---\nSEED: 1\n---\nSEED: 2"],
    ids=lambda text: text[:30],
)  # fmt: skip
def test_broken_yaml(load, text):
    message = complaint(load, text)
    assert "some.yaml: not valid YAML (" in message


@pytest.mark.parametrize(
    ("text", "key"),
    [("SEED: 1\nSEED: 2", "SEED"), ("TRAIN: {LR: 1}\nSEED: 1\nTRAIN: {WD: 1}", "TRAIN"),
     ("TRAIN:\n  LR: 1\n  WD: 1\n  LR: 1", "LR")],
)  # fmt: skip
def test_a_key_given_twice_is_not_dropped_in_silence(load, text, key):
    message = complaint(load, text)
    assert f"{key} is given twice" in message and "some.yaml" in message
    assert f"line {text[: text.index(key)].count(chr(10)) + 1}" in message


def test_yaml_anchors_and_merges_still_work(load):
    config = load("TEST: &batch {BATCH_SIZE: 3}\nTRAIN: {<<: *batch, LR: 0.5}")
    assert (config.test.batch_size, config.train.batch_size, config.train.lr) == (3, 3, 0.5)


@pytest.mark.parametrize("text", ["[]", "- TRAIN", "3", "0", "false", "just words", "''"])
def test_not_a_mapping(load, text):
    assert "expected sections of KEY: value" in complaint(load, text)


def test_files_that_cannot_be_read(tmp_path):
    assert str(tmp_path / "gone.yaml") in complaint(load_config, tmp_path / "gone.yaml")
    assert str(tmp_path) in complaint(load_config, tmp_path)
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\xff")
    assert "bytes.yaml: not valid YAML" in complaint(load_config, tmp_path / "bytes.yaml")


@pytest.mark.parametrize("text", ["[1", "{", "2000-13-01", "*x"])
def test_broken_value_on_the_command_line(text):
    assert complaint(parse_overrides, ["SEED", text]) == f"command line: SEED: {text!r} is not a value"


def test_wrong_value_on_the_command_line(load):
    for words, expected in (
        (["SEED", "x"], "command line: SEED is a whole number, found 'x'"),
        (["SEED", ""], "command line: SEED is a whole number, found ''"),
        (
            ["TRAIN.OPTIMIZER", "rmsprop"],
            "command line: TRAIN.OPTIMIZER is one of adam, sgd; found 'rmsprop'",
        ),
    ):
        assert complaint(load, "", parse_overrides(words)) == expected


def test_dump_reads_back_to_the_same(load, tmp_path):
    text = "TRAIN: {LR: 1e-5, LR_STEP: []}\nGPUS: 2\nMODEL: {IMAGE_SIZE: [64, 96], PRETRAINED: 'no'}"
    config = load(text, {"SEED": 7, "LOG_DIR": "a: b # c"})
    with captured_messages() as messages:
        again = load(dump_config(config))
    assert again == config
    assert messages == []
    assert type(yaml.safe_load(dump_config(config))) is dict


@pytest.mark.parametrize("key", WITHOUT_EFFECT)
def test_dead_keys_of_the_original_are_said_to_be_dead(load, key):
    *sections, name = key.split(".")
    tree = {name: "anything"}
    for section in reversed(sections):
        tree = {section: tree}
    with captured_messages() as messages:
        config = load(yaml.safe_dump(tree))
    assert config == load()
    (message,) = messages
    assert f"{key} has no effect ({WITHOUT_EFFECT[key]})" in message and "some.yaml" in message


def test_every_setting_is_explained_and_its_default_allowed(load):
    lines = describe_settings().splitlines()
    for key, setting in settings().items():
        assert len(setting.meaning.split()) > 1 or setting.choices, key
        assert "\n" not in setting.meaning
        (at,) = (i for i, line in enumerate(lines) if line.startswith(f"  {key} = "))
        assert setting.meaning in lines[at + 1]
        assert all(str(choice) in lines[at + 1] for choice in setting.choices)
        assert load("", {key: setting.default}) == load()
    assert not set(settings()) & set(WITHOUT_EFFECT)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_shipped_experiment_loads(path):
    with captured_messages() as messages:
        config = load_config(path)
    assert messages == []
    assert config.model.num_joints in (13, 16, 17) or config.dataset_target.dataset == "coco_format"


VALUES = {"LBI.EVERY": 3, "LBI.REST_EPOCH": 7, "LBI.VALIDATE_AT": "source", "LBI.VALIDATE_ON": "target",
          "LBI.LOOKAHEAD": "optimizer"}  # fmt: skip


@pytest.mark.parametrize("former", ALIASES)
def test_a_former_name_is_accepted_with_a_note(load, former):
    key, value = ALIASES[former], VALUES[former]
    expected = load("", {key: value})
    assert expected != load()
    text = f"LBI: {{{former.removeprefix('LBI.')}: {value}}}"
    for given, where in (
        ((text,), "some.yaml"),
        (("", parse_overrides([former, str(value)])), "command line"),
    ):
        with captured_messages() as messages:
            assert load(*given) == expected
        (message,) = messages
        assert f"{where}: {former} is called {key} now" in message
    assert former.removeprefix("LBI.") + ":" not in dump_config(expected)
    # As in a checkpoint.
    assert settings_in(text, "a.pth") == {key: value}
    assert kept_settings(text, (key,), "a.pth") == {key: value}


def test_both_names_in_one_place_are_an_error(load):
    both = "LBI: {EVERY: 2, HYPERGRAD_INTERVAL: 2}"
    for message in (
        complaint(load, both),
        complaint(load, "", {"LBI.HYPERGRAD_INTERVAL": 2, "LBI.EVERY": 3}),
        complaint(settings_in, both, "a.pth"),
    ):
        assert "LBI.EVERY" in message and "LBI.HYPERGRAD_INTERVAL" in message


def test_the_command_line_replaces_a_former_name_of_the_file(load):
    with captured_messages() as messages:
        config = load("LBI: {EVERY: 2}", {"LBI.HYPERGRAD_INTERVAL": 5})
    assert config.lbi.hypergrad_interval == 5 and "some.yaml" in messages[0]


def test_errors_of_a_former_name_tell_the_name_that_was_given(load):
    assert "some.yaml: LBI.EVERY must be at least 1, found 0" in complaint(load, "LBI: {EVERY: 0}")
    assert complaint(load, "", {"LBI.EVRY": 1}).endswith("LBI.HYPERGRAD_INTERVAL")


def test_whole_numbers_without_a_bound_of_their_own_fit_into_64_bits(load):
    assert load("SEED: 9223372036854775807").seed == 2**63 - 1
    message = complaint(load, "SEED: 9223372036854775808")
    assert "SEED" in message and "9223372036854775807" in message
