"""The program of a plot: text that a machine of the plan's dialect draws it with.

Every program begins and ends with the pen up, writes the feed with the first move of every kind, and says everything
again that a pause may have changed.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.plot.dialects import clean_label
from sketch_edge.runtime.plot.machine import Machine
from sketch_edge.runtime.plot.measure import parks_between
from sketch_edge.runtime.plot.plan import Layer, Plan, PlotOptions, plan_scene
from sketch_edge.runtime.plot.transform import DECIMALS
from sketch_edge.runtime.scene import Scene


class Program:
    """The lines of a program, written one command at a time; it knows where the pen is."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._lines: list[str] = []
        self._up = False
        """Whether the pen is surely up: not before the program has lifted it itself."""

    @property
    def text(self) -> str:
        """The program so far, each line with a line feed."""
        return "".join(f"{line}\n" for line in self._lines)

    def comment(self, text: str) -> None:
        """Add a line for a person to read; of the text stays what no machine acts on."""
        self._lines.append(f"; {clean_label(text)}".rstrip())

    def begin(self) -> None:
        """State units and modes, lift the pen, and do what the profile wants done first."""
        self._restore()
        if self._machine.program.start_lines:
            self._lines += self._machine.program.start_lines
            self._restore()  # lines of a profile may change anything

    def _restore(self) -> None:
        self._lines += self._machine.rules.modal
        self.pen_up()

    def pen_up(self) -> None:
        """Lift the pen, wherever it was."""
        pen = self._machine.pen
        if pen.kind == "z" and pen.up is not None:
            self._lines.append(f"G0 Z{fixed(pen.up)} F{short(self._machine.speed.z_mm_min)}")
        elif pen.kind == "laser":
            self._switch(("M5",))
        else:
            self._switch(pen.up_lines or (_servo(self._machine, pen.up),))
        self._dwell(pen.up_dwell_s)
        self._up = True

    def pen_down(self) -> None:
        """Put the pen down where it is."""
        self._up = False
        pen = self._machine.pen
        if pen.kind == "z" and pen.down is not None:
            self._lines.append(f"G1 Z{fixed(pen.down)} F{short(self._machine.speed.z_mm_min)}")
        elif pen.kind == "laser" and pen.power is not None:
            # M4 of Grbl lowers the power where the machine slows down, and is dark at a standstill.
            self._switch((f"{'M4' if self._machine.dialect == 'grbl' else 'M3'} S{short(pen.power)}",))
        else:
            self._switch(pen.down_lines or (_servo(self._machine, pen.down),))
        self._dwell(pen.down_dwell_s)

    def _switch(self, lines: Iterable[str]) -> None:
        if self._machine.rules.wait:
            self._lines.append(self._machine.rules.wait)
        self._lines += lines

    def _dwell(self, seconds: float) -> None:
        if seconds > 0:
            self._lines.append(f"G4 P{short(seconds * self._machine.rules.dwell_factor)}")

    def travel(self, x: float, y: float, note: str = "") -> None:
        """Go to a place with the pen up."""
        assert self._up, "the pen is not known to be up"
        end = f" ; {clean_label(note)}" if note else ""
        self._lines.append(f"G0 X{fixed(x)} Y{fixed(y)} F{short(self._machine.speed.travel_mm_min)}{end}")

    def trace(self, points: npt.NDArray[np.float64]) -> None:
        """Go along points, shape (n, 2), with the pen up, as slowly as if it drew them."""
        assert self._up, "the pen is not known to be up"
        self._go(points)

    def draw(self, points: npt.NDArray[np.float64], note: str = "") -> None:
        """Travel to the first of the points, shape (n, 2) with n >= 1, and draw a line through them all."""
        (x, y), *_ = points.tolist()
        self.travel(x, y, note)
        self.pen_down()
        self._go(points[1:])
        self.pen_up()

    def _go(self, points: npt.NDArray[np.float64]) -> None:
        feed = f" F{short(self._machine.speed.draw_mm_min)}"
        for x, y in points.tolist():
            self._lines.append(f"G1 X{fixed(x)} Y{fixed(y)}{feed}")
            feed = ""

    def park(self) -> None:
        """Go to the park position with the pen up."""
        self.travel(self._machine.park.x_mm, self._machine.park.y_mm)

    def pause(self) -> None:
        """Wait for a person, and state everything again afterwards."""
        if self._machine.program.pause_lines:
            self._lines += self._machine.program.pause_lines
            self._restore()

    def end(self) -> None:
        """Park, and do what ends a program."""
        self.park()
        self._lines += self._machine.program.end_lines
        self._lines += self._machine.end


