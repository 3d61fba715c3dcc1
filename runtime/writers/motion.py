"""Moving pictures of a scene, frame after frame in pen order; what GIF, APNG and WebP have in common.

A film has one short palette: the background, and for every colour a few steps from it to full ink. A frame is the
rectangle in which anything changed, as numbers of palette entries. Ink only ever grows, so no pixel goes back to
entry 0, the background; in a frame after the first, 0 says "as before".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sketch_edge.runtime.course import Course
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Scene
from sketch_edge.runtime.writers.painter import Frame, Indices, Painter, check_size, picture_height

WIDTH_PX = 480
FPS = 20.0
HOLD_S = 2.0
MOST_SECONDS = 300.0
LARGEST_FPS = 50.0
"""Browsers play frames of 10 ms and less ten times slower."""

TICK_MS = 10
"""GIF counts time in hundredths of a second; so that one drawing takes equally long everywhere, all do."""

LIFT_SHARE = 0.2
"""Through the air the pen goes five times as fast as on paper."""

SLACK = 0.4
"""So much of a frame's time a pen that lifts may be early or late."""

SECONDS_PER_ROOT = 1.5
"""A drawing whose ink is as long as its page is wide takes this long. The time grows with the square root of the
ink: a sketch of four widths takes 3 s, a page of twenty sketches not sixty but 10 s."""

SHORTEST_S, LONGEST_S = 1.0, 10.0
"""Where nobody chose, a drawing takes at least and at most this long."""


@dataclass(frozen=True)
class Timing:
    """How long a film is and how often it plays.

    Raises:
        InputError: a number out of range, or both a duration and a speed.
    """

    duration_s: float | None = None
    """Of the drawing, up to 300; where not given, the amount of ink decides."""

    speed: float | None = None
    """Times as fast as if nothing were given, 0.01 to 100; instead of `duration_s`."""

    fps: float = FPS
    """Frames a second, 1 to 50."""

    hold_s: float = HOLD_S
    """How long the finished drawing stays before it begins again, up to 300."""

    loop: int = 0
    """How often the film plays; 0 is for ever."""

    def __post_init__(self) -> None:
        if self.duration_s is not None and self.speed is not None:
            raise InputError("duration_s: goes instead of speed (got both); leave one of them out")
        for name, value, low, high in (
            ("duration_s", self.duration_s, 0.05, MOST_SECONDS),
            ("speed", self.speed, 0.01, 100),
            ("fps", self.fps, 1, LARGEST_FPS),
            ("hold_s", self.hold_s, 0, MOST_SECONDS),
            ("loop", self.loop, 0, 65_535),
        ):
            if value is not None and not low <= value <= high:  # false for nan too
                raise InputError(f"{name}: is {value:g} (expected {low:g} to {high:g}); choose another")
        if self.loop != int(self.loop):
            raise InputError(f"loop: is {self.loop} (expected a whole number; 0 plays for ever)")

    def seconds(self, course: Course, width_mm: float) -> float:
        """How long drawing a course on a page of that width takes."""
        return self._timed(min(LONGEST_S, SECONDS_PER_ROOT * math.sqrt(course.length / width_mm)))

    @property
    def least_frames(self) -> int:
        """How many frames a film of any drawing has at least."""
        return self.frames(self._timed(SHORTEST_S))

    def frames(self, seconds: float) -> int:
        """How many frames there are in so many seconds, at least 1."""
        # Rounded down: frames are never shorter than asked for, as browsers play very short ones slowly.
        return max(1, math.floor(seconds * self.fps + 1e-9))

    def _timed(self, usual: float) -> float:
        """The seconds of a drawing that usually takes so many."""
        if self.duration_s is not None:
            return self.duration_s
        return min(MOST_SECONDS, max(TICK_MS / 1000, max(SHORTEST_S, usual) / (self.speed or 1)))


