"""The nearest neighbours of points, by grids of cells, in numpy alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_CROWD = 72
"""A block of 3 x 3 cells with more points than this is divided further."""

_ROW_LIMIT = 128
"""Where a block is a crowd, but its parts hold too few, so many of each row of three cells are looked at."""

_CHUNK = 500_000
"""Candidates that are listed at once: bounds the memory."""

_HALVINGS = 24
"""How often a cell is halved at most; points that are still together then are as good as equal."""

_POINTS_PER_CELL = 3.0


def nearest(points: Floats, count: int, skip: Ints | None = None) -> tuple[Ints, Floats]:
    """Find the `count` nearest other points of each of n points: indices and distances, both (n, count), nearest first.

    `skip` (n,) names one more point that each is
    not to find, or -1. Where there are too few points, the index is -1 and the distance infinite. The search looks at
    a block of 3 x 3 cells around each point: now and then (1 in 100) a farther point than the next nearest is given.
    """
    total = len(points)
    found = np.full((total, count), -1, np.int64)
    away = np.full((total, count), np.inf)
    if total < 2 or count < 1:
        return found, away
    x, y = np.ascontiguousarray(points.T)
    for rows, of, candidates in _blocks(points, min(count + 2, total)):
        own = rows[of]
        square = (x[candidates] - x[own]) ** 2 + (y[candidates] - y[own]) ** 2
        square[candidates == own] = np.inf
        if skip is not None:
            square[candidates == skip[own]] = np.inf
        found[rows], away[rows] = _smallest(of, square, candidates, len(rows), count)
    return found, np.sqrt(away)


def nearest_beyond(points: Floats, found: Ints, skip: Ints) -> tuple[Ints, Ints]:
    """For points (n, 2) whose neighbours `found` (n, count) leave a quadrant empty, one that is near in it.

    Returns (which point, its neighbour there), up to four a point; `skip` as in `nearest`. Without these, the points of
    a cluster would know each other only (Johnson & McGeoch 1997, "The traveling salesman problem", section 3.2).
    """
    if len(points) < 3:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    quadrant = np.where(found >= 0, _quadrant(points[found] - points[:, None]), 0)
    seen = np.zeros((len(points), 4), bool)
    seen[np.arange(len(points))[:, None], quadrant] |= found >= 0
    who, where = np.nonzero(~seen)
    place = points - points.min(axis=0)
    longest = float(place.max())
    side = longest * 2.0 ** -max(0.0, np.round(np.log2(len(points) / _POINTS_PER_CELL) / 2))
    beyond = np.full(len(who), -1)
    left = np.arange(len(who))
    while len(left) and longest > 0:
        grid = _Grid(place, side)
        start, size = grid.toward(who[left], where[left])
        for part, of, candidates in _listed(left, grid, who[left], start, size, size.sum(axis=0) > 0):
            own = who[part][of]
            offset = points[candidates] - points[own]
            square = (offset**2).sum(axis=1)
            square[(_quadrant(offset) != where[part][of]) | (candidates == own) | (candidates == skip[own])] = np.inf
            beyond[part] = _smallest(of, square, candidates, len(part), 1)[0][:, 0]
        left = left[beyond[left] < 0] if side < longest else left[:0]
        side *= 2
    return who[beyond >= 0], beyond[beyond >= 0]


def _quadrant(offset: Floats) -> Ints:
    """In which quadrant offsets (..., 2) lie, 0 to 3."""
    return np.asarray((offset[..., 0] >= 0) + 2 * (offset[..., 1] >= 0), np.int64)


def _smallest(of: Ints, value: Floats, name: Ints, rows: int, count: int) -> tuple[Ints, Floats]:
    """The `count` smallest finite values of each row and their names, smallest first, equal ones as they come.

    `of` (m,) says which row each value belongs to and never falls. Names are -1 where there are too few.
    """
    sizes = np.bincount(of, minlength=rows)
    table = np.full((rows, max(int(sizes.max()), count)), np.inf)
    table[of, _ranks(sizes)] = value
    # The value of the last one kept, not its place: how equal ones are split depends on the processor.
    limit = np.partition(table, count - 1, axis=1)[:, count - 1]
    kept = np.flatnonzero((value <= limit[of]) & (value < np.inf))
    of, value, name = of[kept], value[kept], name[kept]
    sizes = np.bincount(of, minlength=rows)
    place = of, _ranks(sizes)
    values = np.full((rows, max(int(sizes.max()), count)), np.inf)
    names = np.full(values.shape, -1)
    values[place], names[place] = value, name
    order = np.argsort(values, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(names, order, 1), np.take_along_axis(values, order, 1)


def _ranks(sizes: Ints) -> Ints:
    """Count from 0 in each of several runs: sizes (2, 3) give 0 1 0 1 2."""
    ends = np.cumsum(sizes)
    return np.arange(int(ends[-1])) - np.repeat(ends - sizes, sizes)


def _blocks(points: Floats, enough: int) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Give every point once, with what lies around it, as (points (r,), row of each candidate (m,), candidates (m,)).

    The cells are as large as it takes to find `enough` points, and as small as it takes to find no crowd.
    """
    low = points.min(axis=0)
    place = points - low
    width, height = place.max(axis=0).tolist()
    longest = max(width, height)
    if longest == 0:
        longest = 1.0
    # An area that is all width still wants cells of some size; 2^20 cells a side keep cell numbers small.
    area = max(width, longest / len(points)) * max(height, longest / len(points))
    side = max(float(np.sqrt(area * _POINTS_PER_CELL / len(points))), longest / 2**20)
    everything = np.arange(len(points))
    first = _Grid(place, side)
    first_start, first_size = first.around(everything)
    few, many = first_size.sum(axis=0) < enough, first_size.sum(axis=0) > _CROWD
    yield from _listed(everything, first, everything, first_start, first_size, ~(few | many))
    step = 1
    rest = everything[few]
    while len(rest):
        grid = _Grid(place, side * 2.0**step)
        start, size = grid.around(rest)
        done = size.sum(axis=0) >= enough
        yield from _listed(rest, grid, rest, start, size, done)
        rest, step = rest[~done], step + 1
    step = 1
    rest, coarse, start, size = everything[many], first, first_start[:, many], first_size[:, many]
    while len(rest):
        grid = _Grid(place, max(side * 0.5**step, longest / 2**30))
        finer_start, finer_size = grid.around(rest)
        number = finer_size.sum(axis=0)
        empty = (number < enough) | (step >= _HALVINGS)
        yield from _listed(rest, coarse, rest, start, size, empty)
        done = ~empty & (number <= _CROWD)
        yield from _listed(rest, grid, rest, finer_start, finer_size, done)
        left = ~(empty | done)
        rest, coarse, start, size = rest[left], grid, finer_start[:, left], finer_size[:, left]
        step += 1


