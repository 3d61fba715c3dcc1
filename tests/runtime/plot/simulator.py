"""A pen plotter for tests: eats a program character by character, as firmware does, and says where the pen went.

It judges nothing about form and stops at nothing; it only reports what a machine would have done with what it was
given. It is written apart from the package's own checker, in another manner, so that the two can be held against each
other: no regular expressions, no tables, one small state machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field

INCH = 25.4
NEAR = 0.002


@dataclass
class Report:
    """What happened."""

    strokes: list[list[tuple[float, float]]] = field(default_factory=list)
    moves: int = 0
    outside: int = 0
    """Moves that end out of the work area, pen up or down."""
    dragged: int = 0
    """Fast moves with the pen on the paper, or where nobody knows."""
    began_up: bool = False
    """Whether the first thing that was done with the pen was to lift it, before any move across the paper."""
    ended_up: bool = False
    paused: int = 0
    waited_s: float = 0.0


class Simulator:
    """One plotter. `run` gives it a program."""

    def __init__(self, machine) -> None:
        self.machine = machine
        self.firmware = machine.dialect
        self.report = Report()
        self.at = [machine.park.x_mm, machine.park.y_mm]
        self.height = 0.0
        self.spindle = 0.0
        self.scale = 1.0
        self.relative = False
        self.motion: float | None = None
        self.pen = "unknown"
        self.history: list[str] = []
        self.over = False

    def run(self, text: str) -> Report:
        """Do a program."""
        line = ""
        for char in text:
            if char == "\n":
                self.line(line)
                line = ""
            else:
                line += char
        if line:
            self.line(line)
        self.report.ended_up = self.pen == "up"
        if self.pen == "down":
            self.report.strokes.append(self.stroke)
        return self.report

    def line(self, line: str) -> None:
        """Do one line."""
        if self.over:
            return
        code = self.strip(line)
        if not code.strip():
            return
        self.history.append(code.strip())
        if self.firmware == "klipper" and self.named(code.strip()):
            self.raw()
            return
        if self.firmware == "marlin" and code.startswith("M117"):
            return
        words = self.words(code)
        self.obey(words)
        self.raw()

    def strip(self, line: str) -> str:
        """A line without what this firmware takes for a comment."""
        kept, inside = "", False
        round_ones = self.firmware in ("grbl", "linuxcnc")
        for char in line:
            if inside:
                inside = char != ")"
            elif char == ";":
                break
            elif char == "(" and round_ones:
                inside = True
            else:
                kept += char
        return kept

    def words(self, code: str) -> list[tuple[str, float]]:
        """Letters and the numbers after them; what is no number counts as none."""
        found: list[tuple[str, float]] = []
        letter, digits = "", ""
        for char in [*code.upper(), "\0"]:
            if char.isalpha() or char == "\0":
                if letter:
                    try:
                        found.append((letter, float(digits)))
                    except ValueError:
                        found.append((letter, float("nan")))
                letter, digits = char, ""
            elif not char.isspace():
                digits += char
        return found

    def named(self, code: str) -> bool:
        """Do an extended command of Klipper; False if it is none."""
        name, *rest = code.split()
        if len(name) < 2 or name[1].isdigit():
            return False
        settings = {}
        for each in rest:
            key, _, value = each.partition("=")
            settings[key] = value
        if name == "SET_SERVO" and settings.get("SERVO") == self.machine.pen.servo:
            self.turn_servo(float(settings["ANGLE"]))
        if name == "PAUSE":
            self.report.paused += 1
        return True

    def obey(self, words: list[tuple[str, float]]) -> None:
        """Do the words of a line, in the order in which controllers do them: modes first, motion last."""
        given = {letter: value for letter, value in words if letter not in "GM"}
        for letter, value in words:
            if letter == "G":
                self.g(value, given)
        for letter, value in words:
            if letter == "M":
                self.m(value, given)
        if any(axis in given for axis in "XYZ") and self.motion is not None and self.moving(words):
            self.move(given)

    def moving(self, words) -> bool:
        """Whether the axes of a line are for a motion; on printers only a line with G0 or G1 moves."""
        codes = [value for letter, value in words if letter == "G"]
        if any(value in (4, 10, 28, 30, 92) for value in codes):
            return False
        if any(letter == "M" for letter, _ in words) and not codes:
            return False
        return self.firmware in ("grbl", "linuxcnc") or any(value in (0, 1, 2, 3) for value in codes)

    def g(self, value: float, given: dict[str, float]) -> None:
        if value in (0, 1, 2, 3):
            self.motion = value
        elif value == 20:
            self.scale = INCH
        elif value == 21:
            self.scale = 1.0
        elif value == 90:
            self.relative = False
        elif value == 91:
            self.relative = True
        elif value == 4:
            for letter, seconds in given.items():
                if letter == "P":
                    self.report.waited_s += seconds / (1000 if self.firmware in ("marlin", "klipper") else 1)
                if letter == "S" and self.firmware == "marlin":
                    self.report.waited_s += seconds
        elif value == 28:
            if self.machine.pen.kind in ("z", "raw") and ("Z" in given or not {"X", "Y"} & set(given)):
                self.pen = "homed"
            self.at = [self.machine.park.x_mm, self.machine.park.y_mm]
        elif value == 92:
            self.at = [given.get("X", self.at[0]), given.get("Y", self.at[1])]

    def m(self, value: float, given: dict[str, float]) -> None:
        if value in (3, 4):
            self.turn_spindle(given.get("S", self.spindle))
        elif value == 5:
            self.turn_spindle(0.0)
        elif value == 280 and str(int(given.get("P", -1))) == self.machine.pen.servo:
            self.turn_servo(given["S"])
        elif value in (0, 1):
            self.report.paused += 1
        elif value in (2, 30) and self.firmware in ("grbl", "linuxcnc"):
            self.turn_spindle(0.0)
            self.over = True

    def turn_spindle(self, value: float) -> None:
        """S of M3 or M4, or 0."""
        self.spindle = value
        kind = self.machine.pen.kind
        if kind == "laser":
            self.set_pen("down" if value > 0 else "up")
        elif kind == "servo" and self.firmware in ("grbl", "linuxcnc"):
            self.turn_servo(value)

    def turn_servo(self, value: float) -> None:
        """A servo that is at its upper position, or beyond, holds the pen up; anywhere else it may touch."""
        pen = self.machine.pen
        if pen.kind == "servo":
            if pen.up > pen.down:
                self.set_pen("up" if value >= pen.up - NEAR else "down")
            else:
                self.set_pen("up" if value <= pen.up + NEAR else "down")

    def raw(self) -> None:
        """A profile's own lines: the pen is up when all of those that lift it are the last that were done."""
        pen = self.machine.pen
        if pen.kind != "raw":
            return
        ups, downs = list(pen.up_lines), list(pen.down_lines)
        last = self.history[-1]
        if last in downs and last not in ups and last.split()[0] not in ("G4", "M400"):
            self.set_pen("down")
        ended_up = self.history[-len(ups) :] == ups
        ended_down = self.history[-len(downs) :] == downs
        if ended_down and (not ended_up or len(downs) > len(ups)):
            self.set_pen("down")
        elif ended_up:
            self.set_pen("up")

    def set_pen(self, state: str) -> None:
        if self.pen == "unknown":
            self.report.began_up = state == "up" and not self.report.moves
        if state == "down" and self.pen != "down":
            self.stroke = [tuple(self.at)]
        if state != "down" and self.pen == "down":
            self.report.strokes.append(self.stroke)
        self.pen = state

    def move(self, given: dict[str, float]) -> None:
        """Go somewhere, straight (arcs too: only where they end is looked at)."""
        target = list(self.at)
        for place, axis in enumerate("XY"):
            if axis in given:
                target[place] = given[axis] * self.scale + (self.at[place] if self.relative else 0.0)
        across = "X" in given or "Y" in given
        if across:
            self.report.moves += 1
            if self.pen != "up" and self.motion == 0:
                self.report.dragged += 1
            if self.pen == "unknown":
                self.report.dragged += 1
            area = self.machine.area
            if not (
                area.x_min_mm - NEAR < target[0] < area.x_max_mm + NEAR
                and area.y_min_mm - NEAR < target[1] < area.y_max_mm + NEAR
            ):
                self.report.outside += 1
            self.at = target
            if self.pen == "down" and self.stroke[-1] != tuple(target):
                self.stroke.append(tuple(target))
        if "Z" in given:
            self.height = given["Z"] * self.scale + (self.height if self.relative else 0.0)
            if self.machine.pen.kind == "z":
                self.set_pen("up" if self.height > self.machine.pen.up - NEAR else "down")


def simulate(text: str, machine) -> Report:
    """Do a whole program on a plotter that was just switched on."""
    return Simulator(machine).run(text)
