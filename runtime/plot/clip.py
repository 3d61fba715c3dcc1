"""Lines cut at the border of a rectangle."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.sketch import Bounds

Line = npt.NDArray[np.float64]


def clip_lines(lines: Iterable[Line], area: Bounds) -> list[Line]:
    """Cut off what lies outside of `area` (its border belongs to it); lines have shape (n, 2).

    What is left of a line are its pieces, in order, each of two points or more: where a line only touches the border
    from outside nothing is left. A line inside stays as it is, and so does a dot.
    """
    low, high = np.array([area.left, area.top]), np.array([area.right, area.bottom])
    pieces: list[Line] = []
    for line in lines:
        inside = ((line >= low) & (line <= high)).all(axis=1)
        if inside.all():
            pieces.append(line)
        elif len(line) > 1:
            pieces += _pieces(line, low, high)
    return pieces


def _pieces(line: Line, low: Line, high: Line) -> list[Line]:
    """The pieces of a line of two or more points, at least one of them outside."""
    start, stop, crosses = _inside_part(line, low, high)
    steps = np.diff(line, axis=0)
    # Cut points are on the border but for rounding: set them on it.
    entries = np.clip(line[:-1] + start[:, None] * steps, low, high)
    exits = np.clip(line[:-1] + stop[:, None] * steps, low, high)
    pieces: list[list[Line]] = []
    connected = False
    for i in np.flatnonzero(crosses).tolist():
        if not (connected and start[i] == 0.0 and crosses[i - 1]):
            pieces.append([entries[i]])
        if (exits[i] != pieces[-1][-1]).any():
            pieces[-1].append(exits[i])
        connected = stop[i] == 1.0
    return [np.array(piece) for piece in pieces if len(piece) > 1]


def _inside_part(line: Line, low: Line, high: Line) -> tuple[Line, Line, npt.NDArray[np.bool_]]:
    """Where each segment of a line enters and leaves the rectangle, from 0 (its start) to 1, and whether it is ever in.

    Shape (n - 1,) each. Liang & Barsky 1984 (ACM Transactions on Graphics 3:1): a segment is inside as long as it is
    on the inner side of all four borders.
    """
    begin, steps = line[:-1], np.diff(line, axis=0)
    # Borders as q - t p >= 0: left, top, right, bottom.
    p = np.concatenate([-steps, steps], axis=1)
    q = np.concatenate([begin - low, high - begin], axis=1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        t = q / p
    start = np.maximum(np.where(p < 0, t, 0.0).max(axis=1), 0.0)
    stop = np.minimum(np.where(p > 0, t, 1.0).min(axis=1), 1.0)
    outside = ((p == 0) & (q < 0)).any(axis=1)  # alongside a border, beyond it
    return start, stop, ~outside & (start <= stop)
