"""Planar arrangements: segments cut at all their crossings, and the outer boundary of what they enclose.

Segments have whole-number ends (a fine grid), so that "left of", "on" and "crosses" are decided exactly, in int64.
Crossings are rounded to the grid by snap rounding, which keeps the arrangement planar (Hobby 1999, "Practical segment
intersection with finite precision output", Computational Geometry 13).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import InputError

Integers = npt.NDArray[np.int64]

GRID_BITS = 30
"""Coordinates are 0 .. 2**30: a cross product of two differences is below 2**61 and fits an int64, doubled too."""

_KEY_BITS = 31
_BAND_BITS = 22
"""Height of the bands in which long segments are looked at, 256 of them; but see `_passed`."""

_MOST_BANDS = 512

_FEW_PAIRS = 100_000
"""So many are compared one by one, which is quicker than sorting."""

_MOST_PAIRS = 2_000_000
"""So many pairs are looked at in one go, which bounds the memory it takes."""

MOST_COMPARED = 50_000_000
"""Pairs that a drawing may make us look at in one go, a few seconds' worth. A scribble of n lines has n**2 of them, and
once it is cut at its crossings, of which there are as many, n**3."""

MOST_MEETINGS = 500_000
"""Places where the lines of a drawing may meet, for the memory that they take."""

_ROUNDS = 8
"""One round of snap rounding is enough but for ties; each further one looks whether that was so."""


Pairs = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
"""Two index arrays of one length, an entry of each for one pair."""


_FIRST_REACH = 3
"""A point that lay on a segment may be more than half a cell beside it when both are rounded to the grid: in the first
round segments are led through the points of one and a half cells to either side."""


def box_pairs(
    low: npt.NDArray[Any],
    high: npt.NDArray[Any],
    other_low: npt.NDArray[Any],
    other_high: npt.NDArray[Any],
    *,
    bounded: bool = False,
) -> Iterator[Pairs]:
    """Which boxes (n, 2) touch or overlap which others (m, 2): index pairs, some millions at a time at most.

    Raises:
        InputError: `bounded`, and that takes looking at over MOST_COMPARED pairs.
    """
    if not (len(low) and len(other_low)):
        return
    if len(low) * len(other_low) <= _FEW_PAIRS:
        meet = (low[:, :1] <= other_high[:, 0]) & (high[:, :1] >= other_low[:, 0])
        meet &= (low[:, 1:] <= other_high[:, 1]) & (high[:, 1:] >= other_low[:, 1])
        one, other = np.nonzero(meet)
        yield one, other
        return
    # Boxes that begin left of another by more than the widest of them do not meet it; so like is sorted with like.
    _, widths = np.frexp((other_high[:, 0] - other_low[:, 0]).astype(np.float64))
    compared = 0
    for width in np.unique(widths):
        some = np.flatnonzero(widths == width)
        boxes = low, high, other_low[some], other_high[some]
        reach = _Reach.of(*boxes, 1)
        if (count := int(reach.counts.sum())) > _MOST_PAIRS:
            reach = _Reach.of(*boxes, _bands(*boxes))
            count = int(reach.counts.sum())
        compared += count
        if bounded:
            check_tangle(compared, MOST_COMPARED)
        for one, other in _swept(*boxes, reach):
            yield one, some[other]


def _bands(
    low: npt.NDArray[Any], high: npt.NDArray[Any], other_low: npt.NDArray[Any], other_high: npt.NDArray[Any]
) -> int:
    """Into how many bands the page is cut, so that few boxes are in more than two of them."""
    whole = max(high[:, 1].max(), other_high[:, 1].max()) - min(low[:, 1].min(), other_low[:, 1].min())
    usual = max((high[:, 1] - low[:, 1]).mean(), (other_high[:, 1] - other_low[:, 1]).mean())
    return int(np.clip(whole / (2 * max(usual, whole / _MOST_BANDS)), 1, _MOST_BANDS)) if whole > 0 else 1


def check_tangle(count: int, most: int) -> None:
    """Refuse lines that meet, or may meet, in over `most` places.

    Raises:
        InputError: they do.
    """
    if count > most:
        raise InputError(
            f"lines: are too tangled to tell what they enclose (over {most} places to look at); simplify them"
        )


@dataclass(frozen=True)
class _Reach:
    """Which others may meet each box: those that begin not far left of it, in each of the bands that it is in."""

    order: npt.NDArray[np.intp]
    """Of the others, by band and left side."""
    other_top: npt.NDArray[np.intp]
    """The first band that each of these is in."""
    box: npt.NDArray[np.intp]
    top: npt.NDArray[np.intp]
    """The first band that the box is in; a pair counts in the first that both are in."""
    band: npt.NDArray[np.intp]
    first: npt.NDArray[np.intp]
    counts: npt.NDArray[np.intp]

    @classmethod
    def of(
        cls,
        low: npt.NDArray[Any],
        high: npt.NDArray[Any],
        other_low: npt.NDArray[Any],
        other_high: npt.NDArray[Any],
        bands: int,
    ) -> _Reach:
        upper = min(low[:, 1].min(), other_low[:, 1].min())
        step = (max(high[:, 1].max(), other_high[:, 1].max()) - upper) / bands or 1
        box, top, band = _spread((low[:, 1] - upper) // step, (high[:, 1] - upper) // step)
        other, other_top, other_band = _spread((other_low[:, 1] - upper) // step, (other_high[:, 1] - upper) // step)
        order = np.lexsort((other_low[other, 0], other_band))
        lefts, cuts = other_low[other[order], 0], np.searchsorted(other_band[order], np.arange(bands + 2))
        widest = (other_high[:, 0] - other_low[:, 0]).max()
        first, last = np.zeros(len(box), np.intp), np.zeros(len(box), np.intp)
        for number in range(bands + 1):
            here, some = np.flatnonzero(band == number), lefts[cuts[number] : cuts[number + 1]]
            first[here] = np.searchsorted(some, low[box[here], 0] - widest, "left") + cuts[number]
            last[here] = np.searchsorted(some, high[box[here], 0], "right") + cuts[number]
        return cls(other[order], other_top[order], box, top, band, first, np.maximum(last - first, 0))


def _spread(
    top: npt.NDArray[Any], bottom: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Boxes that reach from one band to another: for each box and band the box, its first band, and the band."""
    top, bottom = top.astype(np.intp), bottom.astype(np.intp)
    count = bottom - top + 1
    box = np.repeat(np.arange(len(top)), count)
    return box, top[box], np.arange(len(box)) - np.repeat(np.cumsum(count) - count - top, count)


