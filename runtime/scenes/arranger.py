"""Where everything on a page goes, and how large: relative sizes grow together until something reaches a margin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.layout import GAP, grid_boxes, median, picture_row, scatter_boxes, scatter_sizes
from sketch_edge.runtime.noise import KEY_LIMIT
from sketch_edge.runtime.scenes.composition import Composition
from sketch_edge.runtime.scenes.placing import Placer, Shape, Spot, union
from sketch_edge.runtime.scenes.relations import Cluster
from sketch_edge.runtime.scenes.sizes import metres_of, page_size
from sketch_edge.runtime.scenes.thing import length_mm
from sketch_edge.runtime.sketch import Bounds

Array = npt.NDArray[np.float64]

_Place = Callable[[float], dict[int, Spot]]
"""Gives all loose clusters their places, for a factor."""

FREE_SHARE = 0.4
"""On a page without layout the largest object has this share of the shorter side, if nothing says its size."""

LEAST_SHARE = 0.25
"""To make objects that have places fit the page, all are made smaller, but not under this share."""

_ROUNDS = 48
"""Most halvings in search of the largest factor that fits."""

_EXACT = 1e-7
"""The search ends where the factor is known to this share: to a hundredth of a micrometre on a small page."""

_SHRINK = 0.95

OUTSIDE_MM = 1e-6
"""What rounding may put beyond a margin."""


@dataclass(frozen=True)
class _Local:
    """A cluster by itself: the point on which its first member stands is (0, 0)."""

    spots: dict[int, Spot]
    box: Bounds

    def moved(self, x: float, y: float, factor: float = 1.0) -> dict[int, Spot]:
        """In its place, `factor` times larger."""
        return {
            member: Spot(spot.x * factor + x, spot.y * factor + y, spot.size * factor, spot.shape)
            for member, spot in self.spots.items()
        }


class Arranger:
    """Sizes and places: relative sizes grow together by one factor, in mm, until something reaches a margin."""

    def __init__(self, composition: Composition, clusters: Sequence[Cluster], shapes: Sequence[Shape]) -> None:
        page = composition.paper
        self._composition = composition
        self._side_mm = min(page.width_mm, page.height_mm)
        self.placer = Placer(composition, shapes, self._side_mm)
        self._anchored = [cluster for cluster in clusters if cluster.anchored]
        self._loose = [cluster for cluster in clusters if not cluster.anchored]
        self._fixed, self._relative = self._sizes()
        self._grows = [self._grows_evenly(cluster) for cluster in self._loose]
        self._at_one = [
            self._local(cluster, 1.0) if grows else None
            for cluster, grows in zip(self._loose, self._grows, strict=True)
        ]

    def arrange(self, room: Bounds) -> dict[int, Spot]:
        """A spot for every member; clusters without a place of their own within `room`."""
        layout = {"row": self._row, "grid": self._grid, "scatter": self._scatter, "free": self._free}
        factor, place = layout[self._composition.layout](room) if self._loose else (self._free_factor(), None)
        least = factor * LEAST_SHARE
        spots = self._place_anchored(factor)
        while not all(_within(spot.box, room) for spot in spots.values()) and factor > least:
            factor *= _SHRINK
            spots = self._place_anchored(factor)
        if place is not None:
            spots |= place(factor)
        return spots

    def _sizes(self) -> tuple[list[float | None], list[float]]:
        """For every member its size in mm, if it is given, and beside the others."""
        fixed: list[float | None] = []
        relative = []
        for thing, _, _ in self._composition.members:
            fixed.append(None if thing.size is None else length_mm(thing.size, self._side_mm))
            natural = page_size(metres_of(thing.kind, self._composition.metres)) if self._composition.natural else 1.0
            relative.append(natural * thing.scale)
        return fixed, relative

    def _sizes_at(self, factor: float) -> list[float]:
        return [
            relative * factor if fixed is None else fixed
            for fixed, relative in zip(self._fixed, self._relative, strict=True)
        ]

    def _grows_evenly(self, cluster: Cluster) -> bool:
        """Whether nothing of a cluster is given in mm, so that it only has to be scaled."""
        things = (self._composition.members[member].thing for member in cluster.members)
        return all(thing.size is None and thing.gap is None for thing in things)

    def _local(self, cluster: Cluster, factor: float) -> _Local:
        spots = self.placer.place(cluster, self._sizes_at(factor), [(0.0, 0.0)])
        base = spots[cluster.first[0]].box.bottom
        spots = {member: spot.moved(0.0, -base) for member, spot in spots.items()}
        return _Local(spots, union([spot.box for spot in spots.values()]))

    def _locals(self, factor: float) -> list[_Local]:
        """All loose clusters by themselves."""
        result = []
        for cluster, at_one in zip(self._loose, self._at_one, strict=True):
            if at_one is None:
                result.append(self._local(cluster, factor))
            else:
                box = at_one.box
                scaled = Bounds(box.left * factor, box.top * factor, box.right * factor, box.bottom * factor)
                result.append(_Local(at_one.moved(0.0, 0.0, factor), scaled))
        return result

    def _extents(self, factor: float) -> Array:
        """The boxes of all loose clusters by themselves, (n, 4): left, top, right, bottom."""
        boxes = (
            self._local(cluster, factor).box if at_one is None else at_one.box
            for cluster, at_one in zip(self._loose, self._at_one, strict=True)
        )
        extents = np.array([[box.left, box.top, box.right, box.bottom] for box in boxes])
        extents[self._grows] *= factor
        return extents

    def _largest(self, room: Bounds) -> float:
        """A factor with which the largest object would be as large as the room."""
        return max(room.width, room.height) / max(self._relative)

    def _row(self, room: Bounds) -> tuple[float, _Place]:
        sky = np.array([self.placer.sky(cluster.first[0]) for cluster in self._loose])
        firsts = [cluster.first[0] for cluster in self._loose]

        def points(factor: float) -> Array | None:
            sizes = self._sizes_at(factor)
            gap = GAP * median([sizes[member] for member in firsts])
            return picture_row(self._extents(factor), sky, gap, room)

        factor = _largest_that(lambda factor: points(factor) is not None, self._largest(room))

        def place(factor: float) -> dict[int, Spot]:
            found = points(factor)
            return self._moved(factor, np.tile(room.center, (len(firsts), 1)) if found is None else found)

        return factor, place

    def _grid(self, room: Bounds) -> tuple[float, _Place]:
        cells = grid_boxes(len(self._loose), room)
        if not self._composition.natural:
            return self._each_in_its_box(cells)

        def fits(factor: float) -> bool:
            extents = self._extents(factor)
            return bool((extents[:, 2:] - extents[:, :2] <= cells[:, 2:] * (1 + 1e-12)).all())

        def place(factor: float) -> dict[int, Spot]:
            extents = self._extents(factor)
            return self._moved(factor, cells[:, :2] + cells[:, 2:] / 2 - (extents[:, :2] + extents[:, 2:]) / 2)

        return _largest_that(fits, self._largest(room)), place

    def _scatter(self, room: Bounds) -> tuple[float, _Place]:
        words = np.array([self._composition.seed, KEY_LIMIT - 1], np.uint64)  # no sketch ever has the last index
        rng = np.random.Generator(np.random.Philox(key=words))
        if not self._composition.natural and all(self._grows):
            extents = self._extents(1.0)
            sizes = (extents[:, 2:] - extents[:, :2]) / self._firsts()[:, None]
            return self._each_in_its_box(scatter_boxes(sizes / max(1.0, sizes.max()), room, rng))

        def size(factor: float) -> Array:
            extents = self._extents(factor)
            return np.asarray(extents[:, 2:] - extents[:, :2])

        factor, boxes = scatter_sizes(size, self._largest(room), room, rng)

        def place(factor: float) -> dict[int, Spot]:
            extents = self._extents(factor)
            return self._moved(factor, boxes[:, :2] + boxes[:, 2:] / 2 - (extents[:, :2] + extents[:, 2:]) / 2)

        return factor, place

    def _free(self, room: Bounds) -> tuple[float, _Place]:
        if len(self._loose) > 1:
            member = self._loose[1].first[0]
            self._composition.refuse_member(
                member, "", "has no place in a free layout; give it at or a relation, or the page another layout"
            )
        largest = self._free_factor()

        def place(factor: float) -> dict[int, Spot]:
            box = self._extents(factor)[0]
            return self._moved(factor, np.array([room.center]) - (box[:2] + box[2:]) / 2)

        def fits(factor: float) -> bool:
            left, top, right, bottom = self._extents(factor)[0]
            return bool(right - left <= room.width and bottom - top <= room.height)

        return _largest_that(fits, largest), place

    def _free_factor(self) -> float:
        return FREE_SHARE * self._side_mm / max(self._relative)

    def _firsts(self) -> Array:
        """The relative size of the first member of each loose cluster."""
        return np.array([self._relative[cluster.first[0]] for cluster in self._loose])

    def _each_in_its_box(self, boxes: Array) -> tuple[float, _Place]:
        """Each cluster as large as its box lets it, less where it has a smaller scale than others."""
        firsts = self._firsts()
        shares = firsts / firsts.max()
        factors = []
        for cluster, at_one, box, share in zip(self._loose, self._at_one, boxes, shares.tolist(), strict=True):
            wide, high = (box[2:] * share).tolist()
            if at_one is not None:
                factors.append(min(wide / at_one.box.width, high / at_one.box.height))
                continue
            local = self._local(cluster, factor := max(wide, high))
            while (local.box.width > wide or local.box.height > high) and factor > max(wide, high) * 1e-3:
                local = self._local(cluster, factor := factor * _SHRINK)
            factors.append(factor)
        typical = median(factors)

        def place(factor: float) -> dict[int, Spot]:
            spots: dict[int, Spot] = {}
            for cluster, at_one, box, own in zip(self._loose, self._at_one, boxes, factors, strict=True):
                ratio = own * factor / typical
                local = at_one if at_one is not None else self._local(cluster, ratio)
                scale = ratio if at_one is not None else 1.0
                x, y = box[:2] + box[2:] / 2 - np.array(local.box.center) * scale
                spots |= local.moved(float(x), float(y), scale)
            return spots

        return typical, place

    def _moved(self, factor: float, points: Array) -> dict[int, Spot]:
        """All loose clusters with the points on which they stand at `points`, (n, 2)."""
        spots: dict[int, Spot] = {}
        for local, (x, y) in zip(self._locals(factor), points.tolist(), strict=True):
            spots |= local.moved(x, y)
        return spots

    def _place_anchored(self, factor: float) -> dict[int, Spot]:
        """All clusters that have places of their own."""
        page, spots = self._composition.paper, dict[int, Spot]()
        sizes = self._sizes_at(factor) if self._anchored else []
        for cluster in self._anchored:
            at = []
            for member in cluster.first:
                place = self._composition.members[member].thing.at
                assert place is not None, "first of an anchored cluster"
                at.append((length_mm(place[0], page.width_mm), length_mm(place[1], page.height_mm)))
            spots |= self.placer.place(cluster, sizes, at)
        return spots


def _largest_that(fits: Callable[[float], bool], largest: float) -> float:
    """The largest factor that fits, by halving, at most `largest`."""
    if fits(largest):
        return largest
    low, high = 0.0, largest
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
        if high - low <= low * _EXACT:
            break
    return low or largest / 2**_ROUNDS


def _within(box: Bounds, room: Bounds) -> bool:
    return (
        box.left >= room.left - OUTSIDE_MM
        and box.top >= room.top - OUTSIDE_MM
        and box.right <= room.right + OUTSIDE_MM
        and box.bottom <= room.bottom + OUTSIDE_MM
    )
