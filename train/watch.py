"""Watching a training: progress bar, TensorBoard log, loss plot and sample sheets, kept in one folder beside it."""

from __future__ import annotations

import io
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from tqdm import tqdm

from sketch_edge.runtime.files import write_atomic
from sketch_edge.train.losses import Losses
from sketch_edge.train.models.base import SketchModel
from sketch_edge.train.pictures import Samples, draw_film, draw_progress
from sketch_edge.train.resume import State
from sketch_edge.train.sheet import draw_sheet, real_drawings

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from sketch_edge.train.checkpoint import About
    from sketch_edge.train.config import Config
    from sketch_edge.train.dataset import DataSet

LOG_EVERY = 20


class ProgressBar:
    """A bar with points per second, time left and the losses, on standard error.

    Args:
        total: steps of the whole training.
        done: steps that a resumed training has behind it.
        hidden: show nothing.
    """

    def __init__(self, total: int, done: int = 0, hidden: bool = False) -> None:
        self._bar = tqdm(total=total, initial=done, unit="step", disable=hidden, dynamic_ncols=True, mininterval=0.5)
        self._points = 0
        self._valid = ""

    def on_step(self, step: int, losses: Losses, points: int, rates: dict[str, float]) -> None:
        """Move the bar on."""
        self._points += points
        self._bar.update(1)
        elapsed = self._bar.format_dict["elapsed"] or 1e-9
        self._bar.set_postfix_str(
            f"L_R {losses.reconstruction:+.3f} KL {losses.kl:.3f}{self._valid} {self._points / elapsed:,.0f} points/s",
            refresh=False,
        )

    def on_valid(self, step: int, losses: Losses, best: bool) -> None:
        """Show the validation loss from now on."""
        self._valid = f" valid {losses.reconstruction:+.3f}{'*' if best else ''}"

    def on_figures(self, step: int, figures: dict[str, float]) -> None:
        """Leave a line for each validation, such as the pen accuracy of an epoch, and show it from now on."""
        told = ", ".join(f"{name.replace('_', ' ')} {figure:.3f}" for name, figure in figures.items())
        self._valid += f" {told}"
        if not self._bar.disable:
            self._bar.write(f"step {step}:{self._valid}", file=sys.stderr)

    def on_sheet(self, step: int, model: SketchModel) -> None:
        """Nothing to show."""

    def close(self) -> None:
        """End the line."""
        self._bar.close()


class LogFolder:
    """Keeps the pictures of a training in a folder, and its TensorBoard events.

    ================ ===============================================================================
    loss.png         losses of training and of validation over the steps
    sheet-STEP.png   drawings of every class beside those of people
    progress.png     how the first drawing of the newest sheet comes about, in 4 x 5 steps
    drawing.gif      the newest first drawing of up to nine classes, being drawn
    training.gif     the same drawings, from the first sheet to the newest
    samples.ndjson   those drawings, for whoever wants to do more with them
    ================ ===============================================================================

    TensorBoard has the losses, the rates, the norm of all gradients before they are clipped, those of each layer after,
    and the sheets.

    Args:
        folder: made when missing.
        config: of the training, for the sheet's size.
        about: of the model, for class names and scale.
        state: the trainer's, for the history that is plotted; events after its step are from a training that was
            cut off, and TensorBoard is told to forget them.
        model: the one in training, for the gradients of its layers.
        data: what it learns from, for the drawings by people.

    Raises:
        OSError: `folder` cannot be made or written to.
        ImportError: matplotlib or tensorboard is not installed.
    """

    def __init__(
        self,
        folder: Path,
        config: Config,
        about: About,
        state: State,
        model: SketchModel | None = None,
        data: DataSet | None = None,
    ) -> None:
        import matplotlib.figure  # noqa: F401 - missing, it is to be missed now and not at the first validation

        folder.mkdir(exist_ok=True)
        self.folder, self._config, self._about, self._state = folder, config, about, state
        self._model, self._real = model, [] if data is None else real_drawings(data)
        self._samples = Samples(folder, state.step)
        self._writer = _open_writer(folder, state.step + 1)

    def on_step(self, step: int, losses: Losses, points: int, rates: dict[str, float]) -> None:
        """Log losses, learning rate, KL weight and gradient norms, now and then."""
        if step % LOG_EVERY == 0:
            if self._model is not None:
                self._log("gradients", gradient_norms(self._model), step)
            self._log("train", _named(losses), step)
            self._log("rates", rates, step)

    def on_valid(self, step: int, losses: Losses, best: bool) -> None:
        """Log the validation losses and draw the loss plot anew."""
        self._log("valid", _named(losses), step)
        self._writer.flush()
        plot_losses(self._state.history, self.folder / "loss.png")

    def on_figures(self, step: int, figures: dict[str, float]) -> None:
        """Log what else was found."""
        self._log("valid", figures, step)

    def on_sheet(self, step: int, model: SketchModel) -> None:
        """Draw a sheet with the weights for export, and the other pictures from its drawings."""
        path = self.folder / f"sheet-{step:06d}.png"
        firsts = draw_sheet(model, self._about, path, self._config.train.sheet_classes, self._real)
        self._writer.add_image("sheet", _pixels(path), step, dataformats="HWC")
        self._samples.add(step, firsts)
        self._samples.film(self.folder / "training.gif")
        draw_film(firsts, self.folder / "drawing.gif")
        draw_progress(firsts[0], self.folder / "progress.png")

    def close(self) -> None:
        """Write what is buffered."""
        self._writer.close()

    def _log(self, group: str, values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(f"{group}/{name}", value, step)


def gradient_norms(model: nn.Module) -> dict[str, float]:
    """The norm of the gradients of each layer, as the optimiser had them in the last step."""
    layers: dict[str, list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            layers.setdefault(name.split(".")[0], []).append(parameter.grad)
    return {name: float(torch.nn.utils.get_total_norm(gradients)) for name, gradients in layers.items()}


def _pixels(path: Path) -> npt.NDArray[np.uint8]:
    """A picture as an array (height, width, 3)."""
    from PIL import Image

    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def _named(losses: Losses) -> dict[str, float]:
    return asdict(losses) | {"reconstruction": losses.reconstruction}


def plot_losses(history: list[dict[str, float]], path: Path) -> None:
    """Plot reconstruction loss and KL of training and validation over the steps, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    steps = [entry["step"] for entry in history]
    parts = {"reconstruction L_R = L_s + L_p": ("offset", "pen"), "KL (mean over Nz)": ("kl",)}
    for axes, (title, names) in zip(figure.subplots(1, 2), parts.items(), strict=True):
        for split in ("train", "valid"):
            values = [sum(entry[f"{split}_{name}"] for name in names) for entry in history]
            axes.plot(steps, values, marker=".", label=split)
        axes.set(title=title, xlabel="step")
        axes.grid(alpha=0.3)
        axes.legend()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    write_atomic(path, picture.getvalue())


def _open_writer(folder: Path, first_step: int) -> SummaryWriter:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorBoard's own deprecations
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(folder), purge_step=first_step)