def _swept(
    low: npt.NDArray[Any],
    high: npt.NDArray[Any],
    other_low: npt.NDArray[Any],
    other_high: npt.NDArray[Any],
    reach: _Reach,
) -> Iterator[Pairs]:
    """Do the work of `box_pairs` for others of about the same width."""
    for row, place in _listed(reach.first, reach.counts):
        one, other = reach.box[row], reach.order[place]
        meet = (other_high[other, 0] >= low[one, 0]) & (other_low[other, 1] <= high[one, 1])
        meet &= other_high[other, 1] >= low[one, 1]
        meet &= np.maximum(reach.top[row], reach.other_top[place]) == reach.band[row]
        yield one[meet], other[meet]


def _listed(first: npt.NDArray[np.intp], counts: npt.NDArray[np.intp]) -> Iterator[Pairs]:
    """Each number with each of the `counts` places from `first` on, some millions of pairs at a time at most."""
    ends = np.cumsum(counts, dtype=np.int64)
    done = 0
    while done < len(counts):
        start = int(ends[done] - counts[done])
        last = max(done + 1, int(np.searchsorted(ends, start + _MOST_PAIRS, "right")))
        size = counts[done:last]
        one = np.repeat(np.arange(done, last), size)
        within = np.arange(len(one)) - np.repeat(np.cumsum(size) - size, size)
        yield one, np.repeat(first[done:last], size) + within
        done = last


def arrange(starts: Integers, ends: Integers) -> tuple[Integers, npt.NDArray[np.intp]]:
    """Cut segments, given by their ends (n, 2), at all crossings and touches.

    Returns:
        The vertices (k, 2) in ascending order of (x, y), and the edges (m, 2) as indices into them, the smaller first.
        Edges meet in vertices only; no edge is there twice or has length zero.

    Raises:
        InputError: they cross in too many places.
    """
    edges = _unique_edges(_keys(starts), _keys(ends))
    for number in range(_ROUNDS):
        cut = _cut(edges, 1 if number else _FIRST_REACH)
        if cut is not None:
            edges = cut
        elif number:
            break
    keys, inverse = np.unique(edges, return_inverse=True)
    return _points(keys), inverse.reshape(-1, 2)


def outer_loops(vertices: Integers, edges: npt.NDArray[np.intp]) -> list[list[int]]:
    """The boundary of all that the edges of an arrangement enclose, holes filled.

    Edges with the outside on both of their sides (loose ends, bridges between two shapes) are left out.

    Returns:
        Simple polygons as lists of vertices, all in the same direction (the enclosed lies to the left where y points
        up). They may lie inside each other, and touch in vertices; their edges do not cross.
    """
    if len(edges) < 3:
        return []
    onward, outside = _faces(vertices, edges)
    count = len(edges)  # half-edge h and its twin, h + count or h - count
    tails = np.concatenate([edges[:, 0], edges[:, 1]]).tolist()
    follow, seen = onward.tolist(), [False] * (2 * count)
    loops: list[list[int]] = []
    for first in np.flatnonzero(outside & ~np.roll(outside, count)).tolist():
        walk: list[int] = []
        half = first
        while not seen[half]:
            seen[half] = True
            walk.append(tails[half])
            half = follow[half]
        loops += _simple_loops(walk)
    return loops


