"""In which order and direction a pen draws lines, so that it travels little while it is up.

"keep" leaves the order as it is. "nearest" goes on with the nearest end each time. "best" links the nearest ends
first and then searches for exchanges of links (see `tour`) for as long as a budget of work lasts that is counted in
nodes searched, never in time: equal lines give an equal order. No order is ever longer than the given one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.plot.kicks import kick
from sketch_edge.runtime.plot.links import walk
from sketch_edge.runtime.plot.near import nearest
from sketch_edge.runtime.plot.rotation import rotated_line, starting_points
from sketch_edge.runtime.plot.tour import Tour

ORDERS = ("keep", "nearest", "best")

CLOSED_MM = 0.01
"""A line whose ends are this near to each other is closed: it may be begun at any of its points."""

LEAST_WORK = 18_000
"""Nodes searched for few lines, where there is time: about 30 ms on a server."""

WORK_PER_SQUARE = 6e-4
"""Nodes searched for n^2 nodes, where there are more."""

MOST_WORK_PER_NODE = 40
"""And never more than this for each node, so that the time grows no faster than the drawing."""

ROTATIONS = 3
"""How often closed lines are begun elsewhere and the order is improved again."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Place = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Order:
    """An order of n lines, as `order_lines` finds it and `ordered` applies it."""

    index: Ints
    """Which of the given lines is drawn first, second ...; shape (n,)."""

    reverse: npt.NDArray[np.bool_]
    """Whether it is drawn from its last point to its first; shape (n,), as `index`."""

    shift: Ints
    """At which of its points a closed line is begun (and ended); 0 for all others; shape (n,), as `index`."""

    given_mm: float
    """Travel with the pen up in the given order."""

    travel_mm: float
    """Travel with the pen up in this one: never more."""

    @property
    def changed(self) -> bool:
        """Whether anything is drawn otherwise than given."""
        return bool((self.index != np.arange(len(self.index))).any() or self.reverse.any() or self.shift.any())


def travel_mm(
    lines: Sequence[npt.NDArray[Any]], *, start: Place | None = (0.0, 0.0), end: Place | None = None
) -> float:
    """How far the pen moves up: from `start` to the first line, from each line to the next, and on to `end`; mm.

    Lines are of shape (n, 2), n >= 1, in mm. Where `start` or `end` is None, that way is not counted.

    Raises:
        InputError: a line without points, of another shape or with coordinates that are not finite.
    """
    return _travel(_ends(lines), start, end)


def order_lines(
    lines: Sequence[npt.NDArray[Any]],
    how: str = "best",
    *,
    start: Place | None = (0.0, 0.0),
    end: Place | None = None,
    rotate: bool = True,
    effort: float = 1.0,
) -> Order:
    """Find an order of lines of shape (n, 2), n >= 1, in mm, with little travel from `start` (to `end`).

    `how` is one of ORDERS. None for `start` or `end` means that the pen may begin or end anywhere. With `rotate`,
    closed lines may be begun at any of their points ("best" only). `effort` multiplies the work of "best".

    Raises:
        InputError: an unknown `how`, an effort that is not finite or below 0, or lines as `travel_mm` refuses them.
    """
    if how not in ORDERS:
        raise InputError(f"order {how!r}: is unknown; choose one of {', '.join(ORDERS)}")
    if not 0 <= effort < np.inf:
        raise InputError(f"order: the effort is {effort:g} (expected a finite number of 0 or more)")
    ends = _ends(lines)
    given = _kept(len(ends), _travel(ends, start, end))
    if how == "keep" or len(ends) == 0:
        return given
    if how == "nearest":
        index, reverse = _by_nearest(ends, start)
        found = _checked(ends, index, reverse, np.zeros(len(index), np.int64), given, start, end)
    else:
        found = _by_tour(ends, lines, given, start, end, rotate, effort)
    return found if found.travel_mm < given.travel_mm else given


def ordered(
    lines: Sequence[npt.NDArray[Any]],
    how: str = "best",
    *,
    start: Place | None = (0.0, 0.0),
    end: Place | None = None,
    rotate: bool = True,
    effort: float = 1.0,
) -> tuple[npt.NDArray[Any], ...]:
    """The lines themselves in the order, the direction and from the point that `order_lines` finds."""
    return apply_order(lines, order_lines(lines, how, start=start, end=end, rotate=rotate, effort=effort))


def apply_order(lines: Sequence[npt.NDArray[Any]], order: Order) -> tuple[npt.NDArray[Any], ...]:
    """Lay lines out in an order; each is drawn as before, though perhaps backwards or begun at another point."""
    drawn = []
    for i, reverse, shift in zip(order.index.tolist(), order.reverse.tolist(), order.shift.tolist(), strict=True):
        line = rotated_line(np.asarray(lines[i]), shift)
        drawn.append(line[::-1] if reverse else line)
    return tuple(drawn)


