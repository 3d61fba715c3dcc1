"""How far the pen goes for given strokes, and how long it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.plot.estimate import move_time_s
from sketch_edge.runtime.plot.machine import Machine

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Effort:
    """What a plot takes, from the park position and back to it; a pause for a person takes no time."""

    travel_mm: float = 0.0
    drawn_mm: float = 0.0
    lifts: int = 0
    time_s: float = 0.0


def parks_between(machine: Machine) -> bool:
    """Whether the pen goes to the park position for a change of pens."""
    return machine.park.between_pens and bool(machine.program.pause_lines)


def effort_of(layers: Sequence[Sequence[Points]], machine: Machine) -> Effort:
    """What it takes to draw the lines of each pen in turn: arrays of shape (n, 2) in machine mm, in drawing order."""
    points, down = pen_path(layers, machine)
    steps = np.hypot(*np.diff(points, axis=0).T)
    lifts = sum(map(len, layers))
    dwell = (lifts + 1) * machine.pen.up_dwell_s + lifts * machine.pen.down_dwell_s  # lifted once at the start too
    return Effort(float(steps[~down].sum()), float(steps[down].sum()), lifts, _moving_s(layers, machine) + dwell)


def travel_of(layers: Sequence[Sequence[Points]], machine: Machine) -> float:
    """The way with the pen up alone, in mm."""
    points, down = pen_path(layers, machine)
    return float(np.hypot(*np.diff(points, axis=0)[~down].T).sum())


def pen_path(layers: Sequence[Sequence[Points]], machine: Machine) -> tuple[Points, npt.NDArray[np.bool_]]:
    """Where the pen goes: n + 1 points, shape (n + 1, 2), and whether each move between them draws, shape (n,)."""
    park = np.array([[machine.park.x_mm, machine.park.y_mm]])
    pieces, draws = [park], [[False]]
    for number, layer in enumerate(layers):
        if number and parks_between(machine):
            pieces.append(park)
            draws.append([False])
        for line in layer:
            pieces.append(line)
            draws.append([False] + [True] * (len(line) - 1))
    pieces.append(park)
    draws.append([False])
    return np.concatenate(pieces), np.array([each for piece in draws[1:] for each in piece], bool)


def _moving_s(layers: Sequence[Sequence[Points]], machine: Machine) -> float:
    """Seconds of all moves, those of a z axis among them."""
    pen, speed = machine.pen, machine.speed
    up, down = (pen.up or 0.0, pen.down or 0.0) if pen.kind == "z" else (0.0, 0.0)
    # Anything but a z axis is switched at a standstill.
    stops_up, stops_down = (pen.kind != "z" or dwell > 0 for dwell in (pen.up_dwell_s, pen.down_dwell_s))
    park = (machine.park.x_mm, machine.park.y_mm, up)
    places: list[Sequence[float]] = [park]
    feeds, halts = [], []
    for number, layer in enumerate(layers):
        if number and parks_between(machine):
            places.append(park)
            feeds.append(speed.travel_mm_min)
            halts.append(stops_up)
        for count, line in enumerate(layer):
            points = line.tolist()
            places += [(*points[0], up), *((x, y, down) for x, y in points), (*points[-1], up)]
            feeds += [speed.travel_mm_min, speed.z_mm_min, *[speed.draw_mm_min] * (len(points) - 1), speed.z_mm_min]
            halts += [stops_up or (number > 0 and count == 0), False, *_first(stops_down, len(points) - 1), False]
    places.append(park)
    return move_time_s(
        np.diff(np.array(places), axis=0),
        np.array([*feeds, speed.travel_mm_min]),
        np.array([*halts, stops_up]),
        acceleration_mm_s2=speed.acceleration_mm_s2,
        junction_deviation_mm=speed.junction_deviation_mm,
    )


def _first(value: bool, count: int) -> list[bool]:
    """`count` flags of which the first is `value`, and the others are off."""
    return [value, *[False] * (count - 1)][:count]