def _keys(points: Integers) -> Integers:
    """One number for each grid point, in the order of (x, y)."""
    return (points[:, 0] << _KEY_BITS) | points[:, 1]


def _points(keys: Integers) -> Integers:
    return np.stack([keys >> _KEY_BITS, keys & ((1 << _KEY_BITS) - 1)], axis=-1)


def _unique_edges(one: Integers, other: Integers) -> Integers:
    """Pairs of keys (m, 2), the smaller first, each once, without those of length zero."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    order = np.lexsort((high, low))
    low, high = low[order], high[order]
    keep = low < high
    keep[1:] &= (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    return np.stack([low[keep], high[keep]], axis=1)


def _cut(edges: Integers, reach: int) -> Integers | None:
    """Cut edges at their crossings and at the vertices in whose grid cells they come; None where nothing is cut.

    Every edge is then led through those vertices. A `reach` of 1 is half a cell to each side along each axis: then
    edges never pass over a vertex (snap rounding); a longer one may make new crossings, to be cut in the next round.
    """
    starts, ends = _points(edges[:, 0]), _points(edges[:, 1])
    low, high = np.minimum(starts, ends), np.maximum(starts, ends)
    one, other, crossings = _crossings(starts, ends, low, high)
    crossing_keys = _keys(crossings)
    keys = np.unique(np.concatenate([edges.ravel(), crossing_keys]))
    hot = _points(keys)
    cuts = [(one, crossing_keys), (other, crossing_keys)]
    for edge, vertex in _passed(starts, ends, reach // 2, hot):
        step, away = ends[edge] - starts[edge], hot[vertex] - starts[edge]
        near = 2 * np.abs(cross_product(step, away)) < reach * np.abs(step).sum(axis=1)
        along = (step * away).sum(axis=1)
        near &= (along > 0) & (along < (step * step).sum(axis=1))
        cuts.append((edge[near], keys[vertex[near]]))
    edge, keys = (np.concatenate(each) for each in zip(*cuts, strict=True))
    if len(edge) == 0:
        return None
    numbers = np.arange(len(edges))
    edge = np.concatenate([numbers, edge, numbers])
    keys = np.concatenate([edges[:, 0], keys, edges[:, 1]])
    along = ((_points(keys) - starts[edge]) * (ends - starts)[edge]).sum(axis=1)
    order = np.lexsort((along, edge))
    edge, keys = edge[order], keys[order]
    same = edge[1:] == edge[:-1]
    cut = _unique_edges(keys[:-1][same], keys[1:][same])
    return None if np.array_equal(cut, edges) else cut


def _passed(starts: Integers, ends: Integers, reach: int, hot: Integers) -> Iterator[Pairs]:
    """Which segments come near which points: of the pairs in whose box, by `reach` larger, the point is, all that do.

    A long segment across the page has most points in its box and hardly one beside it; so it is looked at band by band.
    """
    low, high = np.minimum(starts, ends) - reach, np.maximum(starts, ends) + reach
    if len(starts) * len(hot) <= _FEW_PAIRS:
        yield from box_pairs(low, high, hot, hot)
        return
    top, bits = np.maximum(low[:, 1], 0), _BAND_BITS
    while int(((high[:, 1] >> bits) - (top >> bits) + 1).sum()) > max(_MOST_PAIRS, 2 * len(starts)):
        bits += 1  # for the memory it takes: segments that are all long are better off with few bands
    keys = (hot[:, 1] >> bits << _KEY_BITS) | hot[:, 0]
    order = np.argsort(keys)
    keys, last = keys[order], (1 << _KEY_BITS) - 1
    segment, _, band = _spread(top >> bits, high[:, 1] >> bits)
    left, right = _between(starts[segment], ends[segment], band << bits, (band + 1) << bits, reach)
    left, right = np.maximum(left, low[segment, 0]), np.minimum(right, high[segment, 0])
    first = np.searchsorted(keys, (band << _KEY_BITS) | left.clip(0, last), "left")
    counts = (np.searchsorted(keys, (band << _KEY_BITS) | right.clip(0, last), "right") - first).clip(0)
    check_tangle(int(counts.sum()), MOST_COMPARED)
    for one, place in _listed(first, counts):
        edge, vertex = segment[one], order[place]
        inside = (hot[vertex, 1] >= low[edge, 1]) & (hot[vertex, 1] <= high[edge, 1])
        yield edge[inside], vertex[inside]


def _between(
    starts: Integers, ends: Integers, upper: Integers, lower: Integers, reach: int
) -> tuple[Integers, Integers]:
    """The least and the largest x of segments between two heights, or `reach` and a cell or two beyond."""
    steps = (ends - starts).astype(np.float64)
    rise = np.where(steps[:, 1] == 0, 1.0, steps[:, 1])  # of a level segment all x count
    shares = [(height - starts[:, 1]) / rise for height in (upper - reach - 2, lower + reach + 2)]
    level = steps[:, 1] == 0
    shares = [np.where(level, whole, np.clip(share, 0, 1)) for share, whole in zip(shares, (0.0, 1.0), strict=True)]
    one, other = (starts[:, 0] + np.rint(share * steps[:, 0]).astype(np.int64) for share in shares)
    return np.minimum(one, other) - reach - 2, np.maximum(one, other) + reach + 2


def _crossings(
    starts: Integers, ends: Integers, low: Integers, high: Integers
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Integers]:
    """Pairs of segments that cross between their ends, and the grid points (n, 2) nearest to where they do."""
    found = [(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros((0, 2), np.int64))]
    count = 0
    for one, other in box_pairs(low, high, low, high, bounded=True):
        one, other = one[one < other], other[one < other]
        step, other_step = (ends - starts)[one], (ends - starts)[other]
        before = cross_product(other_step, starts[one] - starts[other])
        after = cross_product(other_step, ends[one] - starts[other])
        cross = np.sign(before) * np.sign(after) < 0
        cross &= (
            np.sign(cross_product(step, starts[other] - starts[one]))
            * np.sign(cross_product(step, ends[other] - starts[one]))
            < 0
        )
        one, other, before, after = one[cross], other[cross], before[cross], after[cross]
        share = before / (before - after)  # the signs differ: no digits are lost
        count += len(one)
        check_tangle(count, MOST_MEETINGS)
        found.append((one, other, starts[one] + np.rint(step[cross] * share[:, None]).astype(np.int64)))
    ones, others, crossings = (np.concatenate(each) for each in zip(*found, strict=True))
    return ones, others, crossings


def _faces(vertices: Integers, edges: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """For each half-edge the next one around the face to its left, and whether that face is the outside.

    Half-edges are the edges forward, then all of them backward.
    """
    count = len(edges)
    tails, heads = np.concatenate([edges[:, 0], edges[:, 1]]), np.concatenate([edges[:, 1], edges[:, 0]])
    step = vertices[heads] - vertices[tails]
    # Two edges of one vertex are half a cell apart at the end of the shorter one, over 2**-32 as angle: floats do.
    order = np.lexsort((np.arctan2(step[:, 1], step[:, 0]), tails))
    place = np.empty_like(order)
    place[order] = np.arange(2 * count)
    sorted_tails = tails[order]
    first = np.searchsorted(sorted_tails, sorted_tails, "left")
    last = np.searchsorted(sorted_tails, sorted_tails, "right") - 1
    numbers = np.arange(2 * count)
    clockwise = order[np.where(numbers == first, last, numbers - 1)]
    onward = clockwise[place[np.roll(numbers, count)]]
    face, jump = numbers, onward
    for _ in range(int(2 * count).bit_length()):  # each round looks twice as far ahead
        face, jump = np.minimum(face, face[jump]), jump[jump]
    area = np.zeros(2 * count, np.int64)
    # Sums may pass the range of an int64 on their way, and come back into it: the end result fits.
    np.add.at(area, face, cross_product(vertices[tails], vertices[heads]))
    outside: npt.NDArray[np.bool_] = area[face] <= 0  # faces that are enclosed are walked around counter-clockwise
    return onward, outside


def _simple_loops(walk: list[int]) -> list[list[int]]:
    """Part a closed walk of vertices into loops that visit each vertex once, and turn their direction.

    A walk out along a loose end and back parts into loops of two vertices, which are dropped.
    """
    loops: list[list[int]] = []
    path: list[int] = []
    at: dict[int, int] = {}
    for vertex in [*walk, *walk[:1]]:
        if vertex in at:
            loop = path[at[vertex] :]
            for passed in loop:
                del at[passed]
            del path[len(path) - len(loop) :]
            if len(loop) > 2:
                loops.append(loop[::-1])
        at[vertex] = len(path)
        path.append(vertex)
    return loops


def cross_product(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The cross products of two rows of vectors, (n, 2) each: positive where `other` lies clockwise, y down."""
    product: npt.NDArray[Any] = one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]
    return product
