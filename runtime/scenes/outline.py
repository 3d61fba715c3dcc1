"""The outline of a drawing: the boundary of all that its lines enclose, small gaps between them closed.

Drawn lines hardly ever close exactly: an end overshoots, stops short, or several lines make the shape together. So
ends of lines are joined by straight bridges to the lines that they come near to, the lines and bridges are cut at all
their crossings, and the outline is the boundary of what cannot be reached from outside without crossing one of them.
Holes count as enclosed: a thing hides what is behind it with all that it surrounds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.scenes.planar import (
    GRID_BITS,
    MOST_MEETINGS,
    arrange,
    box_pairs,
    check_tangle,
    cross_product,
    outer_loops,
)
from sketch_edge.runtime.sketch import bounds_of, checked_lines

Floats = npt.NDArray[np.float64]
Meetings = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]

GAP_SHARE = 0.06
"""An end this near to a line, as a share of the drawing's larger side, is joined to it."""

SMALLEST = 1e-9
"""A drawing smaller than this is a dot."""

MOST_BRIDGES = 50_000
"""Bridges of a drawing; a drawn thing has ten."""

MANY_BRIDGES, NEAREST = 2000, 4
"""Where there are over so many, an end has bridges to its own line and the nearest others alone: the ends of hatching
are near to dozens of others, and bridges to all of them would cross in millions of places."""

LOOP_SHARE = 0.2
"""An end is joined to its own line over any gap up to this share of the way along the line: a bow that is all but
closed is closed, whatever its size, and small hooks stay."""

LOOP_AREA = 2.0
"""... if the loop encloses so many squares of the gap: closing is then more likely meant than not."""


def outline(lines: Sequence[npt.ArrayLike], *, gap_share: float = GAP_SHARE) -> list[Floats]:
    """The polygons that bound what a drawing covers.

    Args:
        lines: arrays of shape (n, 2); n = 1 is a dot, which encloses nothing.
        gap_share: gaps up to this share of the drawing's larger side are closed, 0 to 1; 0 closes none.

    Returns:
        Simple polygons, arrays of shape (n, 2) with n >= 3, the last point joined to the first, all in the same
        direction; none lies inside another, though they may touch in points. An empty list for lines that enclose
        nothing. Points of the lines are taken as they are; crossings are right to 2**-27 of the larger side.

    Raises:
        InputError: a line is not of shape (n, 2) or not finite, `gap_share` is out of range, or the lines meet in too
            many places.
    """
    check_gap_share(gap_share)
    checked = [_without_repeats(line) for line in checked_lines(lines, "outline")]
    checked = [line for line in checked if len(line) > 1]
    bounds = bounds_of(checked)
    size = max(bounds.width, bounds.height)
    if size < SMALLEST:
        return []
    gaps = bridges(checked, gap_share * size) if gap_share else np.zeros((0, 2, 2))
    segments = np.concatenate([*(np.stack([line[:-1], line[1:]], axis=1) for line in checked), gaps])
    cell = 2.0 ** (math.frexp(size)[1] - GRID_BITS)  # a power of two: scaling by it loses no digit
    origin = np.array([bounds.left, bounds.top])
    grid = np.clip(np.rint((segments - origin) / cell), 0, 2**GRID_BITS).astype(np.int64)
    vertices, edges = arrange(grid[:, 0], grid[:, 1])
    loops = outer_loops(vertices, edges)
    points = _exact(vertices, grid.reshape(-1, 2), segments.reshape(-1, 2), origin, cell)
    return _outermost([points[loop] for loop in loops])


def _without_repeats(line: Floats) -> Floats:
    kept: Floats = line[np.concatenate([[True], (line[1:] != line[:-1]).any(axis=1)])]
    return kept


def check_gap_share(gap_share: float) -> None:
    """Refuse what is no share.

    Raises:
        InputError: not a number from 0 to 1.
    """
    if not isinstance(gap_share, int | float | np.number) or not 0 <= gap_share <= 1:  # false for nan too
        raise InputError(f"gap_share {gap_share!r}: choose a number, 0 (close no gaps) to 1")


