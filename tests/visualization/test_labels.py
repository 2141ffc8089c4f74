import numpy as np

from lib.config.loader import load_config
from lib.label_noise.source import read_source
from lib.visualization.labels import CELL, IGNORED, TRUSTED, draw_weights


def discs(drawing, colour):
    return int((drawing == colour).all(axis=-1).sum())


def test_weights_are_colours_and_wrong_labels_crossed(config):
    people, truth = read_source(load_config(config)[0])
    person = int((people.visible > 0).sum(axis=1).argmax())
    joints = people.visible.shape[1]
    none = np.zeros(joints, bool)
    trusted = draw_weights(people, person, np.ones(joints), none)
    ignored = draw_weights(people, person, np.zeros(joints), none)
    between = draw_weights(people, person, np.full(joints, 0.5), none)
    crossed = draw_weights(people, person, np.ones(joints), ~none)
    assert trusted.shape == (CELL, CELL, 3) and trusted.dtype == np.uint8
    assert discs(trusted, TRUSTED) > 400 and discs(trusted, IGNORED) == 0
    assert discs(ignored, IGNORED) > 400 and discs(ignored, TRUSTED) == 0
    assert discs(between, (255, 255, 255)) > 400
    assert 0 < discs(crossed, TRUSTED) < discs(trusted, TRUSTED)


def test_a_image_that_cannot_be_read_has_no_drawing(config, monkeypatch):
    people, _ = read_source(load_config(config)[0])
    monkeypatch.setattr("lib.visualization.labels.read_image", lambda path: None)
    assert draw_weights(people, 0, np.ones(13), np.zeros(13, bool)) is None
