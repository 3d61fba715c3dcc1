"""The most typical of several sketches: the one that looks most like all the others.

A model's good drawings of a class look alike, its failures fail each in its own way. So of N drawings the one that is
nearest to all others is a good one far more often than any single drawing. It is the sample of least expected loss
(minimum Bayes risk: Kumar & Byrne 2004, "Minimum Bayes-Risk Decoding for Statistical Machine Translation"), where the
loss is how unlike the ink of two drawings lies, and what the model draws stands for what it knows.

Ink is counted in whole numbers, and sums are exact: every machine picks the same one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.sketch import Sketch

MOST_TRIES = 100
"""Drawings of which one may be chosen."""

CELLS = 16
"""Cells along each side of the picture that two sketches are compared by."""

FILL = 12
"""Cells that the larger side of a sketch takes; what is left around it takes the blur."""

MARGIN = (CELLS - FILL) // 2

SAMPLES = 2
"""Points of a line that are counted for each cell it passes."""

BLUR = (1, 4, 6, 4, 1)
"""Counts are spread so that lines that run a little apart are still alike."""

Counts = npt.NDArray[np.int64]


def most_typical(sketches: Sequence[Sketch]) -> int:
    """Which of some sketches looks most like the others; the first of equals, and so of two always the first.

    One that was cut before its end is chosen only where all were.

    Args:
        sketches: at least one, as a rule of one class.
    """
    if len(sketches) == 1:
        return 0
    pictures = np.stack([ink(sketch).ravel() for sketch in sketches])
    alike = pictures @ pictures.T  # whole numbers, far below 2**53
    sizes = np.sqrt(np.diagonal(alike))
    cosines = alike / np.outer(sizes, sizes)
    np.fill_diagonal(cosines, 0.0)  # a sketch's likeness to itself is 1 but for the last bit
    sums = [math.fsum(row) for row in cosines.tolist()]
    return max(range(len(sketches)), key=lambda number: (sketches[number].complete, sums[number]))


def typical_of_each(sketches: Iterator[Sketch], sizes: Iterable[int]) -> Iterator[Sketch]:
    """Of each group of sketches that come, so many as `sizes` says, the most typical one."""
    for size in sizes:
        tries = list(islice(sketches, size))
        yield tries[most_typical(tries)]


def ink(sketch: Sketch) -> Counts:
    """How much ink lies where: (CELLS, CELLS), rows from the top, the sketch centred and fitted to FILL cells, blurred.

    Position and size of a sketch change nothing.
    """
    points = np.concatenate(sketch.lines)
    low, high = points.min(axis=0), points.max(axis=0)
    side = (high - low).max()
    scale = FILL / side if side > 0 else 1.0
    counts = np.zeros((CELLS, CELLS), np.int64)
    for line in sketch.lines:
        cells = np.floor(_along((line - (low + high) / 2) * scale + CELLS / 2)).astype(np.int64)
        cells = np.clip(cells, MARGIN, MARGIN + FILL - 1)  # what lies on the outermost edge is in the outermost cell
        np.add.at(counts, (cells[:, 1], cells[:, 0]), 1)
    return _blurred(_blurred(counts).T).T


def _along(line: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Points along a line, (n, 2), SAMPLES or more for each unit; of a dot the dot."""
    if len(line) == 1:
        return line
    moves = np.diff(line, axis=0)
    numbers = np.maximum(1, np.ceil(np.abs(moves).max(axis=1) * SAMPLES)).astype(np.int64)
    which = np.repeat(np.arange(len(moves)), numbers)
    first = np.repeat(np.cumsum(numbers) - numbers, numbers)
    shares = (np.arange(len(which)) - first + 0.5) / numbers[which]
    return np.asarray(line[which] + moves[which] * shares[:, None])


def _blurred(counts: Counts) -> Counts:
    """Counts spread along their rows."""
    wide = np.pad(counts, ((0, 0), (len(BLUR) // 2,) * 2))
    spread = [weight * wide[:, at : at + CELLS] for at, weight in enumerate(BLUR)]
    return np.asarray(np.sum(spread, axis=0))
