"""Lines, and parts of lines, that have been drawn already."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import InputError

Line = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

GAP_MM = 2.0
"""A part in the middle of a line that is shorter than this is drawn again: lifting the pen takes longer."""

_CHUNK = 20_000
_MOST_IN_A_CELL = 32
"""Of more segments than this that pass through one cell the later ones are not compared with."""

_MOST_SAMPLES = 1_000_000


@dataclass(frozen=True)
class _Segments:
    """The segments of all lines, one after the other; a dot is a segment from its point to itself."""

    start: Floats
    end: Floats
    line: Ints
    length: Floats
    along: Floats
    """How far along its line each begins, mm."""


def remove_duplicates(lines: Sequence[Line], tolerance_mm: float) -> tuple[Line, ...]:
    """Leave out what has been drawn already, in either direction, within the tolerance.

    What is left out are whole segments, each within the tolerance of one segment that is drawn before it: so every
    point of the given lines is within the tolerance of those given back, and nothing is drawn that was not. A line
    that loses a part in its middle becomes two, but not for a part under GAP_MM.

    Raises:
        InputError: a tolerance that is not finite or below 0.
    """
    check_length(tolerance_mm, "duplicate tolerance")
    if not len(lines):
        return ()
    segments = _segments(lines)
    covers = _covers(segments, tolerance_mm)
    first = np.searchsorted(segments.line, np.arange(len(lines) + 1))
    drawn = np.ones(len(segments.line), bool)
    kept: list[Line] = []
    for number, line in enumerate(lines):
        begin, end = int(first[number]), int(first[number + 1])
        if any(s in covers for s in range(begin, end)):
            for s in range(begin, end):
                drawn[s] = not any(drawn[e] for e in covers.get(s, ()))
            _restore(drawn[begin:end], segments.length[begin:end], tolerance_mm)
        kept += _runs(line, drawn[begin:end])
    return tuple(kept)


def check_length(value: float, name: str) -> None:
    """Refuse what is no length.

    Raises:
        InputError: `value` is not finite or is below 0.
    """
    if not (math.isfinite(value) and value >= 0):
        raise InputError(f"{name}: is {value:g} mm (expected a finite number of 0 or more)")


def _segments(lines: Sequence[Line]) -> _Segments:
    counts = np.array([len(line) for line in lines])
    points = np.concatenate(lines).astype(np.float64, copy=False)
    last = np.cumsum(counts) - 1
    begins = np.ones(len(points), bool)
    begins[last] = counts == 1  # the last point of a line begins none, but a dot
    start = np.flatnonzero(begins)
    line = np.repeat(np.arange(len(lines)), np.maximum(counts - 1, 1))
    end = start + (counts[line] > 1)
    steps = points[end] - points[start]
    length = np.hypot(steps[:, 0], steps[:, 1])
    total = np.cumsum(length) - length
    along = total - total[np.searchsorted(line, np.arange(len(lines)))][line]
    return _Segments(points[start], points[end], line, length, along)


def _covers(segments: _Segments, tolerance: float) -> dict[int, list[int]]:
    """For each segment that is within the tolerance of earlier ones, which these are.

    Along one line a short segment is always near those just before it: there the earlier one must be further back
    than twice the tolerance, unless the later one is longer than that.
    """
    found: dict[int, list[int]] = {}
    for s, e in _close_pairs(segments, tolerance):
        near = (_away(segments.start[s], segments, e) <= tolerance) & (_away(segments.end[s], segments, e) <= tolerance)
        s, e = s[near], e[near]
        behind = segments.along[s] - segments.along[e] - segments.length[e]
        apart = (segments.line[s] != segments.line[e]) | (np.maximum(behind, segments.length[s]) > 2 * tolerance)
        for a, b in zip(s[apart].tolist(), e[apart].tolist(), strict=True):
            found.setdefault(a, []).append(b)
    return found


def _away(points: Floats, segments: _Segments, e: Ints) -> Floats:
    """How far each point (n, 2) is from segment e (n,)."""
    start, step = segments.start[e], segments.end[e] - segments.start[e]
    offset = points - start
    square = np.maximum((step**2).sum(axis=1), 1e-300)
    along = np.clip((offset * step).sum(axis=1) / square, 0.0, 1.0)
    beside = offset - along[:, None] * step
    return np.asarray(np.hypot(beside[:, 0], beside[:, 1]))


def _close_pairs(segments: _Segments, tolerance: float) -> Iterator[tuple[Ints, Ints]]:
    """Pairs of a segment and an earlier one that may be within the tolerance of its start, in chunks."""
    cell = max(4 * tolerance, 2 * float(segments.length.sum()) / _MOST_SAMPLES, float(segments.length.mean()), 1e-3)
    low = segments.start.min(axis=0) - 2 * cell
    columns = int(max((np.maximum(segments.start, segments.end).max(axis=0) - low) / cell)) + 3
    # Every segment stands in the cells of points on it that are half a cell apart at most, so that each place within
    # the tolerance of it is within half a cell of one of them.
    count = 1 + np.ceil(2 * segments.length / cell).astype(np.int64)
    of = np.repeat(np.arange(len(count)), count)
    share = (np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count)) / np.maximum(count - 1, 1)[of]
    place = segments.start[of] + share[:, None] * (segments.end - segments.start)[of]
    spot = ((place - low) / cell).astype(np.int64)
    key = spot[:, 1] * columns + spot[:, 0]
    order = np.lexsort((of, key))
    order = order[np.append(True, (np.diff(key[order]) != 0) | (np.diff(of[order]) != 0))]
    listed = of[order]
    keys, begins, sizes = np.unique(key[order], return_index=True, return_counts=True)
    sizes = np.minimum(sizes, _MOST_IN_A_CELL)
    # The block of two by two cells that holds all within half a cell of a segment's start.
    corner = np.rint((segments.start - low) / cell).astype(np.int64) - 1
    for at in range(0, len(count), _CHUNK):
        s = np.arange(at, min(at + _CHUNK, len(count)))
        wanted = ((corner[s, 1] * columns + corner[s, 0])[:, None] + [0, 1, columns, columns + 1]).ravel()
        hit = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        size = np.where(keys[hit] == wanted, sizes[hit], 0)
        slot = np.repeat(begins[hit], size) + np.arange(int(size.sum())) - np.repeat(np.cumsum(size) - size, size)
        who, whom = np.repeat(np.repeat(s, 4), size), listed[slot]
        earlier = whom < who
        pairs = np.unique(who[earlier] * len(count) + whom[earlier])
        yield pairs // len(count), pairs % len(count)


def _restore(drawn: Flags, length: Floats, tolerance: float) -> None:
    """Draw again, in place, parts of a line that are too short to lift the pen for; not if all of it is left out."""
    if not drawn.any():
        return
    edges = np.flatnonzero(np.diff(np.concatenate([[1], drawn.astype(np.int64), [1]])))
    for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        inside = begin > 0 and end < len(drawn)
        if length[begin:end].sum() <= (max(GAP_MM, 2 * tolerance) if inside else 2 * tolerance):
            drawn[begin:end] = True


def _runs(line: Line, drawn: Flags) -> list[Line]:
    """The parts of a line whose segments are drawn."""
    if drawn.all():
        return [line]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], drawn.astype(np.int64), [0]])))
    return [line[begin : end + 1] for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)]
