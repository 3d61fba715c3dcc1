"""One drawing as every reader yields it, and the way from coordinates to stroke-3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.strokes import BOX, fit_to_box, simplify_line

RDP_EPSILON = 2.0
"""Units of the 0..255 box: the tolerance that the official simplification uses."""


OWN = ("", "")
"""Credit of a drawing that its user has to give credit for."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """One drawing, its offsets whole numbers in units of the 0..255 box."""

    word: str
    """Class name."""

    points: npt.NDArray[np.int16]
    """stroke-3 rows (n, 3), see `runtime/strokes.py`; n = 0 for a drawing without ink."""

    side: float
    """Larger side of the drawing in the units of its source."""

    recognized: bool = True
    """Whether the game recognised it; True where the source does not say."""

    split: int | None = None
    """0 train, 1 valid, 2 test, where the source says so."""

    synthetic: bool = False
    """Whether the source says that a model made it."""

    credit: tuple[str, str] | None = None
    """Whose it is and under which licence; OWN where that is the user's to say, None where the source does not tell."""


def encode_canvas(points: npt.NDArray[np.float64], lengths: Sequence[int], raw: bool) -> npt.NDArray[np.int16]:
    """Bring points on a canvas to the 0..255 box and write them as stroke-3 of shape (N, 3).

    Args:
        points: (n, 2), all lines one after the other, finite; n >= 1.
        lengths: points of each line, all over 0.
        raw: the points are dense, as the pen reported them: simplify them (Ramer-Douglas-Peucker, epsilon 2).

    Whole numbers in 0..255 that are not raw are already in the official form and stay as they are. All else is
    moved and scaled, both axes alike, so that the larger side is 255, and rounded.
    """
    official = not raw and bool((points >= 0).all() and (points <= BOX).all() and (points == np.rint(points)).all())
    if official:
        return encode_lines(points.astype(np.int64), lengths)
    points = fit_to_box([points])[0]
    if raw:
        lines = [simplify_line(line, RDP_EPSILON) for line in np.split(points, np.cumsum(lengths)[:-1])]
        points, lengths = np.concatenate(lines), [len(line) for line in lines]
    return encode_lines(np.rint(points).astype(np.int64), lengths)


def encode_svg(word: str, lines: Sequence[npt.NDArray[np.float64]]) -> Drawing:
    """Make a drawing of lines of an SVG file: scaled to the box and simplified as a raw one; without lines an empty."""
    if not lines:
        return Drawing(word, np.zeros((0, 3), np.int16), 0.0, credit=OWN)
    points = np.concatenate(lines)
    rows = encode_canvas(points, [len(line) for line in lines], raw=True)
    return Drawing(word, rows, larger_side(points), credit=OWN)


def encode_lines(points: npt.NDArray[np.int64], lengths: Sequence[int]) -> npt.NDArray[np.int16]:
    """Write whole points (n, 2) of lines with `lengths` points each (all over 0) as stroke-3, int16 (N, 3).

    The same as `runtime.strokes.lines_to_stroke3`, without a loop over the lines: six times as fast, which counts
    when a class has 100,000 drawings.
    """
    counts = np.asarray(lengths, np.int64)
    starts = np.cumsum(counts) - counts
    kept = np.ones(len(points), np.bool_)
    kept[1:] = (points[1:] != points[:-1]).any(axis=1)
    kept[starts] = True
    kept_lengths = np.add.reduceat(kept, starts, dtype=np.int64)
    points = points[kept]
    rows = np.zeros((len(points), 3), np.int16)
    rows[1:, :2] = points[1:] - points[:-1]
    rows[np.cumsum(kept_lengths) - 1, 2] = 1
    return rows if kept_lengths[0] == 1 else rows[1:]


def larger_side(points: npt.NDArray[Any]) -> float:
    """Larger side of the box around points (n, 2), n >= 1."""
    return float((points.max(axis=0) - points.min(axis=0)).max())
