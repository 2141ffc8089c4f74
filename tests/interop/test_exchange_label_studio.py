"""Tasks in doubt as Label Studio's own SDK checks them, and its JSON on the way back."""

import json

import pytest

from tests.factories.exchanges import DECISIONS, found_with_image, give, take
from tests.factories.tool_edits import edit_label_studio

interface = pytest.importorskip(
    "label_studio_sdk.label_interface", reason="label-studio-sdk (requirements-interop.txt) is not installed"
)

from label_studio_sdk.converter import Converter  # noqa: E402

pytestmark = pytest.mark.interop


def test_the_sdk_accepts_configuration_tasks_and_pre_annotations(tmp_path):
    output = give(found_with_image(tmp_path), "label_studio")
    labeling = interface.LabelInterface((output / "labeling.xml").read_text())
    labeling.validate()
    (task,) = json.loads((output / "tasks.json").read_text())
    assert labeling.validate_task({"data": task["data"]})
    assert [each["model_version"] for each in task["predictions"]] == ["labels", "proposed"]
    for prediction in task["predictions"]:
        assert labeling.validate_prediction(prediction, return_errors=True) == []
        assert all(labeling.validate_region(region) for region in prediction["result"])


def test_json_of_the_converter_is_read(tmp_path, capsys):
    found = found_with_image(tmp_path)
    output = give(found, "label_studio")
    path = edit_label_studio(output)
    converter = Converter((output / "labeling.xml").read_text(), project_dir=None, download_resources=False)
    converter.convert_to_json(str(path), str(tmp_path / "json"), is_dir=False)
    assert set(take(found, "label_studio", tmp_path / "json/result.json")) == DECISIONS
    assert "warning" not in capsys.readouterr().out