class _Grid:
    """Points sorted by square cells, row after row."""

    def __init__(self, place: Floats, side: float) -> None:
        column, row = (place / side).astype(np.int64).T + 1
        self.columns = int(column.max()) + 2
        self.cell = row * self.columns + column
        self.order = np.argsort(self.cell, kind="stable")
        self.sorted = self.cell[self.order]

    def around(self, which: Ints) -> tuple[Ints, Ints]:
        """Where in `order` the three rows of cells around points (r,) begin, and how long they are: (3, r) each."""
        left = self.cell[which] + np.array([[-self.columns], [0], [self.columns]]) - 1
        start = np.searchsorted(self.sorted, left)
        return start, np.searchsorted(self.sorted, left + 3) - start

    def toward(self, which: Ints, quadrant: Ints) -> tuple[Ints, Ints]:
        """The same for the two rows of two cells, one of them the point's own, that lie in a quadrant: (2, r) each."""
        beside = np.where(quadrant >= 2, self.columns, -self.columns)
        left = self.cell[which] + np.stack([np.zeros_like(beside), beside]) - (quadrant % 2 == 0)
        start = np.searchsorted(self.sorted, left)
        return start, np.searchsorted(self.sorted, left + 2) - start


def _listed(
    rows: Ints, grid: _Grid, points: Ints, start: Ints, size: Ints, chosen: npt.NDArray[np.bool_]
) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Write out the candidates of the chosen rows, as `_blocks` gives them; `points` are those that rows stand for."""
    if not chosen.any():
        return
    rows, points, start, size = rows[chosen], points[chosen], start[:, chosen], size[:, chosen]
    if size.sum(axis=0).max() > _CROWD:
        # Of each row of cells those that are sorted next to the point itself.
        own = np.empty(len(grid.order), np.int64)
        own[grid.order] = np.arange(len(own))
        begin = np.clip(own[points] - _ROW_LIMIT // 2, start, np.maximum(start, start + size - _ROW_LIMIT))
        start, size = np.where(size > _ROW_LIMIT, begin, start), np.minimum(size, _ROW_LIMIT)
    number = size.sum(axis=0)
    pieces = max(1, -(-int(number.sum()) // _CHUNK))
    for part in np.array_split(np.arange(len(rows)), pieces):
        runs = size[:, part].T.ravel()
        of = np.repeat(np.arange(len(part)), number[part])
        yield rows[part], of, grid.order[np.repeat(start[:, part].T.ravel(), runs) + _ranks(runs)]
