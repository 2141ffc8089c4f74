"""What a run logs to TensorBoard before it trains: its description, the layout of charts, hyperparameters."""

import shlex
import sys
import textwrap

from lib.config.loader import dump_config, flat_config
from lib.config.schema import Config, settings
from lib.ignoring.modes import Mode
from lib.tracking.metrics import MetricsWriter
from lib.training.run_spec import RunSpec
from lib.training.state import State

# Hyperparameters in TensorBoard's HParams table; must be the same for every run.
COMPARED = (
    "mode",
    "SEED",
    "LBI.INJECT_NOISE",
    "LBI.GAMMA",
    "LBI.LAM",
    "TRAIN.LR",
    "TRAIN.BATCH_SIZE",
    "TRAIN.END_EPOCH",
    "LBI.VARIABLES",
    "LBI.SCHEDULE",
    "LBI.SOURCE_MODEL_ON",
)


def log_run_info(writer: MetricsWriter, spec: RunSpec, state: State, messages: list[str]) -> None:
    """Log the run description, chart layout and hyperparameters before training starts.

    Args:
        messages: of the log so far; they become part of the description.
    """
    measure, headline = spec.data.validation.measure, spec.data.validation.headline
    command = [*["python"] * sys.argv[0].endswith(".py"), *sys.argv]
    writer.text("about", about(spec.config, spec.mode, command, messages))
    writer.layout(charts(state, measure, headline))
    writer.settings(all_settings(spec.config, state), COMPARED, compared_metrics(measure, headline))


def compared_metrics(measure: str, headline: str) -> tuple[str, ...]:
    """Tags of the metrics in the HParams table; the same for every mode, too."""
    return (
        f"test/{measure}_{headline}",
        f"test_source_model/{measure}_{headline}",
        f"val/{measure}_{headline}",
        "weights_B_table/auroc",
        "weights_A_table/auroc",
        "train/seconds_per_step",
    )


def charts(state: State, measure: str, headline: str) -> dict[str, dict[str, list[str]]]:
    """{heading: {chart: tags}}. A chart that two modes share must be equal in both, or it would appear twice."""
    both = state.source is not None
    models = ("val", "val_source_model")
    layout = {
        "scores": {
            f"{headline} {measure} on validation": [f"{model}/{measure}_{headline}" for model in models],
            "loss on validation": [f"{model}/loss" for model in models],
        },
        "losses of the batches": {
            "target and source, per heatmap pixel": ["loss/target", "loss/source", "loss/source_model"]
        },
        "ignoring weights": {},
        "speed": {
            "seconds per step": ["train/seconds_per_step"],
            "waiting for data, percent of the time": ["train/waited_for_data"],
            "learning rates": ["train/learning_rate_target", "train/learning_rate_source"],
        },
    }
    if both:
        layout["losses of the batches"]["lambda times the squared distance of the models"] = [
            "loss/proximity"
        ]
    if state.variables:
        by_place = {
            "mean over all labels": "weights_{}_table/mean",
            "AUROC of finding wrong labels": "weights_{}_table/auroc",
            "rank correlation with an epoch before": "weights_{}_table/rank_correlation",
            "share of zeros in the batch": "weights_{}/zero_share",
            "length of the hypergradient": "hypergradient/{}_norm",
        }
        layout["ignoring weights"] = {
            chart: [tag.format(place) for place in "AB"] for chart, tag in by_place.items()
        }
    for place in sorted(state.variables):
        by_joint = f"mean of each joint ({place})"
        layout["ignoring weights"][by_joint] = [f"weights_{place}_table/mean_.*"]
    return layout


def all_settings(config: Config, state: State) -> dict[str, str | float | bool]:
    """{dotted key: value}; lists and mappings as text."""
    plain: dict[str, str | float | bool] = {"mode": state.mode}
    for key, value in flat_config(config).items():
        plain[key] = value if isinstance(value, str | float | int) else str(value)
    return plain


def about(config: Config, mode: Mode, command: list[str], messages: list[str]) -> str:
    """Markdown: what the run is, how it was started, and which settings differ from the defaults."""
    changed = [
        f"| {key} | `{value}` | `{setting.default}` |"
        for key, value in flat_config(config).items()
        if value != (setting := settings()[key]).default
    ]
    return "\n".join(
        [
            f"## {mode.name}: {mode.meaning}",
            "",
            *(f"    {line}" for line in _lines_of(command)),
            "",
            *(f"- {message}" for message in messages),
            "",
            "### Settings that differ from the defaults",
            "",
            "| setting | value | default |",
            "|---|---|---|",
            *changed,
            "",
            "### All settings",
            "",
            *(f"    {line}" for line in dump_config(config).splitlines()),
        ]
    )


def _lines_of(command: list[str]) -> list[str]:
    """The command quoted for a shell, wrapped to the width of a page."""
    text = shlex.join(command).replace("\n", " ")
    lines = textwrap.wrap(text, 110, break_long_words=False, break_on_hyphens=False, subsequent_indent="    ")
    return [f"{line} \\" for line in lines[:-1]] + lines[-1:]