def _ends(lines: Sequence[npt.NDArray[Any]]) -> Floats:
    """First and last point of every line, shape (n, 2, 2); checked."""
    if not len(lines):
        return np.zeros((0, 2, 2))
    for number, line in enumerate(lines):
        if np.ndim(line) != 2 or np.shape(line)[1] != 2 or len(line) == 0:
            raise InputError(f"line {number}: has shape {np.shape(line)} (expected (n, 2) with n at least 1)")
    last = np.cumsum([len(line) for line in lines]) - 1
    points = np.concatenate(lines).astype(np.float64, copy=False)
    if not np.isfinite(points).all():
        number = int(np.searchsorted(last, np.flatnonzero(~np.isfinite(points).all(axis=1))[0]))
        raise InputError(f"line {number}: holds a coordinate that is not a finite number; draw it again")
    return np.stack([points[np.append(0, last[:-1] + 1)], points[last]], axis=1)


def _travel(ends: Floats, start: Place | None, end: Place | None) -> float:
    if not len(ends):
        return 0.0 if start is None or end is None else float(np.hypot(end[0] - start[0], end[1] - start[1]))
    before = ends[:1, 0] if start is None else np.array([start], np.float64)
    after = ends[-1:, 1] if end is None else np.array([end], np.float64)
    ways = np.concatenate([ends[:, 0], after]) - np.concatenate([before, ends[:, 1]])
    return float(np.hypot(ways[:, 0], ways[:, 1]).sum())


def _kept(count: int, travel: float) -> Order:
    return Order(np.arange(count), np.zeros(count, bool), np.zeros(count, np.int64), travel, travel)


def _checked(
    ends: Floats,
    index: Ints,
    reverse: npt.NDArray[np.bool_],
    shift: Ints,
    given: Order,
    start: Place | None,
    end: Place | None,
) -> Order:
    """An order with its travel measured; `ends` as they are after shifting."""
    placed = ends[index]
    placed[reverse] = placed[reverse, ::-1]
    return Order(index, reverse, shift, given.given_mm, _travel(placed, start, end))


def _by_nearest(ends: Floats, start: Place | None) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Go on with the line that has the nearest end, each time; without a start, from the first line on."""
    points = ends.reshape(-1, 2)
    near = nearest(points, 12, np.arange(len(points)) ^ 1)[0].tolist()
    waiting = np.ones(len(points), bool)
    left, left_points = np.arange(len(points)), points
    entered = []
    node = 0 if start is None else int(_square_distances(points, np.array(start)).argmin())
    while True:
        entered.append(node)
        waiting[[node, node ^ 1]] = False
        if len(entered) == len(ends):
            break
        leave = node ^ 1
        found = next((each for each in near[leave] if waiting[each]), -1)
        if found < 0:  # all that are near have been drawn: look at all that wait
            if 2 * np.count_nonzero(waiting[left]) < len(left):
                left = left[waiting[left]]
                left_points = points[left]
            square = _square_distances(left_points, points[leave])
            square[~waiting[left]] = np.inf
            found = int(left[square.argmin()])
        node = found
    nodes = np.array(entered)
    return nodes >> 1, (nodes & 1).astype(bool)


def _square_distances(points: Floats, place: Floats) -> Floats:
    dx, dy = points[:, 0] - place[0], points[:, 1] - place[1]
    return np.asarray(dx * dx + dy * dy)


def _by_tour(
    ends: Floats,
    lines: Sequence[npt.NDArray[Any]],
    given: Order,
    start: Place | None,
    end: Place | None,
    rotate: bool,
    effort: float,
) -> Order:
    """Find a tour through all lines and the way from `end` back to `start`, which is a line as well."""
    back = np.array([end or (np.nan, np.nan), start or (np.nan, np.nan)])
    nodes = 2 * len(ends) + 2
    work = effort * max(LEAST_WORK, min(WORK_PER_SQUARE * nodes**2, MOST_WORK_PER_NODE * nodes))
    shift = np.zeros(len(ends), np.int64)
    tour = Tour(np.concatenate([ends.reshape(-1, 2), back]))
    tour.improve(work)
    kick(tour, tour.work)
    index, reverse = _unrolled(tour.link)
    best = _checked(ends, index, reverse, shift, given, start, end)
    apart = np.hypot(ends[:, 0, 0] - ends[:, 1, 0], ends[:, 0, 1] - ends[:, 1, 1])
    closed = (apart <= CLOSED_MM) & np.array([len(line) > 2 for line in lines])
    if not rotate or not closed.any():
        return best
    for _ in range(ROTATIONS):
        ends, shift = starting_points(lines, closed, best, ends, start, end)
        tour = Tour(np.concatenate([ends.reshape(-1, 2), back]), tour.link)
        tour.improve(work / 2)
        kick(tour, tour.work)
        index, reverse = _unrolled(tour.link)
        found = _checked(ends, index, reverse & (shift[index] == 0), shift[index], given, start, end)
        if found.travel_mm >= best.travel_mm:
            break
        best = found
    return best


def _unrolled(link: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Lines and directions from a tour whose last line is the way from the end back to the start."""
    tour = walk(link)[::2]
    at = int(np.flatnonzero(tour >> 1 == len(tour) - 1)[0])
    nodes = np.concatenate([tour[at + 1 :], tour[:at]])
    if tour[at] & 1:  # that way is passed backwards, and so are all lines
        nodes = nodes[::-1] ^ 1
    return nodes >> 1, (nodes & 1).astype(bool)
