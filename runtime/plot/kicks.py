"""What gets a tour out of where no single exchange makes it shorter: kicks in many places at once.

After Martin, Otto & Felten (1991, "Large-step Markov chains for the traveling salesman problem"): disturb the tour a
little, search, keep the result if it is shorter. Here one tour is disturbed in many places at once and searched as a
whole, and what came of it is judged place by place. That is simple because every node has exactly one link: two tours
differ by rings of their links in turn that have no node in common, and each ring is an exchange of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.plot.tour import EPSILON, SHALLOW, WIDTHS, Tour

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SPAN = 3
"""The most lines in each of the pieces that a kick exchanges."""

LINES = 10
"""One kick for so many lines at a time."""

FEW = 1000
"""With fewer nodes than this more kicks that are searched less deeply find more."""

KICK_WORK = 20
"""What making or taking back an exchange costs, in nodes searched."""

LEAST_NODES = 8
"""A kick exchanges four links."""


@dataclass
class _Difference:
    """An exchange of links by which a new tour differs from the old one."""

    pairs: list[int]
    """What `Tour.relink` takes to make it in the old one."""

    gain: float
    """How much shorter the tour becomes by it, mm."""

    first: int
    last: int
    """Between which places of the old tour it lies."""

    made: bool = False


def kick(tour: Tour, work: float, seed: int = 0) -> None:
    """Make `tour` shorter by kicks, until about `work` nodes were searched; never longer.

    Equal tours, work and seeds give equal results.
    """
    rng = np.random.Generator(np.random.Philox(seed))
    tour.work = work
    while tour.work > 0 and tour.size >= LEAST_NODES and tour.length > EPSILON:
        link, long = tour.link.copy(), tour.long.copy()
        nodes, place = tour.tour.copy(), tour.place.copy()
        tour.settle(_disturb(tour, rng), SHALLOW if tour.size < FEW else WIDTHS)
        differences = _differences(tour, link, long, place)
        tour.link, tour.long, tour.tour, tour.place = link, long, nodes, place
        _make_gains(tour, differences)


def _disturb(tour: Tour, rng: np.random.Generator) -> Ints:
    """Exchange the first and third of three short pieces that follow each other, in many places; the nodes touched.

    This exchange of four links (the double bridge) is none that the search finds, or undoes, link by link.
    """
    lines = tour.size // 2
    count = max(1, lines // LINES)
    width = lines // count
    sizes = 1 + rng.integers(min(SPAN, (width - 1) // 3), size=(count, 3))
    first = rng.integers(lines) + width * np.arange(count) + rng.integers(width - sizes.sum(axis=1))
    cuts = np.cumsum(np.concatenate([first[:, None], sizes], axis=1), axis=1)
    left, entered = tour.tour[(2 * cuts - 1) % tour.size], tour.tour[2 * cuts % tour.size]
    pairs = np.stack([left[:, [0, 3, 2, 1]], entered[:, [2, 1, 0, 3]]], axis=2).reshape(count, 8)
    for each in pairs.tolist():
        tour.relink(each)
    tour.measure(pairs.ravel().tolist())
    tour.work -= KICK_WORK * count
    return np.unique(pairs)


def _differences(tour: Tour, link: Ints, long: Floats, place: Ints) -> list[_Difference]:
    """How `tour` differs from the one with the links `link`, their lengths `long` and its nodes at `place`."""
    found: list[_Difference] = []
    seen: set[int] = set()
    for start in np.flatnonzero(tour.link != link).tolist():
        pairs: list[int] = []
        node = start
        while node not in seen:
            partner = int(tour.link[node])
            seen.update((node, partner))
            pairs += [node, partner]
            node = int(link[partner])
        if pairs:
            where = place[pairs]
            gain = float((long[pairs] - tour.long[pairs]).sum()) / 2
            found.append(_Difference(pairs, gain, int(where.min()), int(where.max())))
    return found


def _make_gains(tour: Tour, differences: list[_Difference]) -> None:
    """Make every difference that makes the tour shorter: alone if one ring remains, or else together with another."""
    differences.sort(key=lambda each: -each.gain)
    gains = [each for each in differences if each.gain > EPSILON]
    tour.work -= KICK_WORK * len(gains)
    for each in gains:
        each.made = tour.relink(each.pairs)
    for each in gains:
        for other in differences if not each.made else ():
            if each.gain + other.gain < EPSILON:
                break
            across = not other.made and other.first <= each.last and each.first <= other.last
            if across and other is not each and tour.relink(each.pairs + other.pairs):
                each.made = other.made = True
                break
    tour.measure([node for each in differences if each.made for node in each.pairs])
