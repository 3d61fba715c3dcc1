"""Scenes and machines by number, of every kind that a plotter may meet, and what has to come of them.

Number n always gives the same case: a page of any size, anywhere on a machine, turned, flipped or not; pens 1 to 4;
lines, dots, lines that are dots, lines too small to see; lines far off the page where they are to be clipped; names
that try to be commands.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from sketch_edge.runtime.page import Page
from sketch_edge.runtime.plot.gcode import frame, program
from sketch_edge.runtime.plot.machine import Machine, load_machine, machine_names
from sketch_edge.runtime.plot.plan import PlotOptions, plan_scene
from sketch_edge.runtime.scene import Pen, Placed, Scene

HOSTILE = (
    "star",
    "",
    "a\nG0 X9999 Y9999 F100",
    "a\r\nM3 S60",
    "M30",
    "G91",
    "(nested (comment)",
    ")G0 X500",
    ";py,open('/tmp/x','w')",
    "py,import os",
    "MSG,hello",
    "LOGOPEN,/tmp/x",
    "!~?",
    "\x18\x85\x90",
    "$H",
    "%",
    "\u00e9\u4e2d\U0001f600\u2028",
    "x" * 500,
    "*71",
    "N1 G28",
    "SAVE_CONFIG",
    "\x00",
    "-0.000 1e5 nan",
)

OTHERS = {
    "grbl-servo turned round": ("grbl-servo", {"pen.up": "60", "pen.down": "10"}),
    "grbl raw": ("grbl-servo", {"pen.kind": "raw", "pen.up_lines": "M3 S90|G4 P0.1", "pen.down_lines": "M3 S30"}),
    "marlin raw": (
        "marlin-servo",
        {
            "pen.kind": "raw",
            "pen.up_lines": "M106 S255|G4 P100",
            "pen.down_lines": "M106 S0",
            "program.end_lines": "M107",
        },
    ),
    "klipper macro": ("klipper", {"pen.kind": "raw", "pen.up_lines": "PEN_UP", "pen.down_lines": "PEN_DOWN"}),
    "klipper z": ("klipper", {"pen.kind": "z", "pen.up": "4", "pen.down": "-0.5"}),
    "no park, no pause": ("grbl-z", {"park.between_pens": "false", "program.pause_lines": ""}),
}
"""Machines that are not shipped, by name: the profile that they begin from, and what differs."""


@dataclass(frozen=True)
class Case:
    """A scene for a machine, and how it is to be planned."""

    scene: Scene
    machine: Machine
    options: PlotOptions
    exact: bool
    """Whether every line of the scene has to come out as it is, in its order."""


def machines() -> dict[str, Machine]:
    """All shipped machines, and OTHERS."""
    found = {name: load_machine(name) for name in machine_names()}
    return found | {name: load_machine(base, changes) for name, (base, changes) in OTHERS.items()}


def make(number: int, machine: Machine) -> Case:
    """Case `number` for a machine, which is moved, enlarged or made smaller for it."""
    rng = np.random.default_rng([number, 77])
    width, height = np.round(np.exp(rng.uniform(np.log(20), np.log(600), 2)), int(rng.integers(0, 4)))
    page = Page(float(width), float(height), 0.0)
    clip = bool(rng.random() < 0.3)
    machine = _placed(machine, page, clip, rng)
    pens = tuple(Pen(f"{HOSTILE[rng.integers(len(HOSTILE))]} {i}") for i in range(rng.integers(1, 5)))
    objects = tuple(
        Placed(_lines(page, clip, rng), HOSTILE[rng.integers(len(HOSTILE))], pen=int(rng.integers(len(pens))))
        for _ in range(rng.integers(1, 6))
    )
    scene = Scene(page, pens, objects)
    exact = not clip and bool(rng.random() < 0.6)
    if exact:
        count = sum(len(each.lines) for each in objects)
        start = int(rng.integers(1, count + 1)) if rng.random() < 0.2 else 1
        options = PlotOptions(order="keep", merge_mm=-1.0, remove_duplicates=False, start_at_stroke=start)
    else:
        options = PlotOptions(order=str(rng.choice(["keep", "nearest", "best"])), clip=clip)
    return Case(scene, machine, options, exact)


def _placed(machine: Machine, page: Page, clip: bool, rng: np.random.Generator) -> Machine:
    """The machine with the page somewhere on it; with `clip` part of the page may be out of reach."""
    turn = int(rng.choice([0, 90, 180, 270]))
    wide, high = (page.width_mm, page.height_mm) if turn % 180 == 0 else (page.height_mm, page.width_mm)
    x, y = np.round(rng.uniform(-300, 300, 2) * (rng.random() < 0.7), 2)
    slack = rng.uniform(-0.3, 0.1, 4) * min(wide, high) if clip else rng.uniform(0, 50, 4) * (rng.random() < 0.8)
    left, low, right, top = x - slack[0], y - slack[1], x + wide + slack[2], y + high + slack[3]
    park = rng.uniform([left, low], [right, top])
    area = dataclasses.replace(
        machine.area, x_min_mm=float(left), x_max_mm=float(right), y_min_mm=float(low), y_max_mm=float(top)
    )
    return dataclasses.replace(
        machine,
        area=area,
        page=dataclasses.replace(
            machine.page, x_mm=float(x), y_mm=float(y), y_up=bool(rng.random() < 0.8), turn_degrees=turn
        ),
        park=dataclasses.replace(machine.park, x_mm=float(park[0]), y_mm=float(park[1])),
    )


def _lines(page: Page, clip: bool, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Lines of one object."""
    size = np.array([page.width_mm, page.height_mm])
    lines = []
    for _ in range(rng.integers(1, 9)):
        kind = rng.choice(["walk", "jumps", "dot", "degenerate", "tiny", "corners", "far"])
        count = int(rng.integers(2, 25))
        if kind == "walk":
            line = rng.uniform(0, size) + np.cumsum(rng.normal(0, 2, (count, 2)), axis=0)
        elif kind == "jumps":
            line = rng.uniform(0, size, (count, 2))
        elif kind == "dot":
            line = rng.uniform(0, size, (1, 2))
        elif kind == "degenerate":
            line = np.repeat(rng.uniform(0, size, (1, 2)), count, axis=0)
        elif kind == "tiny":
            line = rng.uniform(0, size) + rng.normal(0, 0.0005, (count, 2))
        elif kind == "corners":
            line = size * rng.integers(0, 2, (count, 2))
        else:
            line = rng.uniform(-1, 1, (count, 2)) * 10.0 ** rng.uniform(1, 8)
        lines.append(line if clip else np.clip(line, 0, size))
    return tuple(lines)


