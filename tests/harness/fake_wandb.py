"""Stands for the package wandb: remembers what it was told."""

import sys
from types import ModuleType


class Run:
    def __init__(self, **how):
        self.how = how
        self.config = {}
        self.logged = []
        self.exit_code = None

    @property
    def values(self):
        """{tag: [(step, value)]}"""
        found = {}
        for step, values in self.logged:
            for tag, value in values.items():
                found.setdefault(tag, []).append((step, value))
        return found

    def log(self, values, step):
        assert self.exit_code is None
        # As the real one does, which drops what is of an earlier step.
        assert not self.logged or step >= self.logged[-1][0]
        self.logged.append((step, dict(values)))

    def finish(self, exit_code):
        self.exit_code = exit_code


class Config(dict):
    def update(self, values, allow_val_change):
        assert allow_val_change
        super().update(values)


def install(monkeypatch):
    """The runs that are begun from now on."""
    runs = []

    def init(**how):
        runs.append(Run(**how))
        runs[-1].config = Config()
        return runs[-1]

    module = ModuleType("wandb")
    module.init, module.Histogram, module.Image = init, list, lambda image: ("image", image.shape)
    monkeypatch.setitem(sys.modules, "wandb", module)
    return runs
