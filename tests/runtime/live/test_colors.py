"""Pens in a terminal's colours."""

import pytest

from sketch_edge.runtime.live.colors import color_codes
from sketch_edge.runtime.scene import COLORS

PENS = [COLORS[name] for name in ("black", "red", "green", "blue", "grey", "white")]


@pytest.mark.parametrize(
    ("environ", "codes"),
    [
        ({"TERM": "xterm-256color"}, ["38;5;160", "38;5;34", "38;5;25"]),
        ({"TERM": "xterm"}, ["91", "92", "94"]),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, ["38;2;214;39;40", "38;2;44;160;44", "38;2;31;95;180"]),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, ["38;5;160", "38;5;34", "38;5;25"]),
    ],
)
def test_each_terminal_gets_what_it_has(environ, codes):
    """Red, green and blue; black, grey and white stay the terminal's own, which are seen on any background."""
    assert color_codes(PENS, environ) == {
        number: f"\x1b[{code}m" for number, code in zip((1, 2, 3), codes, strict=True)
    }


@pytest.mark.parametrize(
    "environ", [{}, {"TERM": "dumb"}, {"TERM": "vt100"}, {"TERM": "xterm-256color", "NO_COLOR": "1"}]
)
def test_no_colours(environ):
    """Where the terminal has none, or its user wants none."""
    assert color_codes(PENS, environ) == {}


def test_dark_inks_are_made_brighter():
    """They are made for white paper."""
    assert color_codes(["#200000"], {"TERM": "xterm", "COLORTERM": "24bit"}) == {0: "\x1b[38;2;153;0;0m"}
