"""Colours of pens in a terminal, as far as it has any."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence

from sketch_edge.runtime.scene import color_rgb

RESET = "\x1b[0m"
GREY = 0.25
"""Colours of less saturation than that have the terminal's own: black ink on a black screen would not be seen."""

DARKEST = 0.6
"""Darker inks are made as bright as this, 0 to 1: inks are chosen for white paper, most terminals are dark."""

_HUES = (91, 93, 92, 96, 94, 95)
"""The bright ones of the 16 colours: red, yellow, green, cyan, blue, magenta, a sixth of the circle apart."""

_LEVELS = (0, 95, 135, 175, 215, 255)
"""Of red, green and blue in the cube of xterm's 256 colours, which begins with number 16."""


def color_codes(colors: Sequence[str], environ: Mapping[str, str]) -> dict[int, str]:
    """The escape codes that switch to colours #rrggbb, by their places; those that stay the terminal's own have none.

    NO_COLOR, when it is not empty, switches all off (https://no-color.org).
    """
    depth = color_depth(environ)
    codes = {number: _code(color, depth) for number, color in enumerate(colors)} if depth else {}
    return {number: f"\x1b[{code}m" for number, code in codes.items() if code}


def color_depth(environ: Mapping[str, str]) -> int:
    """How many colours a terminal says it has: 0, 16, 256 or 2**24."""
    term = environ.get("TERM", "")
    if environ.get("NO_COLOR") or term in ("", "dumb") or term.startswith(("vt1", "vt2")):
        return 0
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit") or term.endswith("-direct"):
        return 2**24
    return 256 if "256" in term else 16


def _code(color: str, depth: int) -> str:
    """What stands in the escape code; empty for the terminal's own colour."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(part / 255 for part in color_rgb(color)))
    if saturation < GREY or value == 0:
        return ""
    if depth == 16:
        return str(_HUES[round(hue * 6) % 6])
    red, green, blue = (round(part * 255) for part in colorsys.hsv_to_rgb(hue, saturation, max(value, DARKEST)))
    if depth == 256:
        numbers = (min(range(6), key=lambda level: abs(_LEVELS[level] - part)) for part in (red, green, blue))
        place = sum(number * side for number, side in zip(numbers, (36, 6, 1), strict=True))
        return f"38;5;{16 + place}"
    return f"38;2;{red};{green};{blue}"
