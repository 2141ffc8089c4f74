import json
from types import SimpleNamespace

import numpy as np
import pytest
from tensorboardX.proto import event_pb2

from lib.tracking.metrics import MetricsWriter
from tests.harness.event_files import records


def events(path):
    """{tag: [(step, value), ...]} of an event file; the value is 0 for what is no scalar."""
    values_by_tag = {}
    for event in records(path):
        for value in event.summary.value:
            values_by_tag.setdefault(value.tag, []).append((event.step, value.simple_value))
    return values_by_tag


def session_starts(path):
    return [e.step for e in records(path) if e.session_log.status == event_pb2.SessionLog.START]


def test_scalars_reach_the_file_and_tensorboard(tmp_path):
    with MetricsWriter(tmp_path / "out", tmp_path / "log") as writer:
        writer.scalars(3, {"loss/a": 0.5, "bad": float("nan")})
        writer.scalars(4, {"loss/a": np.float32(0.25)})
        writer.image(4, "image", np.zeros((4, 4, 3), np.uint8))
        writer.histogram(4, "weights", np.array([0.1, 0.9]))
        writer.histogram(4, "nothing", np.array([]))
    lines = [json.loads(line) for line in (tmp_path / "out/metrics.jsonl").read_text().splitlines()]
    assert lines == [{"step": 3, "loss/a": 0.5, "bad": None}, {"step": 4, "loss/a": 0.25}]
    (file,) = (tmp_path / "log").glob("events*")
    tags = events(file)
    assert tags["loss/a"] == [(3, 0.5), (4, 0.25)]
    assert {"image", "weights"} <= tags.keys() and not {"bad", "nothing"} & tags.keys()


def test_a_histogram_of_weights_is_in_the_file_too(tmp_path):
    with MetricsWriter(tmp_path / "out", tmp_path / "log") as writer:
        writer.histogram(7, "batch", np.array([0.5]))
        writer.weights_histogram(7, "table", np.array([0.0, 0.049, 0.05, 0.5, 0.99, 1.0]))
    (line,) = (tmp_path / "out/metrics.jsonl").read_text().splitlines()
    counts = [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    assert json.loads(line) == {"step": 7, "histogram": {"tag": "table", "counts": counts}}
    (file,) = (tmp_path / "log").glob("events*")
    assert {"batch", "table"} <= events(file).keys()


def test_going_on_takes_back_what_came_after(tmp_path):
    with MetricsWriter(tmp_path / "out", tmp_path / "log") as writer:
        writer.scalars(1, {"loss/a": 1})
        written = writer.written()
        writer.scalars(2, {"loss/a": 2})
    with MetricsWriter(tmp_path / "out", tmp_path / "log", written, 1) as writer:
        writer.scalars(2, {"loss/a": 3})
    lines = [json.loads(line) for line in (tmp_path / "out/metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line["loss/a"]) for line in lines] == [(1, 1), (2, 3)]
    first, second = sorted((tmp_path / "log").glob("events*"), key=lambda path: "from" in path.name)
    assert events(first)["loss/a"] == [(1, 1.0), (2, 2.0)]
    assert events(second)["loss/a"] == [(2, 3.0)]
    # Tensorboard forgets the first file's events from this step on.
    assert session_starts(second) == [2]


def test_ranks_that_do_not_write_leave_no_file(tmp_path):
    with MetricsWriter(tmp_path / "out", tmp_path / "log", writes=False, wandb="project") as writer:
        writer.scalars(1, {"loss/a": 1.0})
        writer.image(1, "image", np.zeros((4, 4, 3), np.uint8))
        writer.weights_histogram(1, "table", np.array([0.5]))
        assert writer.trackers == []
    assert list(tmp_path.iterdir()) == []


def test_the_trackers_get_what_the_writer_gets(tmp_path):
    class Tracker:
        error = None

        def __init__(self):
            self.calls = []

        def __getattr__(self, name):
            return lambda *args: self.calls.append((name, *args))

    writer = MetricsWriter(tmp_path / "out", tmp_path / "log")
    writer.close()
    writer.trackers = [Tracker(), Tracker()]
    writer.text("command", "`main.py`")
    writer.layout({"losses": {"all": ["loss/a"]}})
    writer.settings({"SEED": 1}, ("SEED",), ("loss/a",))
    writer.histogram(3, "weights", values := np.array([0.5]))
    writer.histogram(3, "weights", np.array([0.5, np.inf]))
    writer.close(failed=True)
    expected = [
        ("text", "command", "`main.py`"),
        ("layout", {"losses": {"all": ["loss/a"]}}),
        ("settings", {"SEED": 1}, ("SEED",), ("loss/a",)),
        ("histogram", 3, "weights", values),
        ("close", True),
    ]
    assert [tracker.calls for tracker in writer.trackers] == [expected, expected]


def test_an_error_of_a_tracker_is_raised_at_the_next_write(tmp_path):
    writer = MetricsWriter(tmp_path / "out", tmp_path / "log")
    writer.scalars(1, {"loss/a": 1.0})
    written = writer.written()
    writer.trackers[0].close(False)
    writer.trackers = [
        SimpleNamespace(error=OSError(28, "No space left on device"), close=lambda failed: None)
    ]
    with pytest.raises(OSError, match="No space left"):
        writer.scalars(2, {"loss/a": 1.0})
    assert writer.written() == written
    with pytest.raises(OSError, match="No space left"):
        writer.close()


def test_an_error_of_the_last_write_is_raised_at_the_end_of_a_run_that_has_not_failed(tmp_path):
    full = SimpleNamespace(error=None)
    full.close = lambda failed: setattr(full, "error", OSError(28, "No space left on device"))
    for outcome in ("succeeded", "failed"):
        full.error = None
        with pytest.raises(OSError if outcome == "succeeded" else KeyError):  # noqa: SIM117
            with MetricsWriter(tmp_path / outcome, tmp_path / f"log_{outcome}") as writer:
                writer.trackers[0].close(False)
                writer.trackers = [full]
                if outcome == "failed":
                    raise KeyError
