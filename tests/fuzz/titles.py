"""Hostile titles and labels through SVG and G-code: python -m tests.fuzz.titles 100000 [SECONDS]

A text goes into every place that a caller fills: class name, source, note on how it came about, pen name and caption.
The SVG is parsed strictly (expat, after every character was checked against the grammar of XML 1.0), the program by
`check_program`; but for its line feeds it must hold printable ASCII alone, and none of the bytes that controllers act
on the moment they come: ! ~ ? Ctrl-X and 0x80 to 0xff; and its moves must be those of a plain text. Prints how many
texts, how many were refused as a pen's name, and what went wrong.
"""

from __future__ import annotations

import math
import random
import re
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import numpy as np

from sketch_edge.runtime.errors import SketchError
from sketch_edge.runtime.plot.check import check_program
from sketch_edge.runtime.plot.machine import Machine, load_machine, machine_names
from sketch_edge.runtime.scene import Caption, Pen, Placed, Scene
from sketch_edge.runtime.writers import render

XML = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
"""The characters of XML 1.0."""

REAL_TIME = frozenset(b"!~?\x18") | frozenset(range(0x80, 0x100))
PIECES = (
    *(
        "]]>",
        "-->",
        "<!--",
        "<script>alert(1)</script>",
        "&#0;",
        "&lol;",
        '" onload="x',
        "<![CDATA[",
        "<?xml ?>",
        "%s%n",
    ),
    *(
        "\nG0 X999",
        "\r\nM3 S1000",
        ")G1 Z-5(",
        "; $X",
        "\x18",
        "!",
        "~",
        "?",
        "%",
        "(((",
        "*71",
        "N1 G0",
        "$H",
        "\x85\x9e",
    ),
    *(
        "\x00",
        "\x1b[2J",
        "\x7f",
        "\ufffe",
        "\uffff",
        "\ud800",
        "\udfff",
        "\u202e",
        "\u2028",
        "\U0010ffff",
        "\x0b\x0c",
        "e\u0301",
    ),
)


def text_of(rng: random.Random) -> str:
    """A title that means harm, or that merely comes from a keyboard of another world."""
    pieces = []
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        kind = rng.random()
        if kind < 0.5:
            pieces.append(rng.choice(PIECES))
        elif kind < 0.7:
            pieces.append(chr(rng.randrange(0x180)) * rng.choice((1, 1, 3, 300)))
        else:
            pieces.append("".join(chr(rng.randrange(0x110000)) for _ in range(rng.randrange(1, 12))))
    return "".join(pieces)


def scene_of(text: str) -> Scene:
    """A page on which every text is `text`."""
    line = np.array([[20.0, 20.0], [30.0, 25.0]])
    placed = Placed((line,), text, seed=7, temperature=0.4, source=text, how=text)
    return Scene(pens=(Pen(text, "#102030", 0.5),), objects=(placed,), captions=(Caption(text, 50, 90, 4),))


def svg_fault(text: str) -> str | None:
    """What is wrong with the SVG of a text."""
    content = render(scene_of(text), "svg").decode("utf-8")
    if not XML.fullmatch(content):
        return "holds a character that XML does not have"
    root = ElementTree.fromstring(content)
    known = {"svg", "g", "path", "polyline", "line", "text", "title", "desc", "rect", "metadata", "tspan", "circle"}
    odd = {element.tag.rsplit("}", 1)[-1] for element in root.iter()} - known
    handlers = [name for element in root.iter() for name in element.attrib if name.lower().startswith("on")]
    return f"has {odd or handlers}" if odd or handlers else None


def gcode_fault(text: str, machine: Machine) -> str | None:
    """What is wrong with the program of a text."""
    content = render(scene_of(text), "gcode", machine=machine)
    bad = {byte for byte in content if byte != 10 and not 32 <= byte < 127} | (REAL_TIME & set(content))
    if bad:
        return f"holds the bytes {sorted(bad)}"
    check_program(content, machine)
    plain = render(scene_of("x"), "gcode", machine=machine)
    return None if moves(content) == moves(plain) else "moves in another way"


def moves(program: bytes) -> list[bytes]:
    """The program without what stands in comments."""
    lines = (re.sub(rb"\(.*?\)|;.*", b"", line).strip() for line in program.split(b"\n"))
    return [line for line in lines if line and not line.startswith((b"M117", b"M0"))]


def run(count: int, seconds: float = math.inf) -> tuple[int, int, list[str]]:
    """Try texts 0 to `count` - 1, or as many as there is time for: how many, how many refused, what went wrong."""
    ends, done = time.monotonic() + seconds, 0
    machines = [load_machine(name) for name in machine_names()]
    refused, wrong = 0, list[str]()
    for number in range(count):
        if time.monotonic() > ends:
            break
        done += 1
        text = text_of(random.Random(number))
        checks: tuple[Callable[[], str | None], ...] = (
            lambda text=text: svg_fault(text),  # type: ignore[misc]
            lambda text=text, number=number: gcode_fault(text, machines[number % len(machines)]),  # type: ignore[misc]
        )
        for check in checks:
            try:
                fault = check()
            except SketchError as error:
                refused += 1
                fault = None if str(error).startswith("pen") else f"was refused: {error}"
            except Exception as error:
                fault = f"{type(error).__name__}: {error}"
            if fault is not None:
                wrong.append(f"text {number} {text[:60]!a} {fault}")
    return done, refused, wrong


def main() -> int:
    """Try as many texts as the command line says, for as many seconds as it says."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    count, refused, wrong = run(count, float(sys.argv[2]) if len(sys.argv) > 2 else math.inf)
    print("\n".join(wrong[:20]))
    print(f"{count} texts, each through SVG and G-code: {refused} refused, {len(wrong)} wrong")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
