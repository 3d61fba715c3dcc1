"""Lines linked to one round trip, the nearest ends first: what `tour` begins with.

Line i has the ends (nodes) 2 i and 2 i + 1; a link joins two nodes, and each node has exactly one.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.plot.near import nearest, nearest_beyond

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def neighbours(ends: Floats, count: int) -> tuple[Ints, Floats]:
    """The nodes nearest to each node (2 m, 2), own line left out, and how far they are: both (2 m, count).

    Where there are none, the node is 0 and the distance infinite; so it is for free nodes, which are nobody's either.
    """
    near = np.zeros((len(ends), count), np.int64)
    far = np.full((len(ends), count), np.inf)
    real = np.flatnonzero(~np.isnan(ends[:, 0]))
    index = np.full(len(ends), -1)
    index[real] = np.arange(len(real))
    found, far[real] = nearest(ends[real], count, index[real ^ 1])
    near[real] = np.where(found < 0, 0, real[found]) if len(real) else found
    return near, far


def ways_beyond(ends: Floats, near: Ints, far: Floats) -> tuple[Ints, Floats]:
    """Neighbours of each node in quadrants that hold none of `near`: as `neighbours`, both (2 m, 4), nearest first."""
    real = np.flatnonzero(~np.isnan(ends[:, 0]))
    index = np.full(len(ends), -1)
    index[real] = np.arange(len(real))
    who, whom = nearest_beyond(ends[real], np.where(far[real] < np.inf, index[near[real]], -1), index[real ^ 1])
    who, whom = real[who], real[whom]
    distance = np.hypot(*(ends[who] - ends[whom]).T)
    order = np.lexsort((distance, who))
    who, whom, distance = who[order], whom[order], distance[order]
    column = np.arange(len(who)) - np.searchsorted(who, who)
    beyond, away = np.zeros((len(ends), 4), np.int64), np.full((len(ends), 4), np.inf)
    beyond[who, column], away[who, column] = whom, distance
    return beyond, away


def mixed(near: Ints, far: Floats, beyond: Ints, away: Floats, width: int, most: int) -> tuple[Ints, Floats]:
    """The `width` neighbours that a search tries: up to `most` of those beyond, else the nearest; nearest first."""
    beyond, away = beyond[:, :most], away[:, :most]
    room = width - (away < np.inf).sum(axis=1)
    kept = np.where(np.arange(far.shape[1]) < room[:, None], far, np.inf)
    names, distance = np.concatenate([near, beyond], axis=1), np.concatenate([kept, away], axis=1)
    order = np.argsort(distance, axis=1, kind="stable")[:, :width]
    return np.take_along_axis(names, order, 1), np.take_along_axis(distance, order, 1)


def greedy(ends: Floats, near: Ints, far: Floats) -> Ints:
    """Link nodes, the shortest way first, wherever that closes no ring before all lines are in it; shape (2 m,).

    `near` and `far` as of `neighbours`; when these are used up, the ends of the paths made so far are looked at again.
    """
    size = len(ends)
    other = [node ^ 1 for node in range(size)]  # of an end of a path its other end
    link = [-1] * size
    names = np.arange(size)
    while True:
        for a, b in _shortest_first(names, near, far):
            if link[a] < 0 and link[b] < 0 and other[a] != b:
                link[a], link[b] = b, a
                end, beyond = other[a], other[b]
                other[end], other[beyond] = beyond, end
        before = len(names)
        names = np.flatnonzero((np.array(link) < 0) & ~np.isnan(ends[:, 0]))
        if len(names) <= 2 or len(names) == before:  # the latter only if every way to another path was overlooked
            break
        index = {name: i for i, name in enumerate(names.tolist())}
        mates = np.array([index.get(other[name], -1) for name in names.tolist()])
        near, far = nearest(ends[names], 5, mates)
        near = np.where(near < 0, 0, names[near])
    _close(link, other)
    return np.array(link)


def _shortest_first(names: Ints, near: Ints, far: Floats) -> Iterable[tuple[int, int]]:
    """Pairs of a node and one near to it, the nearest first; `far` also of those that are nobody's (infinite)."""
    row, column = np.nonzero(far < np.inf)
    a, b, d = names[row], near[row, column], far[row, column]
    last = np.full(int(names.max()) + 1, 0.0)
    last[names] = far[:, -1]
    once = np.flatnonzero((a < b) | (d >= last[b]))  # else b lists a as well
    order = once[np.argsort(d[once], kind="stable")]
    return zip(a[order].tolist(), b[order].tolist(), strict=True)


def _close(link: list[int], other: list[int]) -> None:
    """Link what is left, the last path's ends to each other or to free nodes, in place."""
    left = [node for node, to in enumerate(link) if to < 0]
    while left:
        a = left[0]
        b = next((node for node in left[1:] if other[a] != node), other[a])
        link[a], link[b] = b, a
        end, beyond = other[a], other[b]
        other[end], other[beyond] = beyond, end
        left = [node for node in left if node not in (a, b)]


def walk(link: Ints) -> Ints:
    """The nodes in the order of the tour that the links (2 m,) make, from node 0 on; shape (2 m,)."""
    partner = link.tolist()
    tour: list[int] = []
    node = 0
    for _ in range(len(partner) // 2):
        tour += (node, node ^ 1)
        node = partner[node ^ 1]
    return np.array(tour)
