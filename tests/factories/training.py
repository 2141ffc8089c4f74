"""Parts of a training run on the built-in people, each made in one place for the tests of lib/training."""

from lib.config.loader import load_config
from lib.config.run_paths import RunPaths
from lib.ignoring.modes import MODES
from lib.training.batches import TrainingBatches, as_step_batches
from lib.training.data import build_data
from lib.training.metric_logger import FinishedStep, MetricLogger
from lib.training.progress import Progress
from lib.training.run_spec import RunSpec
from lib.training.state import initial_state
from lib.training.step import run_phase_step, weighting_of_step


def make_spec(config_path, mode="ours1", **settings):
    """The RunSpec of main.py; ``settings`` as LBI__LAM=0.1. It writes beside ``config_path``."""
    values = {"DEVICE": "cpu"} | {key.replace("__", "."): value for key, value in settings.items()}
    config = load_config(config_path, values)
    data = build_data(config, MODES[mode].uses_source)
    return RunSpec(
        config, MODES[mode], data, RunPaths(config_path.parent / "run", config_path.parent / "board")
    )


def make_state(spec, fixed=None):
    return initial_state(spec, fixed)


def make_logger(spec, state, writer):
    progress = Progress(spec, state)
    return MetricLogger(spec, state, writer, progress, progress.bar())


def finished_step(spec, state, seconds=2.0):
    """Take a step of the first phase, as one that took ``seconds``."""
    phase = spec.phases[0]
    with TrainingBatches(spec, phase, state) as reader:
        weighting = weighting_of_step(spec.config.lbi, state, 0, state.step)
        samples = reader.next(state.step, weighting)
    batches = as_step_batches(samples, spec.config.loss.use_target_weight)
    output = run_phase_step(spec.config.lbi, phase, state, batches, weighting)
    state.step += 1
    state.seconds += seconds
    return FinishedStep(phase, 0, samples, output)


class RecordedMetrics:
    """A MetricsWriter that keeps what it is given."""

    def __init__(self):
        self.scalar_values, self.histograms, self.images, self.texts = {}, {}, {}, {}
        self.charts = self.hyperparameters = None

    def scalars(self, step, values):
        self.scalar_values |= {tag: (step, float(value)) for tag, value in values.items()}

    def histogram(self, step, tag, values):
        self.histograms[tag] = values

    weights_histogram = histogram

    def image(self, step, tag, image):
        self.images[tag] = image

    def text(self, tag, text):
        self.texts[tag] = text

    def layout(self, layout):
        self.charts = layout

    def settings(self, settings, compared, metrics):
        self.hyperparameters = settings, compared, metrics

    def value(self, tag):
        return self.scalar_values[tag][1]
