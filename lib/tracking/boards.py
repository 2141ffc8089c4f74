"""Where the metrics sink shows a run: tensorboard's event files, and Weights & Biases where that is asked for.

A board takes scalars, histograms, images and texts of a step, the settings of the run and, once, a layout.
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


class _Guarded:
    """tensorboardX's writer of a file, whose thread survives a full disk: the training would wait for it for ever."""

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


class TensorBoard:
    """Event files in ``folder``; a run that goes on after ``step`` steps takes back what came later."""

    def __init__(self, folder: Path, step: int):
        # Names of event files are of the second; an earlier one of the same run must not be overwritten.
        going_on = {"purge_step": step + 1, "filename_suffix": f".from_{step}"} if step else {}
        self._writer = SummaryWriter(str(folder), **going_on)
        events = self._writer.file_writer.event_writer
        self._guard = events._ev_writer = events._worker._record_writer = _Guarded(events._ev_writer)
        self._end = None

    @property
    def error(self) -> OSError | None:
        """Why nothing more can be written."""
        return self._guard.error

    def scalars(self, step: int, values: dict[str, float]) -> None:
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, step)

    def histogram(self, step: int, tag: str, values: np.ndarray) -> None:
        self._writer.add_histogram(tag, values, step)

    def image(self, step: int, tag: str, image: np.ndarray) -> None:
        self._writer.add_image(tag, image, step, dataformats="HWC")

    def text(self, tag: str, text: str) -> None:
        self._writer.add_text(tag, text)

    def layout(self, layout: Layout) -> None:
        """Tags are matched as the beginnings of regular expressions there, so each is closed."""
        charts = {
            heading: {chart: ["Multiline", [f"{tag}$" for tag in tags]] for chart, tags in charts.items()}
            for heading, charts in layout.items()
        }
        self._writer.add_custom_scalars(charts)

    def settings(self, settings: Settings, compared: Sequence[str], metrics: Sequence[str]) -> None:
        """A row of the table of runs: the ``compared`` settings, and the last values of the tags ``metrics``.

        It belongs to this very run; tensorboardX's add_hparams would make another one, in a folder below.
        """
        # Columns stand in the order of their names, and only the first five are shown unasked. Whole
        # numbers are texts, for 1 would be shown as 1.0000.
        columns = {f"{i:02d} {name}": _told(settings[name]) for i, name in enumerate(compared, 1)}
        table, begin, self._end = hparams(columns, dict.fromkeys(metrics, 0.0))
        for part in (table, begin):
            self._writer.file_writer.add_summary(part)

    def close(self, failed: bool) -> None:
        if self._end is not None:
            if failed:
                content = HParamsPluginData(
                    session_end_info=SessionEndInfo(status=Status.Value("STATUS_FAILURE"))
                )
                self._end.value[0].metadata.plugin_data.content = content.SerializeToString()
            self._writer.file_writer.add_summary(self._end)
        self._writer.close()


def _told(value: str | float | bool) -> str | float | bool:
    return str(value) if type(value) is int else value


def import_wandb() -> ModuleType:
    """Raises InputError where it is not installed."""
    try:
        import wandb
    except ImportError as error:
        raise InputError(f"WANDB (--wandb) needs wandb: pip install wandb ({one_line(error)})") from None
    return wandb


class WandB:
    """A run of ``project`` at Weights & Biases, called ``name``; its files are in ``folder``.

    What goes on from there is the same run, as long as its id is in the folder. Where it goes on from an
    earlier step than it had come to, the repeated steps keep their first values: W&B takes none back.
    """

    def __init__(self, project: str, name: str, folder: Path, step: int):
        self._wandb = import_wandb()
        file = folder / "wandb_id.txt"
        if not (step and file.exists()):
            write_text(file, f"{uuid.uuid4().hex[:12]}\n")
        number = file.read_text(encoding="utf-8").strip()
        try:
            self._run = self._wandb.init(
                project=project, name=name, id=number, dir=str(folder), resume="allow"
            )
        except Exception as error:  # not logged in, no network: each version has errors of its own
            raise InputError(
                f"WANDB (--wandb) {project}: wandb cannot begin a run ({one_line(error)[:200]}); "
                "log in with wandb login, or set WANDB_MODE=offline"
            ) from error
        self.error = None

    def scalars(self, step: int, values: dict[str, float]) -> None:
        self._run.log(values, step=step)

    def histogram(self, step: int, tag: str, values: np.ndarray) -> None:
        self._run.log({tag: self._wandb.Histogram(values)}, step=step)

    def image(self, step: int, tag: str, image: np.ndarray) -> None:
        self._run.log({tag: self._wandb.Image(image)}, step=step)

    def text(self, tag: str, text: str) -> None:
        """W&B keeps the command, and shows the settings, by itself."""

    def layout(self, layout: Layout) -> None:
        """W&B has a chart for every tag, and pages that its users arrange."""

    def settings(self, settings: Settings, compared: Sequence[str], metrics: Sequence[str]) -> None:
        self._run.config.update(settings, allow_val_change=True)

    def close(self, failed: bool) -> None:
        self._run.finish(exit_code=int(failed))