@dataclass(frozen=True)
class _Segments:
    """The straight parts of all lines, none of length zero; arrays of length n."""

    starts: Floats
    """(n, 2)"""
    steps: Floats
    """(n, 2)"""
    lengths: Floats
    owner: npt.NDArray[np.intp]
    """Which line."""
    way: Floats
    """How long the line is before each."""
    swept: Floats
    """Twice the area between the line before each and the first point of the line."""

    @classmethod
    def of(cls, lines: Sequence[Floats]) -> _Segments:
        starts = np.concatenate([line[:-1] for line in lines])
        steps = np.concatenate([np.diff(line, axis=0) for line in lines])
        counts = [len(line) - 1 for line in lines]
        lengths = np.hypot(steps[:, 0], steps[:, 1])
        origin = np.repeat([line[0] for line in lines], counts, axis=0)
        swept = cross_product(starts - origin, steps)
        first = np.repeat(np.cumsum(counts) - counts, counts)
        way, swept = (np.cumsum(each) - each for each in (lengths, swept))
        return cls(
            starts, steps, lengths, np.repeat(np.arange(len(lines)), counts), way - way[first], swept - swept[first]
        )


def bridges(lines: Sequence[Floats], gap: float) -> Floats:
    """Segments, shape (n, 2, 2), from the ends of lines to other lines that are at most `gap` away, and to their own.

    Each goes to the nearest point of that line. There is none where the end overshoots: where its line meets the other
    so soon before the end that the bridge would enclose but a sliver. No line may repeat a point. Of over MANY_BRIDGES
    those to the NEAREST lines are kept.
    """
    parts = _Segments.of(lines)
    meetings = _meetings(parts)
    for most, limit in ((len(lines), MANY_BRIDGES), (NEAREST, MOST_BRIDGES)):
        found = _until(limit, _bridges_by_end(parts, lines, meetings, gap, most))
        if len(found) <= limit:
            break
    check_tangle(len(found), MOST_BRIDGES)
    return found


def _until(limit: int, bridges: Iterator[Floats]) -> Floats:
    """Bridges together, (n, 2, 2), up to those with which there are over `limit`."""
    found = [np.zeros((0, 2, 2))]
    count = 0
    for some in bridges:
        found.append(some)
        count += len(some)
        if count > limit:
            break
    return np.concatenate(found)


def _bridges_by_end(
    parts: _Segments, lines: Sequence[Floats], meetings: Meetings, gap: float, most: int
) -> Iterator[Floats]:
    """The bridges from each end of each line, as `_bridges_of` gives them."""
    totals = np.bincount(parts.owner, parts.lengths, len(lines))
    owners, others, ways = meetings
    first = np.searchsorted(owners, np.arange(len(lines) + 1)).tolist()
    for line, points in enumerate(lines):
        tails = np.full((2, len(lines)), np.inf)  # from each end, the way back to where the line meets each line
        met = slice(first[line], first[line + 1])
        other, way = others[met], ways[met]
        np.minimum.at(tails[0], other, way)
        np.minimum.at(tails[1], other, totals[line] - way)
        yield _bridges_of(parts, line, points[0], tails[0], gap, None, most)
        yield _bridges_of(parts, line, points[-1], tails[1], gap, totals[line], most)


def _bridges_of(
    parts: _Segments, line: int, end: Floats, tail: Floats, gap: float, total: float | None, most: int
) -> Floats:
    """The bridges from one end of a line, (n, 2, 2), to its own line and `most` others.

    `total`, its length, is given for the last end, None for the first.
    """
    squares = np.maximum(parts.lengths**2, 1e-300)  # of steps that are all but nothing, it is 0
    share = np.clip(((end - parts.starts) * parts.steps).sum(axis=1) / squares, 0, 1)
    nearest = parts.starts + share[:, None] * parts.steps
    away = np.hypot(*(nearest - end).T)
    own = parts.owner == line
    way = parts.way + share * parts.lengths
    way = way if total is None else total - way
    near = (away > 0) & (away <= LOOP_SHARE * tail[parts.owner])
    near &= np.where(own, away <= LOOP_SHARE * way, away <= gap)
    chosen = np.flatnonzero(near)
    if own[chosen].any():
        origin = parts.starts[own][0]
        swept = parts.swept + cross_product(parts.starts - origin, nearest - parts.starts)
        if total is not None:
            whole = parts.swept[own][-1] + cross_product(parts.starts[own][-1:] - origin, parts.steps[own][-1:])
            swept = whole - swept + cross_product(end[None] - origin, nearest - origin)
        chosen = chosen[~own[chosen] | (np.abs(swept[chosen]) >= 2 * LOOP_AREA * away[chosen] ** 2)]
    chosen = chosen[np.lexsort((away[chosen], parts.owner[chosen]))]
    _, first = np.unique(parts.owner[chosen], return_index=True)
    chosen = chosen[first]
    if len(chosen) > most:
        chosen = chosen[np.lexsort((away[chosen], ~own[chosen]))[: most + 1]]
    return np.stack([np.broadcast_to(end, (len(chosen), 2)), nearest[chosen]], axis=1)