class Film:
    """How a scene is drawn: in the order of its objects and lines, the pen always equally fast.

    Args:
        scene: what is drawn. Its captions stand there from the first frame on.
        format: names the format in errors.
        timing: see there.
        width_px: of the picture; the height follows from the page.
        background: a colour (#rrggbb or a name) or "transparent".
        levels: steps of ink besides none, at least 1; fewer where many colours share the palette.
        hard: on a transparent background a pixel is all ink or none.
        even: upper left corners of frames have even coordinates.

    Raises:
        InputError: an unknown colour, more than 84 colours, or a picture or film that is too large.
    """

    def __init__(
        self,
        scene: Scene,
        format: str,
        timing: Timing,
        *,
        width_px: int,
        background: str,
        levels: int,
        hard: bool = False,
        even: bool = False,
    ) -> None:
        self._course = Course(scene, LIFT_SHARE)
        self._seconds = timing.seconds(self._course, scene.page.width_mm)
        self._hold_s = timing.hold_s
        self._count = timing.frames(self._seconds) if self._course.length else 1
        self._painter = Painter(scene, format, width_px, background, 1 if hard else levels, self._count)
        self._even = even
        self.width_px, self.height_px = self._painter.width_px, self._painter.height_px
        self.colors = self._painter.colors
        """The palette as (red, green, blue, alpha), entry 0 the background. All alphas are 255; or, on a transparent
        background, the inks have their pure colours and alphas up to 255."""
        self.loop = timing.loop
        """How often it plays; 0 is for ever."""

    @property
    def see_through(self) -> bool:
        """The background is transparent."""
        return self.colors[0][3] == 0

    def frames(self) -> Iterator[Frame]:
        """The frames; the first covers the whole picture, and one that would change nothing is left out.

        Painted as they are asked for, and once only.
        """
        painter, course = self._painter, self._course
        cuts = _cuts(course, self._count)
        ticks = [round(self._seconds * number / self._count * 1000 / TICK_MS) for number in range(self._count)]
        painter.caption()
        waiting, since = None, 0
        for number, tick in enumerate(ticks):
            for piece in course.between(cuts[number], cuts[number + 1]):
                painter.paint(piece)
            frame = painter.take(whole=number == 0, even=self._even)
            if frame is not None:
                if waiting is not None:
                    yield replace(waiting, ms=(tick - since) * TICK_MS)
                waiting, since = frame, tick
        assert waiting is not None  # the first frame is whole
        last = max(ticks[-1] + 1, round((self._seconds + self._hold_s) * 1000 / TICK_MS))
        yield replace(waiting, ms=(last - since) * TICK_MS)

    def last(self) -> Indices:
        """The picture as it is now, after all frames the finished one: palette entries, shape (height, width)."""
        return self._painter.shown


def check_film(page: Page, format: str, timing: Timing, width_px: int, inks: int) -> None:
    """Refuse, before anything is drawn, a film that is too large whatever will be on the page.

    Raises:
        InputError: as `Film`.
    """
    check_size(format, width_px, picture_height(page, width_px), inks, timing.least_frames)


def _cuts(course: Course, count: int) -> list[float]:
    """Where on the way each of `count` frames begins, and where the last one ends.

    They are as far apart as can be, but where the pen lifts nearby, they are there, at the longest jump: a frame that
    is drawn in one place is a small rectangle, one from here to there a large one.
    """
    step = course.length / count
    cuts = [course.length * (number / count) for number in range(count + 1)]
    jumps: dict[int, tuple[float, float]] = {}
    for end, jump in zip(course.ends[:-1].tolist(), course.jumps.tolist(), strict=True):
        nearest = round(end / step)
        if abs(end - cuts[nearest]) <= SLACK * step:
            jumps[nearest] = max(jumps.get(nearest, (0.0, 0.0)), (jump, end))
    for number in range(1, count):
        cuts[number] = jumps.get(number, (0.0, cuts[number]))[1]
    return cuts
