"""From relations to places: where each object of a cluster is, and how large, before the page is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.layout import GAP, SMALLEST_EXTENT, grid_boxes
from sketch_edge.runtime.scenes.composition import Composition
from sketch_edge.runtime.scenes.relations import PLACING, Cluster, References, Step
from sketch_edge.runtime.scenes.sizes import is_sky
from sketch_edge.runtime.scenes.thing import length_mm
from sketch_edge.runtime.sketch import Bounds, Sketch, bounds_of

INSIDE = 0.66
"""What is inside another fits into this share of its width and height: a circle has room for it then."""

THINNEST = 0.02
"""Width or height of a box, as a share of its larger side: a level line still has some."""

_BLOCK = 256
"""Points whose place on a silhouette is looked up at once."""

_SLACK = 1e-6
"""Relations hold up to this share of the sizes."""

Lines = tuple[npt.NDArray[np.float64], ...]


@dataclass(frozen=True)
class Shape:
    """A sketch ready to be placed: its middle at (0, 0), its larger side 1 before it was turned."""

    lines: Lines
    width: float
    height: float
    """Of the box around it; a dot has one of 1 x 1 (see SMALLEST_EXTENT)."""

    @classmethod
    def of(cls, sketch: Sketch, rotate: float = 0.0, flip: bool = False) -> Shape:
        """Mirror and turn (degrees, clockwise) a sketch, and bring it to size 1."""
        bounds = sketch.bounds
        extent = max(bounds.width, bounds.height)
        small = extent <= SMALLEST_EXTENT
        lines = tuple((line - bounds.center) / (SMALLEST_EXTENT if small else extent) for line in sketch.lines)
        if flip or rotate % 360:
            turn = math.radians(rotate % 360)
            cosine, sine = math.cos(turn), math.sin(turn)
            matrix = np.array([[cosine, sine], [-sine, cosine]])  # for rows (x, y) with y down: clockwise
            if flip:
                matrix[0] = -matrix[0]
            lines = tuple(line @ matrix for line in lines)
            turned = bounds_of(lines)
            lines = tuple(line - turned.center for line in lines)
        if small:
            return cls(lines, 1.0, 1.0)
        box = bounds_of(lines)
        return cls(lines, max(box.width, THINNEST), max(box.height, THINNEST))


@dataclass(frozen=True)
class Spot:
    """Where an object is."""

    x: float
    y: float
    """Its middle."""

    size: float
    """Factor of its shape."""

    shape: Shape

    @property
    def box(self) -> Bounds:
        """The box around it."""
        wide, high = self.shape.width * self.size / 2, self.shape.height * self.size / 2
        return Bounds(self.x - wide, self.y - high, self.x + wide, self.y + high)

    @property
    def lines(self) -> Lines:
        """Its lines in place."""
        return tuple(line * self.size + (self.x, self.y) for line in self.shape.lines)

    def moved(self, x: float, y: float) -> Spot:
        """The same, further right and down."""
        return Spot(self.x + x, self.y + y, self.size, self.shape)


def union(boxes: Sequence[Bounds]) -> Bounds:
    """The smallest box around some."""
    return Bounds(
        min(box.left for box in boxes),
        min(box.top for box in boxes),
        max(box.right for box in boxes),
        max(box.bottom for box in boxes),
    )


class Placer:
    """Finds places within clusters.

    Args:
        composition: whose relations are followed.
        shapes: of every member.
        side_mm: shorter side of the page, of which lengths in % are shares.
    """

    def __init__(self, composition: Composition, shapes: Sequence[Shape], side_mm: float) -> None:
        self._composition = composition
        self._shapes = shapes
        self._side_mm = side_mm
        self._sky = [composition.natural and is_sky(each.thing.kind) for each in composition.members]

    def sky(self, member: int) -> bool:
        """Whether an object hangs in the sky."""
        return self._sky[member]

    def place(self, cluster: Cluster, sizes: Sequence[float], at: Sequence[tuple[float, float]]) -> dict[int, Spot]:
        """Places of all members of a cluster whose `first` have their middles `at` these points.

        Args:
            cluster: as `find_clusters` gave it.
            sizes: of all members of the composition, in the unit of the result.
            at: as many as the cluster's `first`.

        Raises:
            InputError: relations contradict each other.
        """
        spots: dict[int, Spot] = {}
        for member, (x, y) in zip(cluster.first, at, strict=True):
            spots[member] = Spot(x, y, sizes[member], self._shapes[member])
        for step in cluster.steps:
            self._take(step, spots, sizes)
        return spots

    def _take(self, step: Step, spots: dict[int, Spot], sizes: Sequence[float]) -> None:
        """Place the members of one step: a row of them as one box, or alone."""
        if step.by.keys() == {"inside"} and len(step.members) > 1:
            spots |= self._in_cells(step, spots, sizes)
            return
        row = self._row(step, sizes)
        box = union([spot.box for spot in row])
        gap = self._gap(step, spots, box)
        if "inside" in step.by:
            inner = self._inner(step, spots)
            row, box = _shrunk(row, box, min(1.0, inner.width / box.width, inner.height / box.height))
        elif "on" in step.by and len(row) > 1:
            row, box = _shrunk(row, box, min(1.0, _box(step.by["on"], spots).width / box.width))
        left = self._left(step, spots, box, gap)
        row = [spot.moved(left - box.left, 0.0) for spot in row]
        if "on" in step.by:
            row = [self._dropped(step, spot, spots, gap) for spot in row]
        else:
            top = self._top(step, spots, box, gap, left)
            row = [spot.moved(0.0, top - box.top) for spot in row]
        spots |= zip(step.members, row, strict=True)

    def _row(self, step: Step, sizes: Sequence[float]) -> list[Spot]:
        """The members beside each other on one base line; what is left of something begins at its right."""
        members = step.members[::-1] if "left_of" in step.by else step.members
        spots, right = [], 0.0
        for member in members:
            shape, size = self._shapes[member], sizes[member]
            spots.append(Spot(right + shape.width * size / 2, -shape.height * size / 2, size, shape))
            right += shape.width * size + GAP * size
        return spots[::-1] if "left_of" in step.by else spots

    def _in_cells(self, step: Step, spots: dict[int, Spot], sizes: Sequence[float]) -> dict[int, Spot]:
        """Several inside another: each in the middle of a cell."""
        inner = self._inner(step, spots)
        cells = grid_boxes(len(step.members), inner).tolist()
        found = {}
        for member, (left, top, width, height) in zip(step.members, cells, strict=True):
            shape = self._shapes[member]
            size = min(sizes[member], width / shape.width, height / shape.height)
            found[member] = Spot(left + width / 2, top + height / 2, size, shape)
        return found

    def _inner(self, step: Step, spots: dict[int, Spot]) -> Bounds:
        """The room inside what is named."""
        boxes = [spots[other].box for other in step.by["inside"]]
        left, right = max(box.left for box in boxes), min(box.right for box in boxes)
        top, bottom = max(box.top for box in boxes), min(box.bottom for box in boxes)
        gap = self._composition.members[step.members[0]].thing.gap
        if gap is None:
            aside, down = (right - left) * (1 - INSIDE) / 2, (bottom - top) * (1 - INSIDE) / 2
        else:
            aside = down = length_mm(gap, self._side_mm)
        if right - left <= 2 * aside or bottom - top <= 2 * down:
            self._refuse(step, "inside", "there is no room inside; name one object, or give a smaller gap")
        return Bounds(left + aside, top + down, right - aside, bottom - down)

    def _gap(self, step: Step, spots: dict[int, Spot], box: Bounds) -> float:
        gap = self._composition.members[step.members[0]].thing.gap
        if gap is not None:
            return length_mm(gap, self._side_mm)
        if "on" in step.by:
            return 0.0
        other = _box([other for names in step.by.values() for other in names[:1]], spots)
        return GAP * math.sqrt(max(box.width, box.height) * max(other.width, other.height))

    def _left(self, step: Step, spots: dict[int, Spot], box: Bounds, gap: float) -> float:
        """Where the left side of a box is to be."""
        lows = [spots[other].box.right + gap for other in step.by.get("right_of", ())]
        highs = [spots[other].box.left - gap for other in step.by.get("left_of", ())]
        if lows or highs:
            return self._between(step, "right_of", "left_of", lows, highs, box.width)
        key = next(key for key in ("on", "inside", "above", "below", "in_front_of", "behind") if key in step.by)
        other = _box(step.by[key], spots)
        middle, several = other.center[0], len(step.members) > 1
        if key == "inside":
            inner = self._inner(step, spots)
            middle = inner.center[0]
        elif key == "in_front_of" and not several:
            middle += max(0.3 * other.width, box.width / 2)
        elif key == "behind" and not several:
            sky = self._sky[step.members[0]]
            middle += 0.25 * other.width if sky else -max(0.62 * other.width, 0.25 * box.width)
        return middle - box.width / 2

    def _top(self, step: Step, spots: dict[int, Spot], box: Bounds, gap: float, left: float) -> float:
        """Where the top of a box is to be whose left side is known."""
        lows = [spots[other].box.bottom + gap for other in step.by.get("below", ())]
        highs = [spots[other].box.top - gap for other in step.by.get("above", ())]
        if lows or highs:
            return self._between(step, "below", "above", lows, highs, box.height)
        if "inside" in step.by:
            return self._inner(step, spots).center[1] - box.height / 2
        key = next(key for key in ("left_of", "right_of", "in_front_of", "behind") if key in step.by)
        other = _box(step.by[key][:1], spots) if key in PLACING else _box(step.by[key], spots)
        sky = self._sky[step.members[0]]
        if sky and key == "behind":  # the sun half behind the slope of the mountain
            lines = [line for each in step.by[key] for line in spots[each].lines]
            slope = _heights(lines, np.array([left + box.width / 2]), highest=True)[0] if lines else math.inf
            return min(float(slope), other.center[1]) - 0.6 * box.height
        if sky and not self._sky[step.by[key][0]]:
            return other.top - box.height / 2
        away = 0.12 * min(box.height, other.height)
        bottom = other.bottom + {"in_front_of": away, "behind": -away}.get(key, 0.0)
        return bottom - box.height

    def _between(
        self, step: Step, after: str, before: str, lows: Sequence[float], highs: Sequence[float], length: float
    ) -> float:
        """The lesser coordinate of what is `length` long, after all `lows` and before all `highs`."""
        if not lows:
            return min(highs) - length
        if not highs:
            return max(lows)
        room = min(highs) - max(lows)
        if room < length * (1 - _SLACK):
            words = f"{after.replace('_', '-')} and {before.replace('_', '-')}"
            self._refuse(step, after, f"{words} leave too little room between; make it smaller or leave out one")
        return max(lows) + (room - length) / 2

    def _dropped(self, step: Step, spot: Spot, spots: dict[int, Spot], gap: float) -> Spot:
        """Let an object fall from above until it touches what it is on."""
        others = [line for other in step.by["on"] for line in spots[other].lines]
        fall = falling_room(spot.lines, others)
        if fall is None:  # no ink below it, as in a box around a dot: then on the box, if it is over that
            other, box = _box(step.by["on"], spots), spot.box
            if _room("on", box, other) < 0:
                self._refuse(step, "on", "it would stand beside that, not on it; leave out one relation")
            fall = other.top - box.bottom
        return spot.moved(0.0, fall - gap)

    def check(self, spots: dict[int, Spot], member: int, relations: References) -> None:
        """Refuse an object that is not where its relations say.

        Raises:
            InputError: a contradiction, between relations or with places given.
        """
        box = spots[member].box
        slack = _SLACK * (abs(box.left) + abs(box.right) + abs(box.top) + abs(box.bottom) + 1)
        for key, names in relations.items():
            for other in names:
                room = _room(key, box, spots[other].box) if key in PLACING else 0.0
                if room < -slack:
                    name = self._composition.members[other].thing.title
                    self._composition.refuse_member(
                        member,
                        key,
                        f"it is not {key.replace('_', '-')} {name}, as other relations or places want it"
                        " elsewhere; leave out one",
                    )

    def _refuse(self, step: Step, key: str, problem: str) -> None:
        self._composition.refuse_member(step.members[0], key, problem)


def falling_room(upper: Sequence[npt.NDArray[np.float64]], lower: Sequence[npt.NDArray[np.float64]]) -> float | None:
    """How far down `upper` can move before it touches `lower`, exactly; negative if it is too low; None if never.

    Both are lines of shape (n, 2), y down. Where both have ink above each other, the distance between the lowest line
    of the one and the highest of the other is a piecewise linear function of x, and smallest at a point of either.
    """
    if not upper or not lower:
        return None
    ground = _heights(lower, np.concatenate(upper)[:, 0], highest=True) - np.concatenate(upper)[:, 1]
    feet = np.concatenate(lower)[:, 1] - _heights(upper, np.concatenate(lower)[:, 0], highest=False)
    least = min(float(ground.min()), float(feet.min()))
    return least if math.isfinite(least) else None


def _heights(
    lines: Sequence[npt.NDArray[np.float64]], xs: npt.NDArray[np.float64], *, highest: bool
) -> npt.NDArray[np.float64]:
    """The y of the highest (or lowest) line at each x; infinity downwards (or upwards) where there is none."""
    starts = np.concatenate([line[:-1] if len(line) > 1 else line for line in lines])
    ends = np.concatenate([line[1:] if len(line) > 1 else line for line in lines])
    turned = starts[:, 0] > ends[:, 0]
    starts, ends = np.where(turned[:, None], ends, starts), np.where(turned[:, None], starts, ends)
    nowhere = math.inf if highest else -math.inf
    result = np.full(len(xs), nowhere)
    order = np.argsort(xs, kind="stable")
    for first in range(0, len(xs), _BLOCK):
        chosen = order[first : first + _BLOCK]
        x = xs[chosen]
        near = (ends[:, 0] >= x[0]) & (starts[:, 0] <= x[-1])
        if not near.any():
            continue
        (x0, y0), (x1, y1) = starts[near].T, ends[near].T
        width = x1 - x0
        share = np.clip((x[:, None] - x0) / np.where(width > 0, width, 1.0), 0.0, 1.0)
        peak = np.minimum(y0, y1) if highest else np.maximum(y0, y1)
        y = np.where(width > 0, y0 + share * (y1 - y0), peak)
        y = np.where((x[:, None] >= x0) & (x[:, None] <= x1), y, nowhere)
        result[chosen] = y.min(axis=1) if highest else y.max(axis=1)
    return result


def _room(key: str, box: Bounds, other: Bounds) -> float:
    """How far a relation that gives a place is from being broken; negative if it is."""
    if key == "left_of":
        return other.left - box.right
    if key == "right_of":
        return box.left - other.right
    if key == "above":
        return other.top - box.bottom
    if key == "below":
        return box.top - other.bottom
    if key == "on":
        return min(other.right - box.left, box.right - other.left)
    return min(box.left - other.left, box.top - other.top, other.right - box.right, other.bottom - box.bottom)


def _box(others: Sequence[int], spots: dict[int, Spot]) -> Bounds:
    return union([spots[other].box for other in others])


def _shrunk(row: Sequence[Spot], box: Bounds, factor: float) -> tuple[list[Spot], Bounds]:
    """A row and its box, smaller by a factor."""
    spots = [Spot(spot.x * factor, spot.y * factor, spot.size * factor, spot.shape) for spot in row]
    return spots, Bounds(box.left * factor, box.top * factor, box.right * factor, box.bottom * factor)