def program(plan: Plan) -> str:
    """The program of a plan: ASCII text, a line feed after every line; equal plans give equal text.

    Each stroke has its number in a comment where its travel begins, `; stroke 17`: what
    `PlotOptions.start_at_stroke` takes.
    """
    out = Program(plan.machine)
    _write_head(out, plan)
    out.begin()
    for count, (layer, number) in enumerate(plan.remaining()):
        if count:
            _change_pen(out, plan.machine, layer)
        for stroke, line in enumerate(layer.lines, number):
            out.draw(line, f"stroke {stroke}")
    out.end()
    return _checked(out.text, plan.machine)


def frame(drawing: Plan | Scene, machine: Machine | None = None) -> str:
    """A program that goes once round everything a plan draws, as slowly as it draws, with the pen up all the time.

    A scene needs the machine too and is drawn as it stands.

    Raises:
        InputError: nothing is drawn, a scene comes without a machine, or the scene is out of the work area.
    """
    if isinstance(drawing, Scene):
        if machine is None:
            raise InputError("machine: is missing; a frame for a scene needs it")
        drawing = plan_scene(drawing, machine, PlotOptions(order="keep", remove_duplicates=False))
    if not drawing.layers:
        raise InputError("frame: there is nothing to draw (expected at least one line); leave it out")
    bounds = drawing.bounds
    out = Program(drawing.machine)
    out.comment("sketch-edge, frame, pen up all the time")
    _write_size(out, drawing)
    out.begin()
    out.travel(bounds.left, bounds.top)
    corners = (bounds.right, bounds.top), (bounds.right, bounds.bottom), (bounds.left, bounds.bottom)
    out.trace(np.array([*corners, (bounds.left, bounds.top)]))
    out.end()
    return _checked(out.text, drawing.machine)


def _write_head(out: Program, plan: Plan) -> None:
    out.comment(f"sketch-edge, {plan.title}")
    _write_size(out, plan)
    for layer, number in plan.remaining():
        out.comment(f"pen {layer.label}, {_counted(len(layer.lines), 'stroke')} from {number}")
    report = plan.report
    out.comment(f"drawn {report.drawn_mm:.0f} mm, travel {report.travel_mm:.0f} mm, about {_duration(report.time_s)}")
    if plan.start_at_stroke > 1:
        out.comment(f"starts at stroke {plan.start_at_stroke} of {plan.stroke_count}")


def _write_size(out: Program, plan: Plan) -> None:
    bounds = plan.bounds
    out.comment(f"machine {plan.machine.name}, {plan.machine.dialect}")
    if not plan.layers:
        return
    out.comment(f"x {fixed(bounds.left)} to {fixed(bounds.right)}, y {fixed(bounds.top)} to {fixed(bounds.bottom)} mm")


def _change_pen(out: Program, machine: Machine, layer: Layer) -> None:
    if parks_between(machine):
        out.park()
    out.comment(f"next pen {layer.label}")
    out.pause()


def _checked(text: str, machine: Machine) -> str:
    """The text, after the strict checker, which shares nothing with what wrote it, has read it."""
    from sketch_edge.runtime.plot.check import check_program

    check_program(text, machine)
    return text


def _servo(machine: Machine, position: float | None) -> str:
    assert position is not None, "a servo has positions"
    if machine.dialect == "marlin":
        return f"M280 P{machine.pen.servo} S{short(position)}"
    if machine.dialect == "klipper":
        return f"SET_SERVO SERVO={machine.pen.servo} ANGLE={short(position)}"
    return f"M3 S{short(position)}"


def fixed(value: float) -> str:
    """A coordinate in mm: always DECIMALS places, no exponent, no negative zero."""
    text = f"{value:.{DECIMALS}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def short(value: float) -> str:
    """Any other number: at most DECIMALS places, without superfluous zeros."""
    return fixed(value).rstrip("0").rstrip(".")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
