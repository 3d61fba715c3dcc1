"""The one rasteriser of the ruler: every figure that looks at pictures looks at these.

A picture has 28 x 28 pixels, as the bitmaps of Quick, Draw! have. The drawing is centred and fitted, both axes alike,
so that the larger side of its points is 24 pixels; lines are 1.5 pixels wide with butt ends, dots are discs as wide;
ink is 255, paper 0. It is painted four times as large, 112 x 112, without smoothing; every 4 x 4 pixels become their
mean.

For comparing drawings with each other (`train/evaluate/copies.py`) there is the stretched form: each axis is fitted by
itself, so that a copy that was only made wider or flatter is still a copy. An axis shorter than a quarter of the other
is taken as if it were a quarter of it: a line stays a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketch_edge.train.evaluate.drawing import Drawing, Points

SIDE = 28
BOX = 24.0
LINE = 1.5
FINER = 4
THINNEST = 0.25
"""An axis shorter than this share of the other one is not stretched further."""

Pictures = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Change:
    """What the training of a classifier does to a drawing before it is painted."""

    matrix: Points
    """Applied to points as rows before they are fitted, (2, 2)."""

    size: float = 1.0
    """Share of the 24 pixels that the larger side takes, at most 1."""

    shift: tuple[float, float] = (0.0, 0.0)
    """Pixels to the right and down."""


def rasterise(
    drawings: Sequence[Drawing], changes: Sequence[Change] | None = None, *, stretch: bool = False
) -> Pictures:
    """Paint drawings; shape (B, 28, 28).

    Args:
        drawings: B drawings.
        changes: one for each, or none.
        stretch: fit each axis by itself.
    """
    pictures = np.zeros((len(drawings), SIDE, SIDE), np.uint8)
    for number, drawing in enumerate(drawings):
        pictures[number] = _paint(drawing, changes[number] if changes is not None else None, stretch)
    return pictures


def _paint(drawing: Drawing, change: Change | None, stretch: bool) -> Pictures:
    from PIL import Image, ImageDraw

    points = drawing.points if change is None else drawing.points @ change.matrix
    flat = _fit(points, change, stretch).ravel().tolist()
    canvas = Image.new("L", (SIDE * FINER, SIDE * FINER))
    draw = ImageDraw.Draw(canvas)
    width, start = round(LINE * FINER), 0
    for end in drawing.ends:
        line = flat[2 * start : 2 * end]
        if end - start == 1:
            x, y = line
            draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)
        else:
            draw.line(line, fill=255, width=width)
        start = end
    return np.asarray(canvas.reduce(FINER))


def _fit(points: Points, change: Change | None, stretch: bool) -> Points:
    """Move and scale points, (n, 2), to where they are on the large canvas."""
    low, high = points.min(axis=0), points.max(axis=0)
    extent = high - low
    largest = max(float(extent.max()), 1e-9)
    sides = np.maximum(extent, THINNEST * largest) if stretch else largest
    box = BOX * FINER * (change.size if change is not None else 1.0)
    shift = np.array(change.shift if change is not None else (0.0, 0.0)) * FINER
    return np.asarray((points - (low + high) / 2) * (box / sides) + SIDE * FINER / 2 + shift)
