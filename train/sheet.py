"""Sample sheets while training: the run-time's own sampler on the torch cell, so a sheet shows what a bundle draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from sketch_edge.runtime.files import write_atomic
from sketch_edge.runtime.layout import sheet
from sketch_edge.runtime.manifest import TEMPERATURE, Credit, Defaults, Manifest, Origin, Parity
from sketch_edge.runtime.sampler import Job, draw_rows
from sketch_edge.runtime.scene import Caption, Pen, Scene
from sketch_edge.runtime.session import State
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.strokes import STROKE
from sketch_edge.runtime.writers.png import render
from sketch_edge.train.checkpoint import About
from sketch_edge.train.dataset import TRAIN, VALID, DataSet
from sketch_edge.train.models.base import SketchModel

Floats = npt.NDArray[np.float32]

DRAWINGS = 8
"""Sketches of each class on a sheet."""

REAL = 3
"""Drawings by people before them."""

CELL_MM = 22.0
SHEET_SEED = 1
"""The same on every sheet, so that sheets of one training show the same noise becoming better drawings."""


class TorchDecoder:
    """A trained decoder behind `runtime.session.Decoder`: start, then step by step."""

    def __init__(self, model: SketchModel) -> None:
        start, step = model.cut()
        self._start, self._step = start.cpu(), step.cpu()
        self._outputs = model.sizes(1).outputs

    def start(self, z: Floats, class_ids: Sequence[int]) -> State:
        """Give the first state for z (B, Z) and B class ids."""
        with torch.no_grad():
            return State(*(part.numpy() for part in self._start(torch.from_numpy(z), torch.tensor(list(class_ids)))))

    def steps(self, state: State) -> TorchSteps:
        """Begin stepping from a state."""
        return TorchSteps(self._step, state, self._outputs)


class TorchSteps:
    """A batch of sketches on the torch cell: write `x`, call `run`, read `y`."""

    where = "the model in training"

    def __init__(self, step: nn.Module, state: State, outputs: int) -> None:
        self._step, self._gate = step, np.array(state.gate)
        self._h, self._c = np.array(state.h), np.array(state.c)
        self.x: Floats = np.zeros((len(state.h), STROKE), np.float32)
        self.y: Floats = np.zeros((len(state.h), outputs), np.float32)

    def run(self) -> None:
        """Take `x` and the state one step on."""
        inputs = (torch.from_numpy(part) for part in (self.x, self._gate, self._h, self._c))
        with torch.no_grad():
            y, h, c = self._step(*inputs)
        self.y[:] = y.numpy()
        self._h, self._c = h.numpy(), c.numpy()

    @property
    def state(self) -> State:
        """The state that the next `run` starts from."""
        return State(self._gate, self._h, self._c)


def sample(
    model: SketchModel,
    about: About,
    class_ids: Sequence[int],
    temperature: float = TEMPERATURE,
    max_points: int | None = None,
) -> list[Sketch]:
    """Draw one sketch for each class id from z ~ N(0, I), as a bundle of this model would."""
    manifest = drawing_manifest(model, about)
    jobs = [Job(class_id, SHEET_SEED, index) for index, class_id in enumerate(class_ids)]
    drawn = draw_rows(TorchDecoder(model), manifest, jobs, temperature, max_points or manifest.sizes.max_points)
    sketches = []
    for job, rows in zip(jobs, drawn, strict=True):
        stroke3 = rows.rows.astype(np.float64)
        stroke3[:, :2] /= manifest.grid
        sketches.append(
            Sketch.from_stroke3(
                stroke3, about.classes[job.class_id], seed=job.seed, index=job.index, temperature=temperature
            )
        )
    return sketches


def draw_sheet(
    model: SketchModel, about: About, path: Path, classes: int, real: Sequence[Sequence[Sketch]] = ()
) -> list[Sketch]:
    """Draw DRAWINGS sketches of up to `classes` classes, evenly chosen, as a PNG; each row is a class.

    Args:
        model: with the weights to look at.
        about: of the model.
        path: of the picture.
        classes: rows, at most.
        real: drawings by people for each class of the model; up to REAL of them stand before the model's.

    Returns:
        The first of the model's sketches of each row.
    """
    chosen = np.unique(np.linspace(0, len(about.classes) - 1, min(classes, len(about.classes))).round().astype(int))
    sketches = sample(model, about, [int(i) for i in chosen for _ in range(DRAWINGS)])
    drawn = [sketches[start : start + DRAWINGS] for start in range(0, len(sketches), DRAWINGS)]
    before = [list(real[i])[:REAL] if real else [] for i in chosen]
    most = max(map(len, before))
    blank = Sketch(())
    rows = [[*each, *[blank] * (most - len(each)), *own] for each, own in zip(before, drawn, strict=True)]
    columns = 1 if len(rows) <= 12 else 2 if len(rows) <= 30 else 3
    scene = sheet(rows, [about.classes[i] for i in chosen], cell_mm=CELL_MM, columns=columns)
    if most:
        scene = _told_apart(scene, len(rows[0]), most)
    write_atomic(path, render(scene, width_px=600 + 400 * columns))
    return [own[0] for own in drawn]


def _told_apart(scene: Scene, across: int, real: int) -> Scene:
    """Give the first `real` sketches of each row of `across` a pen of their own, and say whose they are."""
    pen = scene.pens[0]
    objects = [replace(each, pen=int(number % across < real)) for number, each in enumerate(scene.objects)]
    height = CELL_MM * 0.25
    page = replace(scene.page, height_mm=scene.page.height_mm + height)
    words = "blue: drawn by people; black: drawn by the model"
    caption = Caption(words, page.width_mm / 2, page.height_mm - height * 0.6, CELL_MM * 0.13)
    pens = (pen, Pen("people", "blue", pen.width_mm))
    return replace(scene, page=page, pens=pens, objects=tuple(objects), captions=(*scene.captions, caption))


def real_drawings(data: DataSet) -> list[list[Sketch]]:
    """Up to REAL drawings by people of each class of a data set: of the validation split first, which is not learnt."""
    indices = np.concatenate([data.indices(VALID), data.indices(TRAIN)])
    indices = indices[~data.synthetic[indices]]
    classes = data.class_ids[indices]
    return [
        [Sketch.from_stroke3(data.drawing(int(i)), name) for i in indices[classes == number][:REAL]]
        for number, name in enumerate(data.class_names)
    ]


def drawing_manifest(model: SketchModel, about: About) -> Manifest:
    """What the sampler needs to know of a model that has no bundle yet."""
    return Manifest(
        name="training",
        classes=about.classes,
        scale=about.scale,
        sizes=model.sizes(about.max_points),
        variant="fp32",
        head=model.HEAD,
        defaults=Defaults(TEMPERATURE),
        parity=Parity(1, (1,), 0.0, "torch"),
        data=Credit(about.credit, about.licence, None, about.drawings),
        checkpoint=Origin("0" * 64, about.step),
    )