def expected_strokes(case: Case) -> list[np.ndarray]:
    """The lines of a scene in machine mm, pen by pen: page turned clockwise, then flipped, then moved."""
    page, place = case.scene.page, case.machine.page
    strokes = []
    for pen in range(len(case.scene.pens)):
        for each in case.scene.objects:
            for line in each.lines if each.pen == pen else ():
                x, y = line.T
                high = page.height_mm if place.turn_degrees % 180 == 0 else page.width_mm
                if place.turn_degrees == 90:
                    x, y = page.height_mm - y, x
                elif place.turn_degrees == 180:
                    x, y = page.width_mm - x, page.height_mm - y
                elif place.turn_degrees == 270:
                    x, y = y, page.width_mm - x
                if place.y_up:
                    y = high - y
                strokes.append(np.stack([x + place.x_mm, y + place.y_mm], axis=1))
    return strokes


def distance_mm(points: np.ndarray, lines: list[np.ndarray]) -> float:
    """The largest distance of any of the points, shape (n, 2), from all lines."""
    begin = np.concatenate([np.concatenate([line[:1], line])[:-1] for line in lines])
    end = np.concatenate(lines)
    step = end - begin
    square = np.maximum((step**2).sum(axis=1), 1e-300)
    along = np.clip(((points[:, None] - begin) * step).sum(axis=2) / square, 0, 1)
    near = begin + along[..., None] * step
    return float(np.sqrt(((points[:, None] - near) ** 2).sum(axis=2)).min(axis=1).max())


def faults(case: Case, simulate) -> list[str]:
    """Everything that is wrong with the program of a case; nothing, if all is well."""
    plan = plan_scene(case.scene, case.machine, case.options)
    expected = expected_strokes(case)
    if not plan.layers and case.options.clip and not len(_reachable(expected, case.machine)):
        return []  # all of it is out of reach
    report = simulate(program(plan), case.machine)
    found = _harm(report)
    strokes = [np.array(stroke) for stroke in report.strokes]
    changes = len({each.pen for each in case.scene.objects}) - 1
    if case.options.start_at_stroke == 1 and not case.options.clip and case.machine.program.pause_lines:
        found += [f"{report.paused} pauses for {changes} changes of pens"] * (report.paused != changes)
    if case.exact:
        found += _differences(strokes, expected[case.options.start_at_stroke - 1 :], case.machine.pen.kind == "laser")
    else:
        found += _missing(strokes, expected, case)
    if strokes:
        around = simulate(frame(plan), case.machine)
        found += _harm(around) + ["the frame draws"] * bool(around.strokes)
    return found


def _harm(report) -> list[str]:
    """What may never happen."""
    return (
        [f"{report.outside} moves out of the area"] * bool(report.outside)
        + [f"{report.dragged} moves with the pen dragged"] * bool(report.dragged)
        + ["begins with the pen down"] * (not report.began_up)
        + ["ends with the pen down"] * (not report.ended_up)
    )


def _differences(strokes: list[np.ndarray], expected: list[np.ndarray], laser: bool) -> list[str]:
    """Strokes that are not the line that they have to be, within rounding to 0.001 mm."""
    if len(strokes) != len(expected):
        return [f"{len(strokes)} strokes for {len(expected)} lines"]
    found = []
    for number, (stroke, line) in enumerate(zip(strokes, expected, strict=True)):
        ends = max(np.abs(stroke[0] - line[0]).max(), np.abs(stroke[-1] - line[-1]).max())
        if laser and len(stroke) == 2 and np.ptp(line, axis=0).max() < 0.001:
            continue  # a laser cannot mark a dot at a standstill
        away = max(ends, distance_mm(stroke, [line]), distance_mm(line, [stroke]))
        if away > 0.001:
            found.append(f"stroke {number} is {away:.4f} mm off")
    return found


def _reachable(lines: list[np.ndarray], machine: Machine) -> np.ndarray:
    """The points that are within the work area, and not only by less than a rounding, shape (n, 2)."""
    area, points = machine.area, np.concatenate(lines)
    low, high = np.array([area.x_min_mm, area.y_min_mm]) + 0.002, np.array([area.x_max_mm, area.y_max_mm]) - 0.002
    return points[((points >= low) & (points <= high)).all(axis=1)]


def _missing(strokes: list[np.ndarray], expected: list[np.ndarray], case: Case) -> list[str]:
    """Parts of the scene that nothing draws, and strokes where it has nothing; merging may move ends a little."""
    allowed = 0.02 + 0.1 * (case.machine.pen.kind == "laser")
    inside = _reachable(expected, case.machine)
    found = []
    if len(inside) and not (strokes and distance_mm(inside, strokes) <= allowed):
        found.append("a point of the scene is not drawn")
    if strokes and distance_mm(np.concatenate(strokes), expected) > allowed:
        found.append("a stroke is where the scene has nothing")
    return found
