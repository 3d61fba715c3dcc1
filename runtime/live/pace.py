"""How fast a drawing is watched: moves of the pen, cut into frames by a clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.live.performance import Move
from sketch_edge.runtime.writers.motion import LIFT_SHARE

FPS = 25.0
SLOWEST, FASTEST = 0.01, 100.0
"""Times as fast as usual; as in films, and 0 beside them."""

LONGEST_FRAME_S = 0.25
"""A process that was stopped and goes on, or a terminal that hung, does not make the pen jump further than this."""

Line = npt.NDArray[np.float64]


def frames(
    moves: Iterable[Move],
    units_per_s: float,
    *,
    fps: float = FPS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[list[Move]]:
    """Give the moves of each frame when it is due, those on paper alone, and long ones cut where the pen is.

    Through the air the pen is five times as fast. A frame in which it leaves no ink is empty, but given: whoever shows
    it can look after a window or the size of a terminal. Where the receiver takes longer than a frame, the next holds
    more.

    Args:
        moves: what the pen does; asked for when the pen comes to it.
        units_per_s: speed of the pen on paper; 0: every move as soon as it comes.
        fps: frames a second.
        clock: seconds, as `time.monotonic`.
        sleep: waits for so many seconds.
    """
    period, source = 1 / fps, iter(moves)
    rest, begun = next(source, None), clock()
    while rest is not None:
        due, frame = begun + period, list[Move]()
        way = units_per_s * period
        while rest is not None and (way > 0 if units_per_s else clock() < due):
            cost = _length(rest.line) * (1.0 if rest.drawn else LIFT_SHARE)
            if units_per_s and cost > way:
                head, tail = _cut(rest.line, way / cost)
                frame.append(rest._replace(line=head, cut=True))
                rest, way = rest._replace(line=tail), 0.0
            else:
                frame.append(rest)
                rest, way = next(source, None), way - cost
        yield [move for move in frame if move.drawn]
        now = clock()
        if units_per_s and now < due:
            sleep(due - now)
        begun = max(due, now - LONGEST_FRAME_S) if units_per_s else clock()


def checked_speed(speed: float) -> float:
    """A speed that can be watched.

    Raises:
        InputError: neither 0 nor within 0.01 to 100.
    """
    if speed != 0 and not SLOWEST <= speed <= FASTEST:  # false for nan too
        raise InputError(f"speed: is {speed:g} (expected {SLOWEST:g} to {FASTEST:g}, or 0 for as fast as it comes)")
    return speed


def _length(line: Line) -> float:
    return float(np.hypot(*np.diff(line, axis=0).T).sum())


def _cut(line: Line, share: float) -> tuple[Line, Line]:
    """Both parts of a line (n, 2) that is cut at a share of its length, 0 < share < 1; they meet in one point."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    place = share * along[-1]
    number = int(np.searchsorted(along, place, side="right"))
    point = np.array([[np.interp(place, along, line[:, 0]), np.interp(place, along, line[:, 1])]])
    return np.concatenate([line[:number], point]), np.concatenate([point, line[number:]])
