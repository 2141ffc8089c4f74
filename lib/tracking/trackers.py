"""Experiment trackers: TensorBoard's event files and, optionally, Weights & Biases.

Both trackers have the same methods, which `lib.tracking.metrics.MetricsWriter` calls.
"""

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
from tensorboardX import SummaryWriter
from tensorboardX.proto.api_pb2 import Status
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData, SessionEndInfo
from tensorboardX.summary import hparams

from lib.utils.errors import InputError, one_line
from lib.utils.files import write_text

Settings = dict[str, str | float | bool]
Layout = dict[str, dict[str, list[str]]]  # {heading: {chart: tags}}


class _GuardedWriter:
    """Wraps tensorboardX's record writer and keeps the first OSError instead of raising it.

    tensorboardX writes in a thread of its own. A full disk would end that thread, and training would then wait
    forever for room in the thread's queue.

    writer: tensorboardX's EventsWriter.
    error: the first error; nothing is written after it.
    """

    def __init__(self, writer):
        self.writer = writer
        self.error: OSError | None = None

    def write_event(self, event) -> None:
        self._try(lambda: self.writer.write_event(event))

    def flush(self) -> None:
        self._try(self.writer.flush)

    def close(self) -> None:
        self._try(self.writer.close)

    def _try(self, call: Callable[[], object]) -> None:
        if self.error is None:
            try:
                call()
            except OSError as error:
                self.error = error


def _guard(writer: SummaryWriter) -> _GuardedWriter | None:
    """Guard ``writer`` against a full disk; None if this version of tensorboardX has other private attributes."""
    events = getattr(writer.file_writer, "event_writer", None)
    worker = getattr(events, "_worker", None)
    records = getattr(events, "_ev_writer", None)
    if records is None or getattr(worker, "_record_writer", None) is not records:
        return None
    guard = events._ev_writer = worker._record_writer = _GuardedWriter(records)
    return guard


class TensorBoard:
    """Writes TensorBoard event files.

    Args:
        folder: folder of the event files.
        step: training steps done so far; when a run is resumed, TensorBoard drops events of later steps.
    """

    def __init__(self, folder: Path, step: int):
        # Event files are named after the second they were opened in; the suffix keeps a resumed run from
        # overwriting the file that it wrote before.
        resumed = {"purge_step": step + 1, "filename_suffix": f".from_{step}"} if step else {}
        self._writer = SummaryWriter(str(folder), **resumed)
        self._guard = _guard(self._writer)
        self._end = None  # summary that ends the session of the hyperparameter table

    @property
    def error(self) -> OSError | None:
        """The error after which nothing was written any more."""
        return self._guard.error if self._guard else None

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Write {tag: finite value}."""
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, step)

    def histogram(self, step: int, tag: str, values: np.ndarray) -> None:
        """Write the distribution of finite ``values`` (any shape, not empty)."""
        self._writer.add_histogram(tag, values, step)

    def image(self, step: int, tag: str, image: np.ndarray) -> None:
        """Write an RGB image, [H, W, 3] uint8."""
        self._writer.add_image(tag, image, step, dataformats="HWC")

    def text(self, tag: str, text: str) -> None:
        """Write Markdown."""
        self._writer.add_text(tag, text)

    def layout(self, layout: Layout) -> None:
        """Define charts with several curves, {heading: {chart: tags}}. Call it at most once."""
        # TensorBoard matches each tag as a regular expression at the beginning of the names.
        charts = {
            heading: {chart: ["Multiline", [f"{tag}$" for tag in tags]] for chart, tags in charts.items()}
            for heading, charts in layout.items()
        }
        self._writer.add_custom_scalars(charts)

    def settings(self, settings: Settings, compared: Sequence[str], metrics: Sequence[str]) -> None:
        """Add this run to TensorBoard's hyperparameter table.

        Args:
            settings: {name: value}.
            compared: names of the settings in the table, most important first.
            metrics: tags whose last values are in the table.
        """
        # TensorBoard sorts the columns by name and shows the first five; hence the numbers. SummaryWriter's
        # add_hparams would write to a folder of its own, as a run of its own.
        columns = {f"{i:02d} {name}": _as_column(settings[name]) for i, name in enumerate(compared, 1)}
        table, begin, self._end = hparams(columns, dict.fromkeys(metrics, 0.0))
        for part in (table, begin):
            self._writer.file_writer.add_summary(part)

    def close(self, failed: bool) -> None:
        """Write what is left and close the files; ``failed`` marks the run in the hyperparameter table."""
        if self._end is not None:
            if failed:
                content = HParamsPluginData(
                    session_end_info=SessionEndInfo(status=Status.Value("STATUS_FAILURE"))
                )
                self._end.value[0].metadata.plugin_data.content = content.SerializeToString()
            self._writer.file_writer.add_summary(self._end)
        self._writer.close()


def _as_column(value: str | float | bool) -> str | float | bool:
    """Whole numbers become strings, because TensorBoard would show 1 as 1.0000."""
    return str(value) if type(value) is int else value


def import_wandb() -> ModuleType:
    """Import the optional package wandb. Raises InputError if it is not installed."""
    try:
        import wandb
    except ImportError as error:
        raise InputError(f"WANDB (--wandb) needs wandb: pip install wandb ({one_line(error)})") from None
    return wandb


class WandB:
    """Writes to a run at Weights & Biases.

    A resumed training continues the run whose id is in ``folder``. If it repeats steps, W&B keeps the values
    that were written first.

    Args:
        project: project at W&B.
        name: name of the run.
        folder: folder for the run's id and W&B's own files.
        step: training steps done so far; 0 starts a new run.

    Raises:
        InputError: wandb is not installed or cannot start the run.
    """

    def __init__(self, project: str, name: str, folder: Path, step: int):
        self._wandb = import_wandb()
        file = folder / "wandb_id.txt"
        if not (step and file.exists()):
            write_text(file, f"{uuid.uuid4().hex[:12]}\n")
        run_id = file.read_text(encoding="utf-8").strip()
        try:
            self._run = self._wandb.init(
                project=project, name=name, id=run_id, dir=str(folder), resume="allow"
            )
        except Exception as error:  # not logged in, no network: the types differ between versions
            raise InputError(
                f"WANDB (--wandb) {project}: wandb cannot start a run ({one_line(error)[:200]}); "
                "log in with wandb login, or set WANDB_MODE=offline"
            ) from error
        self.error: OSError | None = None  # as `TensorBoard.error`; wandb raises its errors itself

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Write {tag: finite value}."""
        self._run.log(values, step=step)

    def histogram(self, step: int, tag: str, values: np.ndarray) -> None:
        """Write the distribution of finite ``values`` (any shape, not empty)."""
        self._run.log({tag: self._wandb.Histogram(values)}, step=step)

    def image(self, step: int, tag: str, image: np.ndarray) -> None:
        """Write an RGB image, [H, W, 3] uint8."""
        self._run.log({tag: self._wandb.Image(image)}, step=step)

    def text(self, tag: str, text: str) -> None:
        """Do nothing: W&B records the command itself, and shows the settings."""

    def layout(self, layout: Layout) -> None:
        """Do nothing: W&B has one chart per tag, which users arrange."""

    def settings(self, settings: Settings, compared: Sequence[str], metrics: Sequence[str]) -> None:
        """Write all ``settings`` to the run's configuration."""
        self._run.config.update(settings, allow_val_change=True)

    def close(self, failed: bool) -> None:
        """End the run; ``failed`` marks it as failed."""
        self._run.finish(exit_code=int(failed))
