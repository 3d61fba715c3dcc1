"""Hidden lines: what lies behind the outline of a nearer object is cut away.

A pen cannot paint over what it has drawn. So before a scene goes to a plotter, each line of a farther object is cut
where it crosses the outline of a nearer one, and the parts inside are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.scene import Placed, Scene
from sketch_edge.runtime.scenes.outline import GAP_SHARE, Floats, check_gap_share, outline, windings
from sketch_edge.runtime.scenes.planar import MOST_MEETINGS, Pairs, box_pairs, check_tangle, cross_product

TOLERANCE_SHARE = 2.0**-27
"""What is this near to an outline lies on it, as a share of the outline's larger side: a nanometre for 130 mm,
and over what rounding costs anywhere."""

CRUMB_SHARE = 0.1
"""A piece that cutting leaves is dropped where it is shorter than this share of the pen's width: it lies within the
ink of the outline that it ends on."""


_AT_ONCE = 16
"""Lines are cut at the outlines of so many objects in one go: what these hide need not be compared with the others."""


@dataclass(frozen=True)
class Edges:
    """The edges of outlines, `starts` and `ends` of shape (m, 2), and how near to each counts as on it, (m,)."""

    starts: Floats
    ends: Floats
    tolerance: Floats


@dataclass(frozen=True)
class _Stops:
    """Points along the lines of one object, in drawing order: all its own points, and where it meets outlines."""

    line: npt.NDArray[np.intp]
    """Which line, (k,)."""
    segment: npt.NDArray[np.intp]
    """The index of the point before it, or of itself, into the points of all lines, (k,)."""
    places: Floats
    """Where it is, (k, 2)."""
    own: npt.NDArray[np.bool_]
    """A point of the line itself, (k,)."""
    run: npt.NDArray[np.intp]
    """Ascending numbers, (k,): stops of the same number have no outline between them and the stop after the last."""


def hide(scene: Scene, *, gap_share: float = GAP_SHARE) -> Scene:
    """Remove from each object what lies behind the outline of a nearer one (of smaller `depth`).

    Outlines are those of `sketch_edge.runtime.scenes.outline.outline`, of the objects as they are given: what is itself
    hidden still hides. Lines are cut exactly where they cross an outline, the pieces stay in order and direction, in
    the place of the line; a line that is not cut keeps its points, bit for bit. What lies along an outline (or a dot
    on it) is removed too, for the nearer object draws it. A piece left by cutting is dropped where it is shorter than
    a tenth of the pen's width. Nothing else is lost or kept beyond 2**-26 of the nearer object's larger side.
    An object of which nothing is left stays, without lines.

    Hide once: what has been cut no longer closes, and hides less.

    Raises:
        InputError: `gap_share` is no number from 0 to 1, or lines meet in too many places.
    """
    check_gap_share(gap_share)
    outlines: dict[int, Edges] = {}
    objects: list[Placed] = []
    for each, nearer in zip(scene.objects, _nearer(scene.objects), strict=True):
        lines, crumb = each.lines, scene.pens[each.pen].width_mm * CRUMB_SHARE
        for first in range(0, len(nearer), _AT_ONCE):
            fronts = nearer[first : first + _AT_ONCE]
            for front in fronts:
                if front not in outlines:
                    outlines[front] = _edges(scene, front, gap_share)
            lines = clip(lines, _joined([outlines[front] for front in fronts]), crumb)
            if not lines:
                break
        same = len(lines) == len(each.lines) and all(one is other for one, other in zip(lines, each.lines, strict=True))
        objects.append(each if same else replace(each, lines=lines))
    return replace(scene, objects=tuple(objects))


def _nearer(objects: Sequence[Placed]) -> Iterator[list[int]]:
    """For each object the nearer ones whose rectangles meet its own; those that share most with it come first."""
    boxes = np.array([[b.left, b.top, b.right, b.bottom] for b in (each.bounds for each in objects)]).reshape(-1, 4)
    depths = np.array([each.depth if each.lines else np.inf for each in objects])  # what is not there hides nothing
    for each, box in zip(objects, boxes, strict=True):
        shared = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
        nearer = np.flatnonzero((shared >= 0).all(axis=1) & (depths < each.depth))
        yield nearer[np.argsort(-shared[nearer].prod(axis=1), kind="stable")].tolist() if each.lines else []


def _edges(scene: Scene, number: int, gap_share: float) -> Edges:
    """The edges of the outline of an object."""
    each = scene.objects[number]
    try:
        polygons = outline(each.lines, gap_share=gap_share)
    except InputError as error:
        problem = f"object {number + 1} {each.label}: {error}"
        raise InputError(f"{problem}, or keep what is hidden (hidden = false)") from None
    if not polygons:
        return Edges(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))
    starts = np.concatenate(polygons)
    ends = np.concatenate([np.roll(polygon, -1, axis=0) for polygon in polygons])
    size = max(each.bounds.width, each.bounds.height)
    rounding = 2.0**-48 * np.abs(starts).max()  # far from the origin, coordinates themselves are coarse
    return Edges(starts, ends, np.full(len(starts), max(size * TOLERANCE_SHARE, rounding)))


def _joined(edges: Sequence[Edges]) -> Edges:
    return Edges(
        np.concatenate([each.starts for each in edges]),
        np.concatenate([each.ends for each in edges]),
        np.concatenate([each.tolerance for each in edges]),
    )


def clip(lines: Sequence[Floats], edges: Edges, crumb: float) -> tuple[Floats, ...]:
    """The parts of lines that lie outside all polygons; pieces shorter than `crumb` are dropped where a line is cut.

    Args:
        lines: arrays of shape (n, 2), n = 1 for dots.
        edges: the edges of polygons, all of the same direction; polygons may overlap.
        crumb: a length.
    """
    if not (lines and len(edges.starts)):
        return tuple(lines)
    stops, beside = _stops(lines, edges)
    hidden = _hidden_runs(stops, beside, edges)
    kept: list[Floats] = []
    first = np.searchsorted(stops.line, np.arange(len(lines) + 1)).tolist()
    for number, line in enumerate(lines):
        start, end = first[number], first[number + 1]
        runs = stops.run[start:end]
        if not hidden[runs].any():
            kept.append(line)
        else:
            kept += _visible(stops, start, end, hidden, crumb)
    return tuple(kept)


def _visible(stops: _Stops, start: int, end: int, hidden: npt.NDArray[np.bool_], crumb: float) -> list[Floats]:
    """The visible pieces of the line whose stops are `start` to `end`."""
    pieces: list[Floats] = []
    runs = stops.run[start:end]
    seen = ~hidden[runs[:-1]]  # between each stop and the next
    borders = np.flatnonzero(np.diff(np.concatenate([[False], seen, [False]])))
    for first, last in borders.reshape(-1, 2).tolist():
        chosen = start + np.arange(first, last + 1)
        chosen = chosen[stops.own[chosen] | (chosen == chosen[0]) | (chosen == chosen[-1])]
        piece = stops.places[chosen]
        if np.hypot(*np.diff(piece, axis=0).T).sum() >= crumb:
            pieces.append(piece)
    return pieces


def _hidden_runs(stops: _Stops, beside: Pairs, edges: Edges) -> npt.NDArray[np.bool_]:
    """Whether each run is hidden, told by the middle of its longest straight part; a dot by itself."""
    following = np.append(stops.line[1:] == stops.line[:-1], False)
    onward = np.concatenate([stops.places[1:], stops.places[-1:]])
    step = np.where(following[:, None], onward - stops.places, 0)
    length = np.hypot(step[:, 0], step[:, 1])
    order = np.lexsort((-length, stops.run))
    runs, first = np.unique(stops.run[order], return_index=True)
    longest = order[first]  # one stop for each run
    middles = stops.places[longest] + step[longest] / 2
    hidden = np.zeros(int(stops.run[-1]) + 1, bool)
    hidden[runs] = windings(middles, edges.starts, edges.ends) > 0
    dots = np.flatnonzero(length[longest] == 0)
    hidden[runs[dots[_on_edges(middles[dots], edges)]]] = True
    segment, edge = beside
    for number in np.flatnonzero(np.isin(stops.segment[longest], segment)).tolist():
        stop = longest[number]
        quarters = stops.places[stop] + step[stop] * np.array([[0.25], [0.75]])
        for each in edge[segment == stops.segment[stop]].tolist():
            away, _ = _nearest(quarters, edges.starts[[each]], edges.ends[[each]])
            if (away <= edges.tolerance[each]).all():  # then all between lies on the edge
                hidden[runs[number]] = True
    return hidden


def _on_edges(points: Floats, edges: Edges) -> npt.NDArray[np.intp]:
    """Which of the points (n, 2) lie on an edge; a number may come more than once."""
    pad = edges.tolerance[:, None]
    low, high = np.minimum(edges.starts, edges.ends) - pad, np.maximum(edges.starts, edges.ends) + pad
    found = [np.zeros(0, np.intp)]
    for point, edge in box_pairs(points, points, low, high):
        away, _ = _nearest(points[point], edges.starts[edge], edges.ends[edge])
        found.append(point[away <= edges.tolerance[edge]])
    return np.concatenate(found)


def _stops(lines: Sequence[Floats], edges: Edges) -> tuple[_Stops, Pairs]:
    """All stops of lines, and the pairs (segment, edge) that touch in more than one place."""
    points = np.concatenate(lines)
    line = np.repeat(np.arange(len(lines)), [len(each) for each in lines])
    segment, share, tolerance, beside = _meetings(points, line, edges)
    whole = share >= 1
    segment, share = segment + whole, np.where(whole, 0.0, share)
    numbers = np.arange(len(points))
    at = np.concatenate([numbers, segment])
    share = np.concatenate([np.zeros(len(points)), share])
    own = np.concatenate([np.ones(len(points), bool), np.zeros(len(segment), bool)])
    slack = np.concatenate([np.full(len(points), -1.0), tolerance])  # below 0: no outline here
    order = np.lexsort((~own, share, at))
    at, share, own, slack = at[order], share[order], own[order], slack[order]
    # A stop at a point of the line is that point, met by an outline.
    same = np.concatenate([[False], (at[1:] == at[:-1]) & (share[1:] == share[:-1])])
    slack = np.maximum.reduceat(slack, np.flatnonzero(~same))
    at, share, own = at[~same], share[~same], own[~same]
    onward = points[np.minimum(at + 1, len(points) - 1)]
    places = np.where(own[:, None], points[at], points[at] + share[:, None] * (onward - points[at]))
    stops = _Stops(line[at], at, places, own, _runs(line[at], places, slack))
    return stops, beside


def _runs(line: npt.NDArray[np.intp], places: Floats, slack: Floats) -> npt.NDArray[np.intp]:
    """Number the runs: a new one at the start of each line and where an outline is met, but none next to nothing.

    Two stops at one crossing (with two edges that share a corner, say) differ by rounding only: what is between them
    is not told inside from outside, and belongs to the run before.
    """
    step = np.concatenate([[0.0], np.hypot(*np.diff(places, axis=0).T)])
    starts = np.concatenate([[True], line[1:] != line[:-1]])
    way = np.cumsum(np.where(starts, 0.0, step))
    last = np.append(np.flatnonzero(starts)[1:], len(line)) - 1
    to_end = way[last][np.cumsum(starts) - 1] - way
    new = starts | ((slack >= 0) & (to_end > 2 * slack))
    marks = np.flatnonzero(new)
    near = np.concatenate([[False], np.diff(way[marks]) <= 2 * np.maximum(slack[marks[1:]], 0)])
    new[marks[near & ~starts[marks]]] = False
    return np.cumsum(new) - 1


def _meetings(
    points: Floats, line: npt.NDArray[np.intp], edges: Edges
) -> tuple[npt.NDArray[np.intp], Floats, Floats, Pairs]:
    """Where segments of lines cross or touch edges.

    Returns:
        The segments met (each the index of its first point), where along them (0 to 1), how exactly; and the pairs
        (segment, edge) that touch in more than one place, which are those that lie along each other.
    """
    moves = np.flatnonzero((line[1:] == line[:-1]) & (points[1:] != points[:-1]).any(axis=1))
    low, high = np.minimum(points[moves], points[moves + 1]), np.maximum(points[moves], points[moves + 1])
    pad = edges.tolerance[:, None]
    edge_low, edge_high = np.minimum(edges.starts, edges.ends) - pad, np.maximum(edges.starts, edges.ends) + pad
    none = np.zeros(0, np.intp)
    found = [(none, np.zeros(0), none)]
    beside = [(none, none)]
    count = 0
    for move, edge in box_pairs(low, high, edge_low, edge_high):
        segment = moves[move]
        met, share, more = _touches(
            points[segment], points[segment + 1], edges.starts[edge], edges.ends[edge], edges.tolerance[edge]
        )
        count += len(share)
        check_tangle(count, 10 * MOST_MEETINGS)
        found.append((np.tile(segment, 5)[met], share, np.tile(edge, 5)[met]))
        beside.append((segment[more], edge[more]))
    segments, shares, met_edges = (np.concatenate(each) for each in zip(*found, strict=True))
    along, along_edges = (np.concatenate(each) for each in zip(*beside, strict=True))
    return segments, shares, edges.tolerance[met_edges], (along, along_edges)


def _touches(
    p: Floats, q: Floats, a: Floats, b: Floats, slack: Floats
) -> tuple[npt.NDArray[np.bool_], Floats, npt.NDArray[np.bool_]]:
    """Where segments p-q meet edges a-b, pair by pair, arrays of shape (n, 2), if no farther apart than `slack` (n,).

    Returns:
        Which of five ways they meet in, one after the other, (5 * n,): they cross; a, then b, lies on p-q; p, then q,
        lies on a-b. Where along p-q that is, for those that do; and which pairs touch in more ways than one, (n,).
    """
    step, side, between = q - p, b - a, a - p
    turn = cross_product(step, side)
    parallel = turn == 0
    turn = np.where(parallel, 1, turn)
    with np.errstate(over="ignore"):  # of steps that are all but nothing; an endless share is none
        along, across = cross_product(between, side) / turn, cross_product(between, step) / turn
        beyond, beyond_edge = slack / np.hypot(*step.T), slack / np.hypot(*side.T)
    cross = ~parallel & (np.abs(along - 0.5) <= 0.5 + beyond) & (np.abs(across - 0.5) <= 0.5 + beyond_edge)
    away_a, share_a = _nearest(a, p, q)
    away_b, share_b = _nearest(b, p, q)
    (away_p, _), (away_q, _) = _nearest(p, a, b), _nearest(q, a, b)
    touch = np.stack([away_a, away_b, away_p, away_q]) <= slack
    met = np.concatenate([cross, touch.ravel()])
    share = np.concatenate([np.where(cross, along, 0), share_a, share_b, np.zeros(len(p)), np.ones(len(p))])
    return met, np.clip(share[met], 0, 1), touch.sum(axis=0) > 1


def _nearest(points: Floats, starts: Floats, ends: Floats) -> tuple[Floats, Floats]:
    """How far each point is from its segment, and where along the segment (0 to 1) the nearest place is."""
    step, away = ends - starts, points - starts
    square = (step * step).sum(axis=1)
    share = np.clip((away * step).sum(axis=1) / np.where(square > 0, square, 1), 0, 1)
    beside = away - share[:, None] * step
    return np.hypot(beside[:, 0], beside[:, 1]), share
