"""A round trip over lines with two ends each, made short: greedy links, then a Lin-Kernighan search in numpy.

Line i has the ends (nodes) 2 i and 2 i + 1. A tour passes through every line from one end to the other; what can be
chosen are the **links**, the ways between the lines, exactly one at each node. So a tour is a perfect matching of the
nodes that makes one ring, and an exchange of k links turns one matching into another on the same 2 k nodes.

The search is that of Lin and Kernighan (1973, doi:10.1287/opre.21.2.498) in the form of Helsgaun (2000,
doi:10.1016/S0377-2217(99)00284-2): from a node t1 take away its link (t1, t2), add a short way (t2, t3), take away the
link of t3, and so on while more was taken away than added; whenever adding the way back to t1 closes one ring that is
shorter, that is a move. Here all nodes are searched at once, step by step in numpy, and the moves found that do not
touch each other are made. Only whether the exchange closes one ring is asked, not whether every part of it would.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.plot.links import greedy, mixed, neighbours, walk, ways_beyond

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

EPSILON = 1e-7
"""A gain of less than this many mm is none: it could be an error of rounding, and go round in circles."""

NEIGHBOURS = 8

WIDTHS = (8, 5, 5, 5, 5, 5, 5, 5, 5)
"""How many neighbours are tried at each step of the search, so also the most links exchanged at once, less one."""

WAYS_BEYOND = {8: 3, 5: 2}
"""How many of so many neighbours may be far ones, in quadrants that hold none of the nearest."""

SHALLOW = WIDTHS[:3]
"""The same for the first rounds, in which most moves are found at once."""

BEAM = 4
"""How many chains of each t1 go on from the second step on: those that have taken away most."""

CHUNK = 8192
"""Nodes searched at once: bounds the memory, and lets later ones see the moves of earlier ones."""

ROUND_WORK = 300
"""What a round costs beside its nodes, in nodes."""


class Tour:
    """A tour that can be made shorter. `ends` (2 m, 2) are the places of the nodes in mm, line after line.

    A node whose place is nan is free: it is at no distance from any other. `link` (2 m,) are the links to begin with;
    greedy ones where not given.
    """

    def __init__(self, ends: Floats, link: Ints | None = None) -> None:
        self.size = len(ends)
        self.x, self.y = np.ascontiguousarray(ends.T)
        self.free = np.flatnonzero(np.isnan(self.x))
        near, far = neighbours(ends, NEIGHBOURS)
        beyond = ways_beyond(ends, near, far)
        self.tables = {width: mixed(near, far, *beyond, width, most) for width, most in WAYS_BEYOND.items()}
        """For each number of neighbours that is looked at: which they are, and how far away; one row a node."""
        self.link = greedy(ends, near, far) if link is None else link.copy()
        self.tour = walk(self.link)
        """The nodes in the order of the tour: places 2 j and 2 j + 1 are where a line is entered and left."""
        self.place = np.empty(self.size, np.int64)
        self.place[self.tour] = np.arange(self.size)
        self.long = self.distance(np.arange(self.size), self.link)
        """How long the link of each node is."""

    @property
    def length(self) -> float:
        """The sum of all links, mm."""
        return float(self.long.sum() / 2)

    def distance(self, a: Ints, b: Ints) -> Floats:
        """How far nodes `a` and `b` are from each other, mm."""
        dx, dy = self.x[a] - self.x[b], self.y[a] - self.y[b]
        far: Floats = np.sqrt(dx * dx + dy * dy)
        if len(self.free):
            far[np.isnan(far)] = 0.0
        return far

    def improve(self, work: float) -> None:
        """Make the tour shorter until nothing more is found, or about `work` nodes were searched."""
        self.work = work
        self._update_free()
        self.settle(np.arange(self.size), SHALLOW, self.size // 10)
        while self.work > 0:
            before = self.length
            self._update_free()
            self.settle(np.arange(self.size), WIDTHS, self.size // 100)
            if self.length > before - EPSILON:
                break

    def settle(self, nodes: Ints, widths: tuple[int, ...], enough: int = 0) -> None:
        """Make the moves found from `nodes`, then from those touched, until at most `enough` nodes are left."""
        moved = True
        while moved and len(nodes) > enough and self.work > 0:
            moved = False
            waiting: set[int] = set()
            for begin in range(0, len(nodes), CHUNK):
                chunk = nodes[begin : begin + CHUNK]
                self.work -= len(chunk) + ROUND_WORK
                touched: set[int] = set()
                for move in self._moves(chunk, widths):
                    if touched.isdisjoint(move) and self.relink(move):
                        touched.update(move)
                    else:
                        waiting.add(move[-1])
                self.measure(touched)
                waiting |= touched
                moved = moved or bool(touched)
            nodes = np.array(sorted(waiting), np.int64)

    def relink(self, pairs: list[int]) -> bool:
        """Exchange the links of the nodes in `pairs` for links between pairs[0] and pairs[1], pairs[2] and pairs[3] ...

        The nodes must be both ends of the links taken away. False, and nothing done, if that were more than one ring.
        """
        places = self.place[pairs].tolist()
        column = {place: i for i, place in enumerate(places)}
        lasts = sorted(place for place in places if place & 1)
        firsts = [lasts[-1] + 1 - self.size, *(last + 1 for last in lasts[:-1])]  # the first one may begin before 0
        sizes = [last - first for first, last in zip(firsts, lasts, strict=True)]
        of_first = {first % self.size: i for i, first in enumerate(firsts)}
        of_last = {last: i for i, last in enumerate(lasts)}
        resting = sizes.index(max(sizes))
        pieces: list[Ints] = []
        at = lasts[resting]
        while True:
            at = places[column[at] ^ 1]
            backwards = bool(at & 1)
            i = of_last[at] if backwards else of_first[at]
            if i == resting or len(pieces) == len(lasts) - 1:
                break
            piece = self._piece(firsts[i], lasts[i] + 1)
            pieces.append(piece[::-1] if backwards else piece)
            at = firsts[i] % self.size if backwards else lasts[i]
        if i != resting or backwards or len(pieces) != len(lasts) - 1:
            return False
        self._write(lasts[resting] + 1, np.concatenate(pieces))
        self.link[pairs] = [pairs[i ^ 1] for i in range(len(pairs))]
        return True

    def _piece(self, first: int, end: int) -> Ints:
        """The nodes at places `first` to `end`; places below 0 are counted from the end of the tour."""
        return self.tour[first:end] if first >= 0 else np.concatenate([self.tour[first:], self.tour[:end]])

    def _write(self, first: int, nodes: Ints) -> None:
        end = first + len(nodes)
        if end <= self.size:
            self.tour[first:end] = nodes
            self.place[nodes] = np.arange(first, end)
        else:
            places = np.arange(first, end) % self.size
            self.tour[places] = nodes
            self.place[nodes] = places

    def measure(self, nodes: Iterable[int]) -> None:
        """Bring `long` up to date at nodes whose links were exchanged."""
        changed = np.fromiter(nodes, np.int64)
        self.long[changed] = self.distance(changed, self.link[changed])

    def _update_free(self) -> None:
        """A free node is near to all others; what it had best be linked to are nodes with the longest links."""
        for node in self.free.tolist():
            others = np.flatnonzero((np.arange(self.size) | 1) != (node | 1))
            best = others[np.argsort(-self.long[others], kind="stable")][:NEIGHBOURS]
            for width, (near, far) in self.tables.items():
                near[node, : len(best)] = best[:width]
                far[node, : len(best)] = 0.0

    def _moves(self, nodes: Ints, widths: tuple[int, ...] = WIDTHS) -> list[list[int]]:
        """Find moves from each of `nodes` as t1, the largest gain first, each as `relink` takes it.

        A move (t2, t3, t4, ..., t1) adds the links t2-t3, t4-t5, ... and takes away t1-t2, t3-t4, ...
        """
        edge = np.minimum(np.arange(self.size), self.link)  # names the link of a node
        chain = [nodes, self.link[nodes]]
        edges = [edge[nodes]]
        gain = self.long[nodes]
        gains: list[float] = []
        moves: list[list[int]] = []
        moving = np.zeros(self.size, bool)
        for step, width in enumerate(widths):
            near, far = self.tables[width]
            rest = (gain[:, None] - far.take(chain[-1], axis=0)).ravel()
            possible = np.flatnonzero(rest > EPSILON)
            row = possible // width
            node = near.take(chain[-1], axis=0).ravel()[possible]
            taken = edge[node]
            fresh = taken != edges[0][row]
            for each in edges[1:]:
                fresh &= taken != each[row]
            row, node = row[fresh], node[fresh]
            end = self.link[node]
            origin = chain[0][row]
            gain = rest[possible[fresh]] + self.long[node]
            total = gain - self.distance(end, origin)
            good = np.flatnonzero(total > EPSILON)
            if len(good):
                found = np.stack(
                    [*(each[row[good]] for each in chain[1:]), node[good], end[good], origin[good]], axis=1
                )
                ring = self._closes(found)
                moving[origin[good[ring]]] = True
                gains += total[good[ring]].tolist()
                moves += found[ring].tolist()
            keep = np.flatnonzero(~moving[origin])
            if step and len(keep):
                keep = keep[_largest(origin[keep], gain[keep], BEAM)]
            if not len(keep):
                break
            row, node, gain = row[keep], node[keep], gain[keep]
            chain = [*(each[row] for each in chain), node, end[keep]]
            edges = [*(each[row] for each in edges), edge[node]]
        order = np.argsort(-np.array(gains), kind="stable").tolist()
        return [moves[i] for i in order]

    def _closes(self, moves: Ints) -> Flags:
        """Whether each exchange (n, 2 k), written as `relink` takes it, leaves one ring; shape (n,)."""
        count, width = moves.shape
        places = self.place[moves]
        order = np.argsort(places, axis=1)  # no two are equal
        rank = np.empty_like(order)
        rows = np.arange(count)
        rank[rows[:, None], order] = np.arange(width)
        # Ranks next to each other are the ends of a piece that stays; where the lowest place is one where a line is
        # left, the pieces are (1, 2), (3, 4) ... and (last, 0), else (0, 1), (2, 3) ...
        odd = places[rows, order[:, 0]] & 1
        at = np.zeros(count, np.int64)
        ring = np.ones(count, bool)
        for step in range(width // 2):
            across = (((at - odd) ^ 1) + odd) % width
            at = rank[rows, order[rows, across] ^ 1]
            ring &= (at == 0) == (step == width // 2 - 1)
        return ring


def _largest(of: Ints, value: Floats, count: int) -> Flags:
    """Whether each value is among the `count` largest of those with the same `of`, which stand together; shape (n,)."""
    if not len(of):
        return np.zeros(0, bool)
    begin = np.flatnonzero(np.concatenate([[True], of[1:] != of[:-1]]))
    sizes = np.diff(np.append(begin, len(of)))
    row = np.repeat(np.arange(len(begin)), sizes)
    table = np.full((len(begin), max(int(sizes.max()), count)), -np.inf)
    table[row, np.arange(len(of)) - begin[row]] = value
    limit = np.partition(table, -count, axis=1)[:, -count]
    return np.asarray(value >= limit[row])
