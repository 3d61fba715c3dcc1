"""The plan of a plot: which lines each pen draws, in what order, where on the machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.plot.clip import clip_lines
from sketch_edge.runtime.plot.dialects import clean_label
from sketch_edge.runtime.plot.duplicates import remove_duplicates
from sketch_edge.runtime.plot.machine import Machine
from sketch_edge.runtime.plot.measure import effort_of, parks_between, travel_of
from sketch_edge.runtime.plot.order import ORDERS, ordered
from sketch_edge.runtime.plot.tidy import drop_short, merge_lines, simplify_lines
from sketch_edge.runtime.plot.transform import Transform, check_bounds, grid_area, on_grid, page_transform
from sketch_edge.runtime.scene import Pen, Placed, Scene
from sketch_edge.runtime.sketch import Bounds, bounds_of
from sketch_edge.runtime.writers.text import title_of

Line = npt.NDArray[np.float64]

DUPLICATE_MM = 0.01
"""What lies this near to what one pen draws already is not drawn again."""

LASER_DOT_MM = 0.1
"""A laser burns a line of this length for a dot: M4 is dark at a standstill."""

MOST_MM = 100.0
"""Largest distance that an option may have."""


@dataclass(frozen=True)
class PlotOptions:
    """How lines become strokes.

    Raises:
        InputError: an unknown order, or a number out of its range.
    """

    order: str = "best"
    """"keep": as in the scene. "nearest": always on to the nearest end. "best": as little travel as can be found.
    All but "keep" may draw a line from its other end."""

    merge_mm: float = 0.02
    """Lines of one pen whose ends are at most this far apart become one stroke; 0 merges equal ends only, and below
    0 nothing. No pen shows this gap, and nothing is drawn more than half of it off its place."""

    simplify_mm: float = 0.0
    """Points may go where the line changes by at most this; 0 keeps all that are not in line."""

    shortest_mm: float = 0.0
    """Lines that are shorter go; dots are meant to be dots and stay."""

    remove_duplicates: bool = True
    """Whether what one pen would draw twice is drawn once."""

    clip: bool = False
    """Whether lines are cut at the border of the work area; else one that leaves it is an error."""

    start_at_stroke: int = 1
    """Strokes before this one, as they are numbered in the program, count as drawn."""

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise InputError(f"order {self.order!r}: is unknown; choose one of {', '.join(ORDERS)}")
        for name, low in (("merge_mm", -1.0), ("simplify_mm", 0.0), ("shortest_mm", 0.0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= MOST_MM:
                raise InputError(f"{name}: is {value!r:.40} (expected {low:g} to {MOST_MM:g}); correct it")
        start = self.start_at_stroke
        if isinstance(start, bool) or not isinstance(start, int) or start < 1:
            raise InputError(f"start_at_stroke: is {start!r:.40} (expected a whole number from 1); correct it")


@dataclass(frozen=True, eq=False)
class Layer:
    """What one pen draws."""

    number: int
    """Of the pen, from 1, as in `Scene.layers`."""

    pen: Pen
    lines: tuple[Line, ...]
    """Arrays of shape (n, 2) in machine mm, in the order and direction in which they are drawn; n = 1 is a dot."""

    @property
    def last(self) -> tuple[float, float]:
        """Where the pen is lifted for the last time."""
        x, y = self.lines[-1][-1].tolist()
        return x, y

    @property
    def label(self) -> str:
        """Number and name, as a program says them: "2 red"."""
        return f"{self.number} {clean_label(self.pen.name)}".rstrip()


@dataclass(frozen=True)
class Report:
    """What planning did, and what plotting will take."""

    lines: int = 0
    """Lines of the scene."""

    clipped: int = 0
    """Lines that reached out of the work area and were cut or left out."""

    duplicates: int = 0
    """Lines that went, or lost a part, because others draw the same."""

    merged: int = 0
    """Lines that were joined to another."""

    short: int = 0
    """Lines that went because they were too short."""

    travel_before_mm: float = 0.0
    """Way with the pen up if the lines were drawn as the scene has them."""

    travel_mm: float = 0.0
    """Way with the pen up, from the park position and back to it."""

    drawn_mm: float = 0.0
    """Way with the pen down."""

    lifts: int = 0
    """Times that the pen is put down and lifted: the number of strokes."""

    time_s: float = 0.0
    """Seconds of the whole plot with acceleration, dwells and pen moves; without pauses for a change of pens."""


@dataclass(frozen=True, eq=False)
class Plan:
    """A scene as it will be plotted."""

    machine: Machine
    page: Page
    title: str
    """What is drawn, for a person."""

    layers: tuple[Layer, ...]
    """In the order in which the pens draw; each has at least one line."""

    report: Report
    pens: tuple[Pen, ...] = ()
    """All pens of the scene."""

    start_at_stroke: int = 1

    @property
    def stroke_count(self) -> int:
        """Strokes of all pens."""
        return sum(len(layer.lines) for layer in self.layers)

    @property
    def bounds(self) -> Bounds:
        """The smallest rectangle that holds everything drawn, in machine mm; `top` is the smallest y."""
        return bounds_of([line for layer in self.layers for line in layer.lines])

    def numbered(self) -> Iterator[tuple[Layer, int]]:
        """Each layer with the number of its first stroke; strokes are counted from 1 through all layers."""
        number = 1
        for layer in self.layers:
            yield layer, number
            number += len(layer.lines)

    def remaining(self) -> Iterator[tuple[Layer, int]]:
        """Likewise from the stroke `start_at_stroke` on: layers without what counts as drawn, never empty."""
        for layer, number in self.numbered():
            skipped = max(0, self.start_at_stroke - number)
            if skipped < len(layer.lines):
                yield dataclasses.replace(layer, lines=layer.lines[skipped:]), number + skipped


def plan_scene(scene: Scene, machine: Machine, options: PlotOptions | None = None) -> Plan:
    """Plan how `machine` draws a scene, one pen after the other.

    Each pen starts from where the one before ended: the park position, or its last stroke where the machine does not
    park between pens.

    Raises:
        InputError: a line leaves the work area and `clip` is off; or there is no stroke `start_at_stroke`.
    """
    options = options or PlotOptions()
    transform = page_transform(scene.page, machine)
    given = [(number, pen, _machine_lines(objects, transform)) for number, pen, objects in scene.layers()]
    total = sum(len(lines) for _, _, lines in given)
    report = Report(lines=total)
    if options.clip:
        report = dataclasses.replace(report, clipped=_outside_count(given, machine))
        given = [(number, pen, _clipped(lines, machine)) for number, pen, lines in given]
    check_bounds([line for _, _, lines in given for line in lines], machine)
    park = (machine.park.x_mm, machine.park.y_mm)
    before = [Layer(number, pen, tuple(lines)) for number, pen, lines in given if lines]
    layers: list[Layer] = []
    for layer in before:
        lines, report = _tidied(layer.lines, machine, options, report)
        start = layers[-1].last if layers and not parks_between(machine) else park
        if lines:
            strokes = ordered(lines, options.order, start=start, end=park)
            layers.append(dataclasses.replace(layer, lines=strokes))
    title = clean_label(title_of(scene.objects))
    plan = Plan(machine, scene.page, title, tuple(layers), report, scene.pens, options.start_at_stroke)
    if options.start_at_stroke > max(1, plan.stroke_count):
        raise InputError(
            f"start_at_stroke: is {options.start_at_stroke} (expected 1 to {plan.stroke_count}, the strokes there are)"
        )
    return _measured(plan, before)


def split_pens(plan: Plan) -> tuple[Plan, ...]:
    """One plan for each pen, for one program each; the strokes of each are counted from 1.

    Raises:
        InputError: strokes count as drawn already: their numbers are those of all pens.
    """
    if plan.start_at_stroke > 1:
        raise InputError("start_at_stroke: does not go with a plan for each pen; leave it out, or plan that pen alone")
    plans = []
    for layer in plan.layers:
        report = Report(lines=len(layer.lines))
        alone = dataclasses.replace(plan, layers=(layer,), report=report)
        plans.append(_measured(alone, [layer]))
    return tuple(plans)


def _machine_lines(objects: Sequence[Placed], transform: Transform) -> list[Line]:
    return on_grid([transform.to_machine(line) for each in objects for line in each.lines])


def _outside_count(given: Sequence[tuple[int, Pen, list[Line]]], machine: Machine) -> int:
    area = grid_area(machine)
    low, high = (area.left, area.top), (area.right, area.bottom)
    return sum(bool(((line < low) | (line > high)).any()) for _, _, lines in given for line in lines)


def _clipped(lines: Sequence[Line], machine: Machine) -> list[Line]:
    cut = clip_lines(lines, grid_area(machine))
    pieces = zip(on_grid(cut), cut, strict=True)
    return [piece for piece, whole in pieces if len(piece) > 1 or len(whole) == 1]


def _tidied(lines: Sequence[Line], machine: Machine, options: PlotOptions, report: Report) -> tuple[list[Line], Report]:
    """The strokes of one pen, not in order yet, and the report with what went."""
    kept, duplicates, merged = tuple(lines), 0, 0
    if options.remove_duplicates:
        kept = remove_duplicates(kept, DUPLICATE_MM)
        whole = set(map(id, kept))  # what stays as it was is the same array
        duplicates = sum(id(line) not in whole for line in lines)
    if options.merge_mm >= 0:
        before = len(kept)
        kept = merge_lines(kept, options.merge_mm)
        merged = before - len(kept)
    if options.simplify_mm > 0:
        kept = simplify_lines(kept, options.simplify_mm)
    kept, short = drop_short(kept, options.shortest_mm)
    report = dataclasses.replace(
        report,
        duplicates=report.duplicates + duplicates,
        merged=report.merged + merged,
        short=report.short + len(short),
    )
    strokes = on_grid(kept)
    if machine.pen.kind == "laser":
        strokes = [_laser_dot(line, machine) if len(line) == 1 else line for line in strokes]
    return strokes, report


def _laser_dot(dot: Line, machine: Machine) -> Line:
    """A short line in the place of a dot, towards the middle of the work area, so that it does not leave it."""
    middle = (machine.area.x_min_mm + machine.area.x_max_mm) / 2
    step = LASER_DOT_MM if dot[0, 0] < middle else -LASER_DOT_MM
    return on_grid([np.concatenate([dot, dot + np.array([step, 0.0])])])[0]


def _measured(plan: Plan, before: Sequence[Layer]) -> Plan:
    """The plan with the effort of it and of the lines `before` ordering in its report."""
    left = effort_of([layer.lines for layer, _ in plan.remaining()], plan.machine)
    report = dataclasses.replace(
        plan.report,
        travel_before_mm=travel_of([layer.lines for layer in before], plan.machine),
        travel_mm=left.travel_mm,
        drawn_mm=left.drawn_mm,
        lifts=left.lifts,
        time_s=left.time_s,
    )
    return dataclasses.replace(plan, report=report)
