"""What makes an SVG draw itself: CSS that hides each line until its time and then lets a dash grow along it.

The lines themselves stay as they are, so whoever knows no CSS animations - printers, plotters, many viewers - has the
whole drawing, and so has who asked the system for less motion.
"""

from __future__ import annotations

from sketch_edge.runtime.course import Course
from sketch_edge.runtime.scene import Scene
from sketch_edge.runtime.writers.motion import LIFT_SHARE, Timing

DECIMALS = 3
"""Places of seconds and of percentages."""

_MEDIA = "@media screen and (prefers-reduced-motion:no-preference)"


class Animation:
    """When the lines of a scene are drawn, in the order of its objects and lines, the pen always equally fast.

    Every path has the length 1, whatever its true one: a dash of that length that begins 1 before the path is out of
    sight, and moved by 1 it covers all of it. The gap is longer than the path, else the next dash would show at the
    path's end.
    """

    def __init__(self, scene: Scene, timing: Timing) -> None:
        course = Course(scene, LIFT_SHARE)
        self._seconds = timing.seconds(course, scene.page.width_mm)
        self._hold_s, self._loop = timing.hold_s, timing.loop
        scale = self._seconds / course.length if course.length else 0.0
        starts, ends = (course.starts * scale).tolist(), (course.ends * scale).tolist()
        self._times = list(zip(starts, ends, strict=True))
        self._firsts = [0]
        for each in scene.objects:
            self._firsts.append(self._firsts[-1] + len(each.lines))
        self._layers = [f"#layer{number} path" for number, _, _ in scene.layers()]

    def style(self) -> str:
        """The style sheet."""
        paths = ",".join(self._layers)
        if not self._times:
            return ""
        if self._loop == 1:
            # Only until its end: then the plain line is back. Visibility changes as soon as anything moves.
            return (
                f"{_MEDIA}{{{paths}{{animation:draw var(--d) linear var(--s) backwards}}}}"
                "@keyframes draw{from{visibility:hidden;stroke-dasharray:1 2;stroke-dashoffset:1}"
                "to{stroke-dasharray:1 2;stroke-dashoffset:0}}"
            )
        # A delay is waited for but once; so each line needs keyframes of its own that span all of the time.
        whole = self._seconds + self._hold_s
        often = self._loop or "infinite"
        rule = f"{_MEDIA}{{{paths}{{stroke-dasharray:1 2;animation:{_number(whole)}s linear {often}}}}}"
        keyframes = (
            f"@keyframes k{number}{{from,{_number(100 * start / whole)}%{{visibility:hidden;stroke-dashoffset:1}}"
            f"{_number(100 * end / whole)}%,to{{stroke-dashoffset:0}}}}"
            for number, (start, end) in enumerate(self._times)
        )
        return "\n".join([rule, *keyframes])

    def attributes(self, owner: int, line: int) -> dict[str, str]:
        """The attributes of the path of a line; `owner` is the index of its object, `line` its own index there."""
        number = self._firsts[owner] + line
        start, end = self._times[number]
        times = f"--s:{_number(start)}s;--d:{_number(end - start)}s" if self._loop == 1 else f"animation-name:k{number}"
        return {"pathLength": "1", "style": times}


def _number(value: float) -> str:
    """A number with at most DECIMALS places, as short as can be."""
    text = f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return text.removeprefix("0") or "0" if text.startswith("0.") else text
