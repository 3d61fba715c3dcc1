"""The stroke formats and the ways between them: this file is their only definition.

Coordinates: x right, y down, in units of the Quick, Draw! canvas (a 0..255 box).

**lines**: a list of arrays of shape (n, 2), one for each time the pen is put down; n = 1 is a dot.

**stroke-3**: an array of shape (N, 3), rows (dx, dy, lift). The pen starts DOWN on the first point of the first
line, which is the origin and has no row of its own. Each row moves the pen by (dx, dy); lift = 1 says that the pen
leaves the paper AFTER this point, so the move of the following row is not drawn. A first line that is a dot is
(0, 0, 1).

**stroke-5**: an array of shape (N, 5), rows (dx, dy, p1, p2, p3), the last three one-hot: p1 = the next move is
drawn, p2 = the pen lifts after this point, p3 = the sketch has ended (this row's point is not drawn). The start token
is (0, 0, 1, 0, 0).

**simplified**: the official Quick, Draw! form, ``[[[x, ...], [y, ...]], ...]``, whole numbers in 0..255.

(Ha & Eck 2017, arXiv:1704.03477, section 3.1.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

BOX = 255.0
"""Side of the Quick, Draw! box: the larger side of a normalised drawing."""

STROKE = 5
"""Width of a stroke-5 row."""

START_TOKEN = (0.0, 0.0, 1.0, 0.0, 0.0)
"""The stroke-5 row that every sketch begins with: the pen is down on the first point."""


def lines_to_stroke3(lines: Sequence[Array]) -> Array:
    """Turn lines into stroke-3, shape (N, 3), in the dtype of the lines.

    Equal consecutive points of a line are one point. Lines without points are skipped; no lines at all give
    shape (0, 3).
    """
    kept = [_without_repeats(np.asarray(line)) for line in lines if len(line)]
    if not kept:
        return np.zeros((0, 3), np.float32)
    points = np.concatenate(kept)
    lift = np.zeros(len(points), points.dtype)
    lift[np.cumsum([len(line) for line in kept]) - 1] = 1
    offsets = np.diff(points, axis=0, prepend=points[:1])
    stroke3 = np.concatenate([offsets, lift[:, None]], axis=1)
    # The first point is the origin. Only a dot needs a row for it: nothing else says that the pen lifts there.
    return stroke3 if len(kept[0]) == 1 else stroke3[1:]


def stroke3_to_lines(stroke3: Array, origin: tuple[float, float] = (0.0, 0.0)) -> list[Array]:
    """Turn stroke-3 of shape (N, 3) into lines; the first line starts at `origin`.

    The opposite of `lines_to_stroke3`. A pen that never lifts at the end still ends its line there.
    """
    if len(stroke3) == 0:
        return []
    dtype = np.promote_types(stroke3.dtype, np.float32) if stroke3.dtype.kind == "f" else np.dtype(np.int64)
    points = np.concatenate([np.zeros((1, 2), dtype), np.cumsum(stroke3[:, :2], axis=0, dtype=dtype)])
    points = points + np.asarray(origin, dtype if dtype.kind == "f" else np.float64).astype(dtype)
    ends = np.flatnonzero(stroke3[:, 2] > 0.5) + 2
    pieces = np.split(points, ends)
    return [_without_repeats(piece) for piece in pieces if len(piece)]


def stroke3_to_stroke5(stroke3: Array, length: int | None = None) -> Array:
    """Turn stroke-3 of shape (N, 3) into stroke-5 of shape (`length`, 5), float32; `length` defaults to N + 1.

    Row N and all after it are the end token (0, 0, 0, 0, 1). The last point keeps its pen-up: the end is a row of
    its own.
    """
    count = len(stroke3)
    length = count + 1 if length is None else length
    if length <= count:
        raise ValueError(f"length must be over the number of points (got {length} for {count} points)")
    stroke5 = np.zeros((length, 5), np.float32)
    stroke5[:count, :2] = stroke3[:, :2]
    stroke5[:count, 2] = 1 - stroke3[:, 2]
    stroke5[:count, 3] = stroke3[:, 2]
    stroke5[count:, 4] = 1
    return stroke5


def stroke5_to_stroke3(stroke5: Array) -> Array:
    """Turn stroke-5 of shape (N, 5) into stroke-3, up to the first end row; shape (n, 3), float32."""
    ended = np.flatnonzero(stroke5[:, 4] > 0.5)
    count = int(ended[0]) if len(ended) else len(stroke5)
    return np.ascontiguousarray(stroke5[:count][:, [0, 1, 3]], np.float32)


def lines_to_simplified(lines: Sequence[Array]) -> list[list[list[int]]]:
    """Write lines in the simplified form: moved to (0, 0), larger side 255, whole numbers."""
    return [[line[:, 0].tolist(), line[:, 1].tolist()] for line in round_lines(fit_to_box(lines))]


def simplified_to_lines(drawing: Sequence[Sequence[Sequence[float]]]) -> list[Array]:
    """Read the simplified form (further lists, such as the times of the raw form, are ignored); float64 lines.

    Raises:
        ValueError: x and y differ in length or are not finite numbers.
    """
    lines = []
    for stroke in drawing:
        x, y = np.asarray(stroke[0], np.float64), np.asarray(stroke[1], np.float64)
        if x.ndim != 1 or x.shape != y.shape:
            raise ValueError(f"x and y of a line differ in length (got {x.shape} and {y.shape})")
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise ValueError("a coordinate is not a finite number")
        if len(x):
            lines.append(np.stack([x, y], axis=1))
    return lines


def fit_to_box(lines: Sequence[Array], side: float = BOX) -> list[Array]:
    """Move lines to (0, 0) and scale both axes alike so that the larger side is `side`; float64.

    Lines without extent (a dot) are only moved.
    """
    if not lines:
        return []
    low, high = bounds(lines)
    extent = float((high - low).max())
    factor = side / extent if extent > 0 else 1.0
    return [(np.asarray(line, np.float64) - low) * factor for line in lines]


def bounds(lines: Sequence[Array]) -> tuple[Array, Array]:
    """Smallest and largest x and y over all points: two float64 arrays of shape (2,)."""
    points = np.concatenate([np.asarray(line, np.float64) for line in lines])
    return points.min(axis=0), points.max(axis=0)


def round_lines(lines: Sequence[Array]) -> list[Array]:
    """Round every coordinate to the nearest whole number (int64) and merge points that became equal."""
    return [_without_repeats(np.rint(line).astype(np.int64)) for line in lines]


def simplify_line(line: Array, epsilon: float) -> Array:
    """Ramer-Douglas-Peucker: the fewest points of `line` (n, 2) found so that none left out is over `epsilon` away.

    End points stay. Distance is taken to the chord itself, not to the endless line through it: a stroke that
    overshoots and comes back keeps its tip.
    """
    count = len(line)
    if count < 3:
        return line
    points = np.asarray(line, np.float64)
    keep = np.zeros(count, bool)
    keep[[0, -1]] = True
    todo = [(0, count - 1)]
    while todo:
        first, last = todo.pop()
        if last - first < 2:
            continue
        away = _distance_to_chord(points[first + 1 : last], points[first], points[last])
        worst = int(away.argmax())
        if away[worst] > epsilon:
            middle = first + 1 + worst
            keep[middle] = True
            todo += [(first, middle), (middle, last)]
    return line[keep]


def _distance_to_chord(points: Array, start: Array, end: Array) -> Array:
    chord, away = end - start, points - start
    square = float(chord @ chord)
    along = np.clip(away @ chord / square, 0.0, 1.0) if square > 0 else np.zeros(len(points))
    beside = away - along[:, None] * chord
    return np.asarray(np.hypot(beside[:, 0], beside[:, 1]))


def _without_repeats(line: Array) -> Array:
    """Drop points equal to the one before, so that a dot is one point and no move has length zero."""
    if len(line) < 2:
        return line
    moved = np.any(line[1:] != line[:-1], axis=1)
    kept: Array = line[np.concatenate([[True], moved])]
    return kept
