"""Settings of the command line whose text is no YAML."""

import pytest

from lib.config.loader import flat_config, load_config, parse_overrides


@pytest.mark.parametrize(
    ("text", "categories"),
    [
        ("*", ["*"]),
        ("cat", ["cat"]),
        ("red puppet", ["red puppet"]),
        ("[cat, dog]", ["cat", "dog"]),
        ("", []),
    ],
)
def test_categories(tmp_path, text, categories):
    (tmp_path / "a.yaml").write_text("")
    config = load_config(tmp_path / "a.yaml", parse_overrides(["DATASET_SRC.CATEGORY", text]))
    assert flat_config(config)["DATASET_SRC.CATEGORY"] == categories
