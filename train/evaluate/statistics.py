"""How drawings are made, in numbers that need no classifier: points, lines, ink, proportions, closed shapes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from sketch_edge.train.evaluate.drawing import Drawing

CLOSED = 0.1
"""A line is closed where its ends are within this share of the drawing's larger side, and it is itself larger."""

MEASURES = {
    "points": "points of all lines",
    "lines": "lines, one more than the pen is lifted in between",
    "ink": "length of all lines, in larger sides of the drawing",
    "travel": "way of the lifted pen, in larger sides of the drawing",
    "flatness": "shorter side divided by the larger",
    "closed": "whether a line ends where it began",
    "ended": "whether the model ended the drawing by itself",
}

Floats = npt.NDArray[np.float64]


def measure(drawings: Sequence[Drawing]) -> Floats:
    """Take every measure of n drawings, (n, len(MEASURES)), in the order of MEASURES."""
    return np.array([_measure(each) for each in drawings], np.float64).reshape(-1, len(MEASURES))


def _measure(drawing: Drawing) -> list[float]:
    lines = drawing.lines
    width, height = drawing.extent
    side = max(width, height, 1e-9)
    ink = sum(float(np.hypot(*np.diff(line, axis=0).T).sum()) for line in lines)
    travel = sum(float(np.hypot(*(after[0] - line[-1]))) for line, after in pairwise(lines))
    return [
        float(len(drawing.points)),
        float(len(lines)),
        ink / side,
        travel / side,
        min(width, height) / side,
        float(any(_is_closed(line, side) for line in lines)),
        float(drawing.complete),
    ]


def _is_closed(line: Floats, side: float) -> bool:
    return bool(np.hypot(*(line[-1] - line[0])) <= CLOSED * side and np.ptp(line, axis=0).max() > CLOSED * side)


def effect(real: Floats, drawn: Floats) -> Floats:
    """Difference of means in standard deviations of the real drawings, (measures,); NaN where these do not vary."""
    spread = real.std(axis=0, ddof=1) if len(real) > 1 else np.zeros(real.shape[1])
    difference = drawn.mean(axis=0) - real.mean(axis=0)
    return np.asarray(np.where(spread > 1e-9, difference / np.maximum(spread, 1e-9), np.nan))
