"""How long a machine takes, acceleration included.

Every move speeds up, goes at its feed and slows down, all at one acceleration, and the speed at which one move goes
over into the next is bounded by the angle between them, as in the planner of Grbl (junction deviation). The planner
here sees the whole program; that of a small controller sees some 16 moves ahead, so that curves of very short moves
take it a little longer.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.plot.machine import Machine
from sketch_edge.runtime.plot.trace import Trace

Floats = npt.NDArray[np.float64]

_STRAIGHT = 0.999999
"""Moves whose directions have a cosine above this go over into each other without slowing down."""


def trace_time_s(trace: Trace, machine: Machine) -> float:
    """Seconds that a program takes: moves of the pen, up and down too, and waits; pauses for a person are left out."""
    moves = trace.moves
    return trace.dwell_s + move_time_s(
        moves.end - moves.start,
        moves.feed_mm_min,
        moves.halt,
        acceleration_mm_s2=machine.speed.acceleration_mm_s2,
        junction_deviation_mm=machine.speed.junction_deviation_mm,
    )


def move_time_s(
    offsets: Floats,
    feed_mm_min: Floats,
    halt: npt.NDArray[np.bool_],
    *,
    acceleration_mm_s2: float,
    junction_deviation_mm: float,
) -> float:
    """Seconds that straight moves take, one after the other, from standstill to standstill.

    Args:
        offsets: how far each goes along each axis, shape (n, 2) or (n, 3), in mm; moves of no length take no time.
        feed_mm_min: speed asked for, over 0, shape (n,).
        halt: whether the machine stands still before the move, shape (n,).
        acceleration_mm_s2: along the path, over 0.
        junction_deviation_mm: how far the path round a corner might cut it, if the machine did not follow the corner
            exactly; 0 or more. Grbl's $11.
    """
    length = np.sqrt((offsets**2).sum(axis=1))
    real = length > 0
    if not real.any():
        return 0.0
    # A halt before a move that is no move is a halt before the next real one.
    groups = np.cumsum(halt)[real]
    stands = np.concatenate([[True], np.diff(groups) > 0])
    length, speed, direction = length[real], feed_mm_min[real] / 60.0, offsets[real] / length[real][:, None]
    limit = _junction_limits(direction, speed, stands, acceleration_mm_s2 * junction_deviation_mm)
    squares = _reachable(limit, 2.0 * acceleration_mm_s2 * length)
    return float(_durations(length, speed, squares, acceleration_mm_s2).sum())


def _junction_limits(direction: Floats, speed: Floats, stands: npt.NDArray[np.bool_], corner_mm2_s2: float) -> Floats:
    """Largest square of the speed at the start of each move and at the end of the last, shape (n + 1,), mm2/s2.

    A circle that touches both moves and comes as near to the corner as the junction deviation is gone round at the
    full acceleration: v^2 = a * deviation * s / (1 - s), s the sine of half the angle between the moves
    (Grbl 1.1, planner.c, plan_buffer_line).
    """
    cosine = (direction[1:] * direction[:-1]).sum(axis=1)  # of the change of direction: 1 is straight on
    half = np.sqrt(np.clip((1.0 + cosine) / 2.0, 0.0, 1.0))
    with np.errstate(divide="ignore"):
        corner = np.where(cosine > _STRAIGHT, np.inf, corner_mm2_s2 * half / (1.0 - half))
    inner = np.minimum(corner, np.minimum(speed[1:], speed[:-1]) ** 2)
    inner[stands[1:]] = 0.0
    return np.concatenate([[0.0], inner, [0.0]])


def _reachable(limit: Floats, gain: Floats) -> Floats:
    """Lower squares of speeds, shape (n + 1,), until the acceleration suffices; `gain` (n,) is what a move may add.

    The two passes of every such planner, backward for slowing down and forward for speeding up, each of them a
    running minimum: w[i] = min over j >= i of limit[j] + gain[i] + ... + gain[j - 1].
    """
    sums = np.concatenate([[0.0], np.cumsum(gain)])
    slowing = np.minimum.accumulate((limit + sums)[::-1])[::-1] - sums
    speeding = np.minimum.accumulate(slowing - sums) + sums
    return np.asarray(np.clip(speeding, 0.0, limit), np.float64)  # sums lose the last digits


def _durations(length: Floats, speed: Floats, squares: Floats, acceleration: float) -> Floats:
    """Seconds of each move, shape (n,), from the squares of the speeds between them, shape (n + 1,)."""
    before, after = squares[:-1], squares[1:]
    # Speed up and slow down with nothing between: 2 a s = (p^2 - before) + (p^2 - after).
    peak = np.sqrt((2.0 * acceleration * length + before + after) / 2.0)
    top = np.minimum(peak, speed)
    ramps = (2.0 * top**2 - before - after) / (2.0 * acceleration)
    level = np.maximum(length - ramps, 0.0)
    return np.asarray((2.0 * top - np.sqrt(before) - np.sqrt(after)) / acceleration + level / top, np.float64)
