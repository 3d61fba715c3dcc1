"""What is done to lines before they are ordered: join, thin out, simplify, leave out.

Every function takes lines of shape (n, 2), n >= 1, in mm (n = 1 is a dot) and gives new lines; what need not change
is given back as it is. Tolerances and lengths are in mm, 0 or more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime import strokes
from sketch_edge.runtime.plot.duplicates import check_length, remove_duplicates
from sketch_edge.runtime.plot.near import nearest

__all__ = ["drawn_mm", "drop_short", "merge_lines", "remove_duplicates", "simplify_lines"]

Line = npt.NDArray[Any]
Lines = tuple[Line, ...]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MOST_AT_A_JUNCTION = 8
"""Other ends that an end is compared with at a time."""


def merge_lines(lines: Sequence[Line], tolerance_mm: float) -> Lines:
    """Join lines whose ends are within the tolerance of each other, so that the pen stays down.

    No point is moved or left out: the way between two joined ends is drawn as well, unless they are equal. Where more
    than two ends meet, those that go on straightest are joined first. A joined line lies where its first part did, in
    that one's direction. Dots are joined to nothing, and no line to itself.

    Raises:
        InputError: a tolerance that is not finite or below 0.
    """
    check_length(tolerance_mm, "merge tolerance")
    link = _joins(lines, tolerance_mm)
    merged: list[Line] = []
    done = [False] * len(lines)
    for number, line in enumerate(lines):
        if done[number]:
            continue
        end = 2 * number
        while link[end] >= 0:  # back to where the joined line begins
            end = link[end] ^ 1
        parts: list[Line] = []
        while end >= 0:
            done[end >> 1] = True
            part = lines[end >> 1][::-1] if end & 1 else lines[end >> 1]
            parts.append(part[1:] if parts and (part[0] == parts[-1][-1]).all() else part)
            end = link[end ^ 1]
        merged.append(line if len(parts) == 1 else np.concatenate(parts))
    return tuple(merged)


def simplify_lines(lines: Sequence[Line], tolerance_mm: float) -> Lines:
    """Leave out points as long as none of them is further than the tolerance from what is drawn (see `strokes`).

    Raises:
        InputError: a tolerance that is not finite or below 0.
    """
    check_length(tolerance_mm, "simplify tolerance")
    return tuple(strokes.simplify_line(line, tolerance_mm) for line in lines)


def drop_short(lines: Sequence[Line], shortest_mm: float, *, dots: bool = False) -> tuple[Lines, Lines]:
    """Leave out lines that are shorter than `shortest_mm`; returns (kept, left out), both in the given order.

    Dots, and lines that never leave their first point, are meant to be dots and stay, unless `dots` is true.

    Raises:
        InputError: a length that is not finite or below 0.
    """
    check_length(shortest_mm, "shortest line")
    short = [drawn < shortest_mm and (dots or drawn > 0) for drawn in drawn_mm(lines).tolist()]
    kept = tuple(line for line, leave in zip(lines, short, strict=True) if not leave)
    return kept, tuple(line for line, leave in zip(lines, short, strict=True) if leave)


def drawn_mm(lines: Sequence[Line]) -> Floats:
    """How long each line is, mm; shape (lines,)."""
    if not len(lines):
        return np.zeros(0)
    counts = np.array([len(line) for line in lines])
    points = np.concatenate(lines).astype(np.float64, copy=False)
    steps = np.hypot(*np.diff(points, axis=0, append=points[-1:]).T)
    last = np.cumsum(counts) - 1
    steps[last] = 0.0  # the way to the next line is not drawn
    return np.asarray(np.add.reduceat(steps, last - counts + 1))


def _joins(lines: Sequence[Line], tolerance: float) -> list[int]:
    """Which end each end is joined to, or -1; line i has the ends 2 i and 2 i + 1."""
    link = [-1] * (2 * len(lines))
    other = [end ^ 1 for end in range(len(link))]  # at an end of a joined line its other end
    free = np.array([end for end in range(len(link)) if len(lines[end >> 1]) > 1], np.int64)
    while len(free) > 2:
        joined = False
        for a, b in _meetings(lines, free, other, tolerance):
            if link[a] < 0 and link[b] < 0 and other[a] != b:
                link[a], link[b] = b, a
                far, beyond = other[a], other[b]
                other[far], other[beyond] = beyond, far
                joined = True
        if not joined:
            break
        free = np.array([end for end in free.tolist() if link[end] < 0], np.int64)
    return link


def _meetings(lines: Sequence[Line], free: Ints, other: list[int], tolerance: float) -> list[tuple[int, int]]:
    """Pairs of ends within the tolerance, the straightest ways on first, then the nearest, then by number."""
    places = np.array([lines[end >> 1][-(end & 1)] for end in free.tolist()], np.float64)
    index = {end: i for i, end in enumerate(free.tolist())}
    own = np.array([index[other[end]] for end in free.tolist()])
    near, far = nearest(places, MOST_AT_A_JUNCTION, own)
    row, column = np.nonzero(far <= tolerance)
    if not len(row):
        return []
    met = near[row, column]
    way = np.zeros((len(free), 2))
    for i in np.unique(np.concatenate([row, met])).tolist():
        way[i] = _way_out(lines[int(free[i]) >> 1], bool(free[i] & 1), tolerance)
    # Going on straight, one way out is the opposite of the other; in steps, so that rounding decides nothing.
    turn = np.rint(1000 * (way[row] * way[met]).sum(axis=1))
    low, high = np.minimum(free[row], free[met]), np.maximum(free[row], free[met])
    order = np.lexsort((high, low, far[row, column], turn))
    return list(zip(low[order].tolist(), high[order].tolist(), strict=True))


def _way_out(line: Line, at_end: bool, tolerance: float) -> Floats:
    """The direction, of length 1, in which a line leaves at an end, from the last point over the tolerance away."""
    points = np.asarray(line[::-1] if at_end else line, np.float64)
    for reach in (8, len(points)):  # mostly one of the first points is far enough
        offsets = points[0] - points[1:reach]
        lengths = np.hypot(offsets[:, 0], offsets[:, 1])
        enough = np.flatnonzero(lengths > tolerance)
        if len(enough):
            break
    at = int(enough[0]) if len(enough) else int(lengths.argmax())
    return np.asarray(offsets[at] / lengths[at] if lengths[at] > 0 else np.zeros(2))