def _meetings(parts: _Segments) -> Meetings:
    """Where lines cross or touch each other or themselves: line (ascending), other line, way along the line.

    Each is there both ways.
    """
    ends = parts.starts + parts.steps
    low, high = np.minimum(parts.starts, ends), np.maximum(parts.starts, ends)
    found = [(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0))]
    count = 0
    for one, other in box_pairs(low, high, low, high, bounded=True):
        apart = (np.abs(one - other) > 1) | (parts.owner[one] != parts.owner[other])
        one, other = one[apart], other[apart]
        before = cross_product(parts.steps[other], parts.starts[one] - parts.starts[other])
        after = cross_product(parts.steps[other], ends[one] - parts.starts[other])
        sides = cross_product(parts.steps[one], parts.starts[other] - parts.starts[one])
        sides *= cross_product(parts.steps[one], ends[other] - parts.starts[one])
        meet = (before * after <= 0) & (sides <= 0) & (before != after)
        share = before[meet] / (before - after)[meet]
        one, other = one[meet], other[meet]
        count += len(one)
        check_tangle(count, 2 * MOST_MEETINGS)  # each both ways
        found.append((parts.owner[one], parts.owner[other], parts.way[one] + share * parts.lengths[one]))
    lines, others, ways = (np.concatenate(each) for each in zip(*found, strict=True))
    order = np.argsort(lines, kind="stable")
    return lines[order], others[order], ways[order]


def _exact(
    vertices: npt.NDArray[np.int64], grid: npt.NDArray[np.int64], points: Floats, origin: Floats, cell: float
) -> Floats:
    """The places of vertices: as given where a segment ends in them, of its grid cell elsewhere."""
    places = origin + vertices * cell
    bits = GRID_BITS + 1
    keys, first = np.unique((grid[:, 0] << bits) | grid[:, 1], return_index=True)
    wanted = (vertices[:, 0] << bits) | vertices[:, 1]
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    given = keys[at] == wanted
    places[given] = points[first[at[given]]]
    return places


def _outermost(polygons: list[Floats]) -> list[Floats]:
    """Without those that lie inside another. The edges of polygons do not cross."""
    if len(polygons) < 2:
        return polygons
    starts = np.concatenate(polygons)
    ends = np.concatenate([np.roll(polygon, -1, axis=0) for polygon in polygons])
    # The middle of an edge: a vertex may touch the polygon around it.
    middles = np.array([(polygon[0] + polygon[1]) / 2 for polygon in polygons])
    owner = np.repeat(np.arange(len(polygons)), [len(polygon) for polygon in polygons])
    inside = [
        bool(windings(middle[None], starts[owner != number], ends[owner != number])[0])
        for number, middle in enumerate(middles)
    ]
    return [polygon for polygon, within in zip(polygons, inside, strict=True) if not within]


def windings(points: Floats, starts: Floats, ends: Floats) -> npt.NDArray[np.int64]:
    """How often polygons go around each point (n, 2): in how many it lies, if all have the same direction.

    The edges, `starts` to `ends` of shape (m, 2), may be those of several polygons, in any order. A point on an edge
    may count as inside or outside.
    """
    numbers = np.zeros(len(points), np.int64)
    for first in range(0, len(points), most := max(1, 1_000_000 // max(1, len(starts)))):
        x, y = points[first : first + most, 0, None], points[first : first + most, 1, None]
        up = (starts[:, 1] <= y) & (ends[:, 1] > y)
        down = (starts[:, 1] > y) & (ends[:, 1] <= y)
        row, edge = np.nonzero(up | down)
        a, b = starts[edge], ends[edge]
        side = (b[:, 0] - a[:, 0]) * (y[row, 0] - a[:, 1]) - (x[row, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
        rising = up[row, edge]
        counted = np.where(rising, side > 0, side < 0)
        signs = np.where(rising, 1, -1)[counted]
        np.add.at(numbers, first + row[counted], signs)
    return numbers
