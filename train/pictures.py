"""Pictures of a training beside its sheets: how the drawings changed over the steps, and how one comes about."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sketch_edge.runtime.errors import SketchError
from sketch_edge.runtime.files import write_atomic
from sketch_edge.runtime.layout import arrange
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.progress import progress
from sketch_edge.runtime.scene import Caption
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.strokes import simplified_to_lines
from sketch_edge.runtime.writers import gif, png

SAMPLES = "samples.ndjson"
MOST_CLASSES = 9
"""Classes whose first drawing is kept at each sheet."""

MOST_FRAMES = 60
"""Of training.gif; of more sheets, evenly chosen ones are shown."""

FRAME_MS, LAST_MS = 400, 3000
WIDTH_PX = 480
LARGEST_FILE = 2**26
"""Bytes of samples that are read back."""

PROGRESS = (4, 5)
"""Rows and columns of progress.png."""


class Samples:
    """The first drawings of some classes at each sheet, in one file of a training's folder.

    A line is an object: `step`, `word` (the class) and `drawing` (simplified, as in Quick, Draw! files). Every sheet
    has the same noise, so the drawings of one class are one drawing that gets better.

    Args:
        folder: of the training.
        step: what is there of later steps is of a training that was cut off, and is forgotten.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / SAMPLES
        self._records = [record for record in _read(self._path) if record[0] <= step]

    def add(self, step: int, sketches: Sequence[Sketch]) -> None:
        """Keep the drawings of a step, and write the file anew.

        Raises:
            UnfinishedError: the system refused the write.
        """
        self._records = [record for record in self._records if record[0] < step]
        self._records += [(step, sketch) for sketch in sketches[:MOST_CLASSES]]
        lines = (
            json.dumps({"step": number, "word": sketch.label, "drawing": sketch.to_simplified()}, separators=(",", ":"))
            for number, sketch in self._records
        )
        write_atomic(self._path, "".join(f"{line}\n" for line in lines).encode())

    def film(self, path: Path) -> None:
        """Write a GIF with a frame for each step: how the drawings of one noise changed.

        Raises:
            UnfinishedError: the system refused the write.
        """
        from PIL import Image

        steps = sorted({step for step, _ in self._records})
        chosen = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), MOST_FRAMES)).round().astype(int))
        pictures = []
        for step in (steps[number] for number in chosen):
            scene = arrange([sketch for own, sketch in self._records if own == step], Page(100, 100, 8))
            caption = Caption(f"step {step:,}", 50, 96.5, 4)
            data = png.render(replace(scene, captions=(caption,)), width_px=WIDTH_PX)
            pictures.append(Image.open(io.BytesIO(data)).convert("L").quantize(8))
        if not pictures:
            return
        durations = [FRAME_MS] * (len(pictures) - 1) + [LAST_MS]
        film = io.BytesIO()
        first, *others = pictures
        first.save(film, "gif", save_all=True, append_images=others, duration=durations, loop=0)
        write_atomic(path, film.getvalue())


def draw_progress(sketch: Sketch, path: Path) -> None:
    """Write a sheet of 4 x 5 cells, each with one step more of a drawing's ink, as a PNG.

    Raises:
        UnfinishedError: the system refused the write.
    """
    write_atomic(path, png.render(progress(sketch, *PROGRESS, captions="points"), width_px=900))


def draw_film(sketches: Sequence[Sketch], path: Path) -> None:
    """Write drawings being drawn, as a GIF.

    Raises:
        UnfinishedError: the system refused the write.
    """
    write_atomic(path, gif.render(arrange(sketches[:MOST_CLASSES]), width_px=WIDTH_PX))


def _read(path: Path) -> list[tuple[int, Sketch]]:
    """The records of a file, in its order; of one that is not there or not ours, none: it can be done without."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            return []
        records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        return [
            (int(each["step"]), Sketch(tuple(simplified_to_lines(each["drawing"])), str(each["word"])))
            for each in records
        ]
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError, SketchError):
        return []
