"""The sections of a machine profile: work area, page, pen, speed, park position and lines of its own."""

from __future__ import annotations

from dataclasses import dataclass

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.plot.settings import check_fields, setting

_REACH = 100_000.0
_FASTEST = 1_000_000.0
_PLACE = (-_REACH, _REACH)
_RATE = (1.0, _FASTEST)


_AREA_COMMENT = (
    "The rectangle that the pen can reach, in mm of the machine's own coordinates. Nothing that would leave it is\n"
    "written, pen-up moves included. Measure yours."
)


@dataclass(frozen=True)
class Area:
    """Where the pen may go, up or down: a rectangle in machine coordinates."""

    x_min_mm: float = setting(0.0, _AREA_COMMENT, within=_PLACE)
    x_max_mm: float = setting(210.0, "", within=_PLACE)
    y_min_mm: float = setting(0.0, "", within=_PLACE)
    y_max_mm: float = setting(297.0, "", within=_PLACE)

    def __post_init__(self) -> None:
        check_fields(self, "area")
        for axis, low, high in (("x", self.x_min_mm, self.x_max_mm), ("y", self.y_min_mm, self.y_max_mm)):
            if high - low < 1:
                raise InputError(
                    f"area.{axis}_max_mm: is {high:g} (expected at least 1 mm over {axis}_min_mm, {low:g}); correct it"
                )


@dataclass(frozen=True)
class Paper:
    """Where the page lies in the machine's coordinates. What is drawn on it makes no difference to that."""

    x_mm: float = setting(
        0.0,
        "Where the page lies: the machine's coordinates of that corner of it where both are smallest.\n"
        "With y_up that is the page's lower left corner, otherwise its upper left one.",
        within=_PLACE,
    )
    y_mm: float = setting(0.0, "", within=_PLACE)
    y_up: bool = setting(
        True, "true where the machine's y grows away from you, up the page; false: drawings come out mirrored."
    )
    turn_degrees: int = setting(
        0,
        "Turns the page clockwise by 0, 90, 180 or 270 degrees, such as a wide page on a high machine.",
        choices=(0, 90, 180, 270),
    )

    def __post_init__(self) -> None:
        check_fields(self, "page")


PEN_KINDS = {
    "servo": ("up", "down"),
    "z": ("up", "down"),
    "laser": ("power",),
    "raw": ("up_lines", "down_lines"),
}
"""How a pen may be lifted, and the keys that each way needs."""

SWITCH_KEYS = ("up", "down", "power", "up_lines", "down_lines", "servo")
"""The keys that say how; those of another kind may not stand beside them."""


LEAST_TURN = 0.01
"""Between a servo's positions; a program gives three places, and what is one number there lifts no pen."""


@dataclass(frozen=True)
class Lift:
    """How the pen is put down and lifted."""

    kind: str = setting(
        "z", "How the pen is lifted: servo, z (an axis), laser, or raw (lines of your own).", choices=tuple(PEN_KINDS)
    )
    up: float | None = setting(
        None,
        "servo: where the servo is with the pen up and down: S of M3 (grbl, linuxcnc) or degrees (marlin, klipper).\n"
        "z: the height in mm with the pen up and down; 0 is where it touches the paper.",
        within=(-1000, 10_000),
    )
    down: float | None = setting(None, "", within=(-1000, 10_000))
    power: float | None = setting(
        None, "S of M4 or M3 while the laser draws; how much that is says $30 on Grbl.", within=(0.001, 100_000)
    )
    servo: str | None = setting(
        None, "Which servo: its number (marlin), or the name of its [servo NAME] section (klipper)."
    )
    up_lines: tuple[str, ...] | None = setting(None, "What lifts the pen, line by line, and what puts it down.")
    down_lines: tuple[str, ...] | None = setting(None, "")
    up_dwell_s: float = setting(
        0.0, "Seconds to wait after lifting the pen, and after putting it down.", within=(0, 60)
    )
    down_dwell_s: float = setting(0.0, "", within=(0, 60))

    def __post_init__(self) -> None:
        check_fields(self, "pen")
        for key in PEN_KINDS[self.kind]:
            if getattr(self, key) in (None, ()):
                raise InputError(f"pen.{key}: is missing (a pen of kind {self.kind} needs it); add it")
        for key in SWITCH_KEYS:
            if getattr(self, key) is not None and key not in (*PEN_KINDS[self.kind], *self._extra_keys):
                raise InputError(f"pen.{key}: does not go with a pen of kind {self.kind}; leave it out")
        if self.up is not None and self.down is not None:
            self._check_positions(self.up, self.down)

    @property
    def _extra_keys(self) -> tuple[str, ...]:
        return ("servo",) if self.kind == "servo" else ()

    def _check_positions(self, up: float, down: float) -> None:
        if self.kind == "z" and up - down < 0.1:
            raise InputError(f"pen.up: is {up:g} (expected at least 0.1 mm over pen.down, {down:g}); correct it")
        if self.kind == "servo" and (abs(up - down) < LEAST_TURN or min(up, down) < 0):
            raise InputError(
                f"pen.up: is {up:g} and pen.down {down:g} (expected two numbers, 0 or more, at least {LEAST_TURN:g} "
                "apart); correct it"
            )


@dataclass(frozen=True)
class Speed:
    """How fast the machine goes, and how quickly it gets there."""

    draw_mm_min: float = setting(
        1500.0, "Feed while drawing, in mm a minute; slower gives blacker and truer lines.", within=_RATE
    )
    travel_mm_min: float = setting(
        3000.0,
        "Feed with the pen up. Grbl and LinuxCNC take their own fastest instead, for moves like these.",
        within=_RATE,
    )
    z_mm_min: float = setting(
        300.0, "Feed of the z axis when it puts the pen down or lifts it; other pens have none.", within=_RATE
    )
    acceleration_mm_s2: float = setting(
        500.0, "What the firmware is set to; only the estimate of the time uses these two.", within=_RATE
    )
    junction_deviation_mm: float = setting(0.01, "", within=(0, 10))

    def __post_init__(self) -> None:
        check_fields(self, "speed")


@dataclass(frozen=True)
class Park:
    """Where the pen waits, lifted: at the end, and for a change of pens."""

    x_mm: float = setting(
        0.0, "Where the pen goes, lifted, at the end: the machine's coordinates, in its area.", within=_PLACE
    )
    y_mm: float = setting(0.0, "", within=_PLACE)
    between_pens: bool = setting(True, "Whether it goes there for a change of pens too; else it waits where it is.")

    def __post_init__(self) -> None:
        check_fields(self, "park")


@dataclass(frozen=True)
class Extra:
    """Lines that the profile adds of its own."""

    start_lines: tuple[str, ...] = setting(
        (), 'Lines of your own after the first lifting of the pen, such as "G28 X Y" to home a printer.'
    )
    pause_lines: tuple[str, ...] | None = setting(
        None, "What waits for you to change the pen. An empty list goes on with the pen that is there."
    )
    end_lines: tuple[str, ...] = setting((), 'Lines of your own at the end, such as "M84" to switch off motors.')

    def __post_init__(self) -> None:
        check_fields(self, "program")
