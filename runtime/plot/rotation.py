"""Where closed lines are begun, for a given order of lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from sketch_edge.runtime.plot.order import Order, Place

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MOST_TRIED = 48
"""Points of a closed line that are tried together with those of its neighbours; then all are tried alone."""

SWEEPS = 5


def rotated_line(line: npt.NDArray[Any], shift: int) -> npt.NDArray[Any]:
    """Begin a closed line (n, 2) at its point number `shift`, and end it there.

    Where first and last point are not exactly equal, the little way between them is drawn as well.
    """
    if shift == 0:
        return line
    again = 1 if (line[0] == line[-1]).all() else 0
    return np.concatenate([line[shift:], line[again : shift + 1]])


def starting_points(
    lines: Sequence[npt.NDArray[Any]],
    closed: npt.NDArray[np.bool_],
    order: Order,
    ends: Floats,
    start: Place | None,
    end: Place | None,
) -> tuple[Floats, Ints]:
    """Choose the points at which the `closed` lines are begun, so that `order` has the least travel.

    Returns the ends of all lines, (n, 2, 2), begun so, and the number of the point in each line, (n,). The points are
    the best of at most MOST_TRIED of each line (by dynamic programming along the order), then each is the best of all
    points between its neighbours.
    """
    index, reverse = order.index.tolist(), order.reverse.tolist()
    tried: list[Ints] = []
    shift = np.zeros(len(lines), np.int64)
    shift[order.index] = order.shift
    for i in index:
        count = len(lines[i]) - 1 if closed[i] else 0
        every = max(1, -(-count // MOST_TRIED))
        tried.append(np.union1d(np.arange(0, count, every), shift[i]) if count else shift[i : i + 1])
    ways = [
        _entries(lines[i], ends[i], back, each, closed[i]) for i, back, each in zip(index, reverse, tried, strict=True)
    ]
    chosen = _cheapest(ways, start, end)
    shift[order.index] = [int(each[c]) for each, c in zip(tried, chosen, strict=True)]
    at = np.array([[into[c], out[c]] for (into, out), c in zip(ways, chosen, strict=True)])
    _refine(lines, closed, index, shift, at, start, end)
    begun = ends.copy()
    for j, i in enumerate(index):
        if closed[i]:
            begun[i] = at[j] if shift[i] else np.asarray(lines[i])[[0, -1]]
    return begun, shift


def _entries(line: npt.NDArray[Any], ends: Floats, back: bool, tried: Ints, closed: bool) -> tuple[Floats, Floats]:
    """Where the pen comes down and goes up, for each of the points tried: two arrays (t, 2)."""
    if closed:
        points = np.asarray(line, np.float64)[tried]
        return points, points
    return (ends[1:], ends[:1]) if back else (ends[:1], ends[1:])


def _cheapest(ways: list[tuple[Floats, Floats]], start: Place | None, end: Place | None) -> list[int]:
    """One way for each line so that all travel together is least (Bellman 1957): the numbers of the ways."""
    cost = np.zeros(1)
    before = None if start is None else np.array([start], np.float64)
    came: list[Ints] = []
    for into, out in ways:
        total = cost[:, None] + (0.0 if before is None else _between(before, into))
        total = np.broadcast_to(total, (len(cost), len(into)))
        came.append(total.argmin(axis=0))
        cost, before = total.min(axis=0), out
    if end is not None and before is not None:
        cost = cost + _between(before, np.array([end], np.float64))[:, 0]
    chosen = [int(cost.argmin())]
    for each in came[:0:-1]:
        chosen.append(int(each[chosen[-1]]))
    return chosen[::-1]


def _between(a: Floats, b: Floats) -> Floats:
    """All distances between points a (m, 2) and b (n, 2): (m, n)."""
    return np.asarray(np.hypot(a[:, None, 0] - b[None, :, 0], a[:, None, 1] - b[None, :, 1]))


def _refine(
    lines: Sequence[npt.NDArray[Any]],
    closed: npt.NDArray[np.bool_],
    index: list[int],
    shift: Ints,
    at: Floats,
    start: Place | None,
    end: Place | None,
) -> None:
    """Move each start to the point of its line that is best between the neighbours, in place, until nothing moves."""
    moving = [j for j, i in enumerate(index) if closed[i] and len(lines[i]) > MOST_TRIED + 1]
    for _ in range(SWEEPS if moving else 0):
        moved = False
        for j in moving:
            points = np.asarray(lines[index[j]], np.float64)[:-1]
            before = at[j - 1, 1] if j else start
            after = at[j + 1, 0] if j + 1 < len(index) else end
            way = sum(
                (np.hypot(*(points - np.asarray(each)).T) for each in (before, after) if each is not None),
                np.zeros(len(points)),
            )
            best = int(way.argmin())
            if way[best] < way[shift[index[j]]] - 1e-9:
                shift[index[j]] = best
                at[j] = points[best]
                moved = True
        if not moved:
            break
