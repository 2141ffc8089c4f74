"""The warnings of a run about its weights, in the log and in what it returns."""

import pytest

from lib.training.weight_warnings import warn_after_training, warn_before_training
from lib.utils.log import captured_messages
from tests.factories.training import make_spec, make_state


def warned(function, spec, state):
    with captured_messages() as messages:
        returned = function(spec, state)
    return messages, returned


@pytest.mark.parametrize(
    ("mode", "kind", "count"),
    [("ours1", "online", 2), ("ours1", "persistent", 1), ("baseline2", "online", 0)],
)
def test_before_training_settings_and_trusted_instances_are_doubted(config, mode, kind, count):
    spec = make_spec(config, mode, LBI__VARIABLES=kind)  # V has fewer than twenty people
    messages, _ = warned(warn_before_training, spec, make_state(spec))
    assert len(messages) == count and all("ignoring weights: " in message for message in messages)
    assert (kind == "online" and count > 0) == any("LBI.VARIABLES online" in message for message in messages)


def test_after_training_each_set_of_weights_is_doubted_by_its_place(config):
    spec = make_spec(config, "ours5")
    state = make_state(spec)
    messages, returned = warned(warn_after_training, spec, state)
    assert messages == returned
    assert [text.split(":")[0] for text in returned] == ["ignoring weights"] + 2 * ["weights B"] + 2 * [
        "weights A"
    ]
    for place in "BA":
        low, high = (text for text in returned if text.startswith(f"weights {place}"))
        assert "had no time" in low and "between 0.50 and 0.50" in high


def test_weights_that_do_not_learn_are_not_doubted(config):
    spec = make_spec(config, "baseline2")
    assert warned(warn_after_training, spec, make_state(spec)) == ([], [])
