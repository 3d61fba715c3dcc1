"""Hostile titles and labels through SVG and G-code: python -m tests.fuzz.titles 100000 [--state DIR]

A text goes into every place that a caller fills: class name, source, note on how it came about, pen name and caption.
The SVG is parsed strictly (expat, after every character was checked against the grammar of XML 1.0), the program by
`check_program`; but for its line feeds it must hold printable ASCII alone, and none of the bytes that controllers act
on the moment they come: ! ~ ? Ctrl-X and 0x80 to 0xff; and its moves must be those of a plain text. Prints how many
texts, how many were refused as a pen's name, and what went wrong.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from sketch_edge.runtime.errors import SketchError
from sketch_edge.runtime.plot.check import check_program
from sketch_edge.runtime.plot.machine import Machine, load_machine, machine_names
from sketch_edge.runtime.scene import Caption, Pen, Placed, Scene
from sketch_edge.runtime.writers import render
from tests.fuzz.guided import faults_of
from tests.fuzz.tally import Hand, Tally, load_tally, only_one, processor_seconds, run_piece, tally_path

PIECE = 2000
"""Texts after which the tally is written."""

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
    return None if moves(content) == _plain_moves(machine.name) else "moves in another way"


@cache
def _plain_moves(machine: str) -> list[bytes]:
    """The moves under a plain text."""
    return moves(render(scene_of("x"), "gcode", machine=load_machine(machine)))


def moves(program: bytes) -> list[bytes]:
    """The program without what stands in comments."""
    lines = (re.sub(rb"\(.*?\)|;.*", b"", line).strip() for line in program.split(b"\n"))
    return [line for line in lines if line and not line.startswith((b"M117", b"M0"))]


def try_texts(tally: Tally, hand: Hand, count: int) -> None:
    """Try `count` texts more, the first that were not tried yet, and add to the tally."""
    machines = [load_machine(name) for name in machine_names()]
    for number in range(tally.executions, tally.executions + count):
        text = text_of(random.Random(number))
        hand.take(text.encode("utf-8", "surrogatepass"))
        machine, before = machines[number % len(machines)], processor_seconds()
        checks: tuple[Callable[[], str | None], ...] = (
            lambda text=text: svg_fault(text),  # type: ignore[misc]
            lambda text=text, machine=machine: gcode_fault(text, machine),  # type: ignore[misc]
        )
        for check in checks:
            try:
                fault = check()
            except SketchError as error:
                tally.refused += 1
                fault = None if str(error).startswith("pen") else f"was refused: {error}"
            except Exception as error:
                fault = f"{type(error).__name__}: {error}"
            if fault is not None:
                tally.blame(f"text {number} {text[:60]!a} {fault}", text.encode("utf-8", "surrogatepass"))
        tally.slowest = max(tally.slowest, processor_seconds() - before)
        tally.executions += 1


def titles_piece(state: Path, count: int) -> Tally:
    """Try `count` more texts; gives the tally."""
    return run_piece(tally_path(state, "titles", "all"), 600, lambda tally, hand: try_texts(tally, hand, count))


def main() -> int:
    """Try as many texts as the command line says, those of earlier runs with the same state included."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("count", type=int, nargs="?", default=1000)
    options.add_argument("--state", type=Path, help="a folder that keeps the counts")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="sketch-fuzz-") as folder:
        state = given.state or Path(folder)
        with only_one(state):
            tally = load_tally(tally_path(state, "titles", "all"))
            while tally.executions < given.count:
                tally = titles_piece(state, min(PIECE, given.count - tally.executions))
    print("\n".join(faults_of("titles", tally)))
    print(
        f"{tally.executions:,} texts, each through SVG and G-code, in {tally.seconds:.0f} s of processor time:", end=" "
    )
    print(f"{tally.refused} refused, {len(tally.faults)} wrong")
    return bool(tally.faults)


if __name__ == "__main__":
    sys.exit(main())
