"""A setting whose choices are a text, true and false: DATASET.COLOR_RGB."""

import pytest

from lib.config.loader import dump_config, load_config, parse_overrides
from lib.utils.errors import InputError


@pytest.fixture
def load(tmp_path):
    """Loads a configuration given as text."""

    def load_text(text="", overrides=None):
        (tmp_path / "some.yaml").write_text(text, encoding="utf-8")
        return load_config(tmp_path / "some.yaml", overrides)

    return load_text


@pytest.mark.parametrize("text, value", [("auto", "auto"), ("true", True), ("false", False)])
def test_a_choice_between_a_text_and_true_or_false(load, text, value):
    assert load(f"DATASET: {{COLOR_RGB: {text}}}").dataset.color_rgb == value
    config = load(overrides=parse_overrides(["DATASET.COLOR_RGB", text]))
    assert config.dataset.color_rgb == value and config.dataset.reads_rgb is (value is not False)
    assert load(dump_config(config)) == config


@pytest.mark.parametrize("text", ["1", "bgr", "'true'", "[true]"])
def test_what_is_none_of_the_choices(load, text):
    with pytest.raises(InputError, match="COLOR_RGB is"):
        load(f"DATASET: {{COLOR_RGB: {text}}}")
