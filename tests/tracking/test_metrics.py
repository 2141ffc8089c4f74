import json
import time

import numpy as np
import pytest
from tensorboardX.proto import event_pb2

from lib.tracking.metrics import MetricsWriter
from lib.utils.log import format_duration
from tests.harness.event_files import records


def events(path):
    """Tags of the scalars in an event file."""
    found = {}
    for event in records(path):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def session_starts(path):
    return [e.step for e in records(path) if e.session_log.status == event_pb2.SessionLog.START]


def test_scalars_reach_the_file_and_tensorboard(tmp_path):
    with MetricsWriter(tmp_path / "out", tmp_path / "log") as sink:
        sink.scalars(3, {"loss/a": 0.5, "bad": float("nan")})
        sink.scalars(4, {"loss/a": np.float32(0.25)})
        sink.image(4, "image", np.zeros((4, 4, 3), np.uint8))
        sink.histogram(4, "weights", np.array([0.1, 0.9]))
        sink.histogram(4, "nothing", np.array([]))
    lines = [json.loads(line) for line in (tmp_path / "out/metrics.jsonl").read_text().splitlines()]
    assert lines == [{"step": 3, "loss/a": 0.5, "bad": None}, {"step": 4, "loss/a": 0.25}]
    (file,) = (tmp_path / "log").glob("events*")
    found = events(file)
    assert found["loss/a"] == [(3, 0.5), (4, 0.25)]
    assert {"image", "weights"} <= found.keys() and not {"bad", "nothing"} & found.keys()


def test_a_histogram_of_weights_is_in_the_file_too(tmp_path):
    with MetricsWriter(tmp_path / "out", tmp_path / "log") as sink:
        sink.histogram(7, "batch", np.array([0.5]))
        sink.weights_histogram(7, "table", np.array([0.0, 0.049, 0.05, 0.5, 0.99, 1.0]))
    (line,) = (tmp_path / "out/metrics.jsonl").read_text().splitlines()
    counts = [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    assert json.loads(line) == {"step": 7, "histogram": {"tag": "table", "counts": counts}}
    (file,) = (tmp_path / "log").glob("events*")
    assert {"batch", "table"} <= events(file).keys()


def test_durations_in_words():
    assert [format_duration(s) for s in (1.26, 125, 3 * 3600 + 61, 50 * 3600)] == [
        "1.3 s",
        "2 min 05 s",
        "3 h 01 min",
        "2 d 02 h",
    ]


def test_what_tensorboard_cannot_write_is_an_error_and_no_endless_wait(tmp_path):
    with MetricsWriter(tmp_path / "out", tmp_path / "log") as sink:
        written = sink._boards[0]._guard.writer

        def full(*_):
            raise OSError(28, "No space left on device")

        written.write_event = written.flush = full
        with pytest.raises(OSError, match="No space left"):
            for step in range(100):
                sink.image(step, "image", np.zeros((4, 4, 3), np.uint8))
                sink.scalars(step, {"loss/a": 0.5})
                time.sleep(0.001)


def test_going_on_takes_back_what_came_after(tmp_path):
    with MetricsWriter(tmp_path / "out", tmp_path / "log") as sink:
        sink.scalars(1, {"loss/a": 1})
        written = sink.written()
        sink.scalars(2, {"loss/a": 2})
    with MetricsWriter(tmp_path / "out", tmp_path / "log", written, 1) as sink:
        sink.scalars(2, {"loss/a": 3})
    lines = [json.loads(line) for line in (tmp_path / "out/metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line["loss/a"]) for line in lines] == [(1, 1), (2, 3)]
    first, second = sorted((tmp_path / "log").glob("events*"), key=lambda path: "from" in path.name)
    assert events(first)["loss/a"] == [(1, 1.0), (2, 2.0)]
    assert events(second)["loss/a"] == [(2, 3.0)]
    # Tensorboard forgets the first file's events from this step on.
    assert session_starts(second) == [2]
