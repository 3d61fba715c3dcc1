"""A plotter in mind: it goes where it is told, keeps a record, and refuses what would harm pen, paper or machine."""

from __future__ import annotations

import numpy as np

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.plot.machine import Machine
from sketch_edge.runtime.plot.trace import Moves, Trace

LONGEST_DWELL_S = 60.0
"""A longer wait than this is one in the wrong unit."""

SHORTEST_DWELL_S = 0.001
"""So is a shorter one, other than none."""

FASTEST_MM_MIN = 1_000_000.0

_SLACK_MM = 0.000501
"""How far a coordinate may be out of the work area: what rounding to three decimals does to one on its edge."""

_COLUMNS = 10  # of the record: start (3), end (3), down, feed, halt, line


class Plotter:
    """Position, pen and feeds of a machine. Every method refuses what must not happen, with InputError.

    Where the pen is before the first move is not known; the record lets it begin where the machine parks.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.line = 0
        """Where in the program it is; goes into the record."""
        self.down: bool | None = None
        """Whether the pen is on the paper; None as long as nobody knows."""
        self.moving = False
        """Whether moves may still be going on: what is switched now happens before they end."""
        self.moved = False
        """Whether it was ever told to move."""
        area = machine.area
        self._low_x, self._high_x = area.x_min_mm - _SLACK_MM, area.x_max_mm + _SLACK_MM
        self._low_y, self._high_y = area.y_min_mm - _SLACK_MM, area.y_max_mm + _SLACK_MM
        self._x, self._y = machine.park.x_mm, machine.park.y_mm
        self._z = machine.pen.up or 0.0 if machine.pen.kind == "z" else 0.0
        self._known = False  # where it is
        self._powered = True
        self._feed = 0.0
        self._feed_for = ""  # the kind of move that it was given for
        self._halted = True  # since the last move
        self._moves: list[tuple[float, ...]] = []
        self._touch: tuple[int, int] = (0, 0)  # first move and line of the touch that lasts
        self._touches: list[tuple[int, int, int]] = []
        self._places: list[tuple[float, float]] = []
        self._dwells: list[tuple[int, float]] = []
        self._pauses: list[int] = []

    def go(self, x: float | None, y: float | None, *, fast: bool, feed: float | None) -> None:
        """Go across the paper; an axis that is not given stays where it is."""
        if x is None or y is None:
            if not self._known:
                raise InputError("gives only one of X and Y (expected both in the first move)")
            x, y = self._x if x is None else x, self._y if y is None else y
        if not (self._low_x <= x <= self._high_x and self._low_y <= y <= self._high_y):
            raise InputError(f"goes to ({x:g}, {y:g}) (expected {self._area()})")
        down = self.down
        if down is None:
            raise InputError("moves before the pen is known to be up (expected to lift it first)")
        if down and fast:
            raise InputError("travels with the pen down (expected to lift it first)")
        self._take_feed("drawing" if down else "travel", feed)
        z = self._z
        self._moves.append((self._x, self._y, z, x, y, z, down, self._feed, self._halted, self.line))
        self._x, self._y = x, y
        self._known = self.moving = self.moved = True
        self._halted = False

    def raise_to(self, z: float, *, feed: float | None) -> None:
        """Move the z axis. What that means for the pen says `put_down` before it, or `lift` after it."""
        self._take_feed("z", feed)
        x, y = self._x, self._y
        self._moves.append((x, y, self._z, x, y, z, bool(self.down), self._feed, self._halted, self.line))
        self._z = z
        self.moving = self.moved = True
        self._halted = False

    def forget_feed(self) -> None:
        """Take no feed for granted any more: LinuxCNC sets it to 0 with every choice of how feeds are meant."""
        self._feed_for = ""

    def put_down(self) -> None:
        """Put the pen on the paper."""
        if self.down is None:
            raise InputError("puts the pen down as the first thing that it does with it (expected to lift it first)")
        if not self._known:
            raise InputError("puts the pen down before the first move, where nobody knows (expected to move first)")
        if not self.down:
            self.down = True
            self._touch = (len(self._moves), self.line)
            self._places.append((self._x, self._y))

    def lift(self) -> None:
        """Lift the pen."""
        if self.down:
            self._touches.append((self._touch[0], len(self._moves), self._touch[1]))
        self.down = False

    def halt(self) -> None:
        """Stand still for a moment: do something else than move."""
        self._halted = True

    def wait(self, seconds: float) -> None:
        """Wait for a time."""
        if seconds and not SHORTEST_DWELL_S <= seconds <= LONGEST_DWELL_S:
            raise InputError(
                f"waits {seconds:g} s (expected 0 or {SHORTEST_DWELL_S:g} to {LONGEST_DWELL_S:g} s); is the unit right?"
            )
        self._dwells.append((self.line, seconds))
        self.settle()

    def pause(self) -> None:
        """Wait for a person."""
        if self.down is not False:
            raise InputError("pauses with the pen not lifted (expected to lift it first)")
        self._pauses.append(self.line)
        self.settle()

    def settle(self) -> None:
        """Finish all moves."""
        self._halted, self.moving = True, False

    def home(self, *, upright: bool) -> None:
        """Go to the switches, wherever they are; `upright`: with the z axis too, and the pen on it may touch."""
        if self.down is not False:
            raise InputError("homes with the pen not lifted (expected to lift it first)")
        self._x, self._y, self._known = self.machine.park.x_mm, self.machine.park.y_mm, False
        self._powered = True
        if upright and self.machine.pen.kind in ("z", "raw"):
            self.down = None
        self.settle()

    def name_place(self, x: float | None, y: float | None) -> None:
        """Call the present place (x, y)."""
        if self._known:
            raise InputError("names the place anew after a move (expected that before the first move only)")
        self._x, self._y = self._x if x is None else x, self._y if y is None else y
        if not (self._low_x <= self._x <= self._high_x and self._low_y <= self._y <= self._high_y):
            raise InputError(f"calls the place ({self._x:g}, {self._y:g}) (expected {self._area()})")
        self.settle()

    def switch_off(self) -> None:
        """Switch the motors off; only homing tells where the pen is afterwards."""
        self._powered = False
        self.settle()

    def trace(self) -> Trace:
        """The record. Only complete once the pen is up."""
        table = np.array(self._moves, np.float64).reshape(-1, _COLUMNS)
        moves = Moves(
            start=table[:, 0:3].copy(),
            end=table[:, 3:6].copy(),
            down=table[:, 6] > 0,
            feed_mm_min=table[:, 7].copy(),
            halt=table[:, 8] > 0,
            line=table[:, 9].astype(np.int64),
        )
        touches = np.array(self._touches, np.int64).reshape(-1, 3)
        places = np.array(self._places, np.float64).reshape(-1, 2)
        return Trace(moves, touches, places, tuple(self._dwells), tuple(self._pauses))

    def _take_feed(self, kind: str, feed: float | None) -> None:
        """Take the feed of a move, or that of the last move of its kind if no other had one since."""
        if not self._powered:
            raise InputError("moves after the motors were switched off (expected none, or homing first)")
        if feed is None:
            if self._feed_for != kind:
                raise InputError(f"has no feed (expected F: none was given for {kind} moves since others were made)")
            return
        if not 0 < feed <= FASTEST_MM_MIN:
            raise InputError(f"has the feed {feed:g} (expected over 0 and up to {FASTEST_MM_MIN:g} mm a minute)")
        self._feed, self._feed_for = feed, kind

    def _area(self) -> str:
        area = self.machine.area
        return (
            f"a place in the work area, x {area.x_min_mm:g} to {area.x_max_mm:g}, "
            f"y {area.y_min_mm:g} to {area.y_max_mm:g}"
        )
