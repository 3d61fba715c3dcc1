"""The strict checker: reads a program as the machine will, and refuses the first thing that is not surely right.

It is a second, independent reading of the firmwares: nothing of the code that writes programs is used, only the
`Machine` that describes the plotter. Every program that this package writes passes it before the file gets its name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.plot.grammar import GRAMMARS, NUMBER, UNSAFE_MACROS, split_comment, split_words
from sketch_edge.runtime.plot.machine import Machine
from sketch_edge.runtime.plot.plotter import Plotter
from sketch_edge.runtime.plot.trace import Trace

_GO = re.compile(rf"G([01]) X({NUMBER}) Y({NUMBER})(?: F({NUMBER}))?(?: ; [a-z0-9 ]{{0,30}})?")
"""The usual move, never longer than a line may be; a line of another form is read word by word."""

_SAME = 0.0006
"""Two values nearer than this are one, written with three decimals."""


def check_program(text: str | bytes, machine: Machine, name: str = "program") -> Trace:
    """Read a whole program and do it in mind, as `machine` would.

    Accepted is what its firmware surely takes as it is meant: lines of a closed grammar, units and distances set before
    the first move, every move (with the pen up too) within the work area, no fast travel with the pen down, no drawing
    without a feed for it, the pen lifted before the first move, at every pause and at the end. Programs of other
    makers are welcome; few are that strict.

    Args:
        text: the program; lines end with a line feed, the last one too.
        machine: what it is for.
        name: of the program, for errors, such as the name of its file.

    Returns:
        What the machine does.

    Raises:
        InputError: `name`:line: what is wrong there, for the first line that is.
    """
    lines = (text.decode("latin-1") if isinstance(text, bytes) else text).split("\n")
    reader = _Reader(machine, lines)
    try:
        reader.read()
    except InputError as error:
        number = max(1, reader.plotter.line)
        raise InputError(f"{name}:{number}: {error}; the line is {lines[number - 1][:100]!a}") from None
    return reader.plotter.trace()


class _Reader:
    """Reads lines and has them done."""

    def __init__(self, machine: Machine, lines: Sequence[str]) -> None:
        self.lines = lines
        self.plotter = Plotter(machine)
        self.machine, self.pen, self.grammar = machine, machine.pen, GRAMMARS[machine.dialect]
        self.modes: set[str] = set()
        self.ended = False
        ups, downs = (self.pen.up_lines or (), self.pen.down_lines or ()) if self.pen.kind == "raw" else ((), ())
        program = machine.program
        self.own = {*ups, *downs, *program.start_lines, *(program.pause_lines or ()), *program.end_lines}
        pauses = program.pause_lines or ()
        macros = [line for line in pauses if line[1:2].isalpha()]  # of Klipper: no letter and number
        self.pause_macros = set(macros[:1]) if "PAUSE" not in pauses else set()
        # What a part of these lines would do to the pen nobody knows; waiting does nothing to it.
        apart = {*ups, *downs} - {*program.start_lines, *pauses, *program.end_lines} | {*downs} - {*ups}
        self.only_in_blocks = {line for line in apart if line.split(" ")[0] not in ("G4", "M400")}
        # One of the two may begin with the other: the longer one is looked for first.
        self.blocks = sorted(((ups, False), (downs, True)), key=lambda each: -len(each[0])) if ups or downs else []
        self.block_left = 0  # lines of the block that is being read
        self.block_down = False

    def read(self) -> None:
        """Read all lines."""
        plotter = self.plotter
        if self.lines[-1]:
            plotter.line = len(self.lines)
            raise InputError("does not end with a line feed (expected one after the last line too)")
        fullmatch = _GO.fullmatch
        for number, line in enumerate(self.lines[:-1], 1):
            plotter.line = number
            match = fullmatch(line)
            if match is None or "-0" in line or not plotter.moved or self.ended or self.block_left:
                self._line(line)
                continue
            code, x, y, feed = match.groups()
            plotter.go(float(x), float(y), fast=code == "0", feed=None if feed is None else float(feed))
        self._check_end()

    def _check_end(self) -> None:
        plotter, name = self.plotter, self.grammar.name
        if plotter.down is not False:
            raise InputError("is the end, where the pen is not lifted (expected to lift it last)")
        # Grbl would do without; but then nobody sees that a file was cut off.
        if not self.ended and (name == "linuxcnc" or (name == "grbl" and self._may_end)):
            raise InputError(f"is the end without M2 (expected M2 or M30 on {name})")
        if name in ("marlin", "klipper") and plotter.moving:
            raise InputError("is the end while moves go on (expected M400 or M84 after the last one)")

    def _line(self, line: str) -> None:
        """Do a line of any form."""
        text = split_comment(line, self.grammar)
        if not text:
            return
        if self.ended:
            raise InputError("stands after the end of the program (expected nothing more)")
        if not self.block_left and self.blocks:
            self._begin_block()
        if not self.block_left:
            self._words(text)
            return
        self.block_left -= 1
        if self.block_down:
            self.plotter.put_down()
        self._words(text, in_block=True)
        if not self.block_left and not self.block_down:
            self.plotter.lift()

    def _begin_block(self) -> None:
        """See whether the profile's lines that lift or lower the pen begin here, all of them."""
        first = self.plotter.line - 1
        for block, down in self.blocks:
            here = self.lines[first : first + len(block)]
            if len(here) == len(block) and all(
                line == own or split_comment(line, self.grammar) == own for line, own in zip(here, block, strict=True)
            ):
                self.block_left, self.block_down = len(block), down
                return

    def _words(self, text: str, *, in_block: bool = False) -> None:
        """Do words; `in_block`: they stand in the profile for lifting or lowering the pen."""
        grammar, words = self.grammar, split_words(text, self.grammar)
        codes = [letter + number for letter, number in words if letter in "GM" or (not number and len(letter) > 1)]
        if not codes:
            raise InputError("has no code (expected one such as G1 on every line)")
        if all(code in grammar.settings for code in codes):
            self._choose(codes, words)
            return
        if unknown := [each for each in codes if each not in grammar.settings and not self._known(each, text)]:
            raise InputError(f"has {unknown[0]}, which {self._why_not(unknown[0])}")
        code = codes[0]
        if len(codes) > 1 or "".join(words[0]) != code:
            raise InputError(f"has {text[:60]} (expected one code and its words, or settings only)")
        allowed = self._allowed(code, text)
        for letter, number in words[1:]:
            if allowed is not None and letter not in allowed:
                raise InputError(f"has {letter}{number} after {code} (expected {', '.join(allowed) or 'nothing'})")
        if text in self.only_in_blocks and not in_block:
            raise InputError("stands apart from the profile's other lines for the pen (expected all, in their order)")
        if text in self.pause_macros:
            self.plotter.pause()
        self._do(code, dict(words[1:]), in_block=in_block)

    def _known(self, code: str, text: str) -> bool:
        """Whether a code may begin a line; more of them may where a profile gives the line."""
        macro = self.grammar.name == "klipper" and len(code) > 1 and code[1].isalpha() and code not in UNSAFE_MACROS
        return code in self.grammar.commands or (text in self.own and (code in self.grammar.own or macro))

    def _allowed(self, code: str, text: str) -> str | None:
        """The letters of the words that may follow a known code; None for commands with named words."""
        if text in self.own and code in self.grammar.own:
            return self.grammar.own[code]
        return None if code == "SET_SERVO" else self.grammar.commands.get(code)

    def _why_not(self, code: str) -> str:
        if code in self.grammar.refused:
            return self.grammar.refused[code]
        if code in self.grammar.own:
            return "is accepted only in lines that the machine's profile gives itself"
        return f"is not among the codes that a drawing for {self.grammar.name} may have"

    def _choose(self, codes: Sequence[str], words: Sequence[tuple[str, str]]) -> None:
        """Choose modes."""
        groups = {self.grammar.settings[code] for code in codes}
        if len(codes) > 1 and (not self.grammar.several or len(groups) < len(codes)):
            raise InputError(f"has {' '.join(codes)} (expected one of them)")
        rest = [word for word in words if word[0] != "G"]
        if rest and (codes != ["G64"] or words[0][0] != "G" or any(letter not in "PQ" for letter, _ in rest)):
            raise InputError(f"has {''.join(rest[0])} among settings (expected settings only)")
        self.modes.update(codes)
        if "G94" in codes:
            self.plotter.forget_feed()

    def _do(self, code: str, given: Mapping[str, str], *, in_block: bool) -> None:
        """Do one command, of which the words are known to be allowed."""
        plotter = self.plotter
        if code in ("G0", "G1"):
            self._move(code, {letter: float(number) for letter, number in given.items()}, in_block=in_block)
            return
        if code in ("M280", "M42") and plotter.moving and self.grammar.name == "marlin":
            raise InputError(f"has {code} while moves go on, for which Marlin does not wait (expected M400 before it)")
        plotter.halt()
        if code in ("M3", "M4", "M5", "M280", "SET_SERVO") and not in_block:
            self._switch(code, given)
        elif code == "G4":
            self._wait(given)
        elif code in ("M0", "PAUSE"):
            plotter.pause()
        elif code == "M400":
            plotter.settle()
        elif code == "G28":
            plotter.home(upright="Z" in given or not given)
        elif code == "G92":
            plotter.name_place(*(float(given[axis]) if axis in given else None for axis in "XY"))
        elif code in ("M18", "M84"):
            plotter.switch_off()
        elif code in ("M2", "M30"):
            self._end(code)

    def _move(self, code: str, values: Mapping[str, float], *, in_block: bool) -> None:
        """Do a move, of any axes."""
        if not self.plotter.moved:
            missing = [each for each in self.grammar.needed if each not in self.modes]
            if missing:
                raise InputError(f"moves before {' and '.join(missing)} (expected that first: absolute millimetres)")
        axes = "".join(axis for axis in "XYZ" if axis in values)
        feed = values.get("F")
        if not axes:
            raise InputError("has no X, Y or Z (expected where to go)")
        if "Z" not in axes:
            self.plotter.go(values.get("X"), values.get("Y"), fast=code == "G0", feed=feed)
        elif axes != "Z":
            raise InputError("moves across and up or down at once (expected Z alone)")
        elif in_block:
            self.plotter.raise_to(values["Z"], feed=feed)
        elif self.pen.kind == "z":
            self._raise(values["Z"], feed, fast=code == "G0")
        else:
            raise InputError(f"moves Z (expected none: the pen of this machine is of kind {self.pen.kind})")

    def _raise(self, z: float, feed: float | None, *, fast: bool) -> None:
        """Lift or lower a pen on a z axis."""
        down = self._is_down(z, "Z")
        if down and fast:
            raise InputError("lowers the pen as fast as it can (expected G1 with a feed)")
        if down:
            self.plotter.put_down()
        self.plotter.raise_to(z, feed=feed)
        if not down:
            self.plotter.lift()

    def _switch(self, code: str, given: Mapping[str, str]) -> None:
        """Do what moves a servo or switches a beam."""
        kind, grammar = self.pen.kind, self.grammar.name
        if kind not in ("servo", "laser"):
            raise InputError(f"has {code} (expected none: the pen of this machine is of kind {kind})")
        if code in ("M3", "M4") and "S" not in given:
            raise InputError(f"has {code} without S (expected its value every time)")
        value = 0.0 if code == "M5" else float(given.get("S", "0"))
        if kind == "laser":
            if code not in ("M3", "M4", "M5"):
                raise InputError(f"has {code} (expected M3, M4 or M5 for a laser)")
            down = value != 0
            if down and abs(value - (self.pen.power or 0.0)) > _SAME:
                raise InputError(f"has {code} S{value:g} (expected S{self.pen.power:g}, pen.power, or M5)")
        elif grammar in ("grbl", "linuxcnc"):
            down = self._spindle_is_down(code, value)
        else:
            down = self._servo_is_down(code, given)
        if down:
            self.plotter.put_down()
        else:
            self.plotter.lift()

    def _spindle_is_down(self, code: str, value: float) -> bool:
        """Whether a servo on the spindle's pin has put the pen down."""
        if code == "M4":
            raise InputError("has M4 (expected M3 for a servo)")
        if code == "M5":
            return self._zero_is_down()
        if code != "M3":
            raise InputError(f"has {code} (expected M3 for a servo)")
        return self._is_down(value, "S")

    def _zero_is_down(self) -> bool:
        """Whether switching the spindle off, which turns a servo on its pin to S0, puts the pen down."""
        if self.pen.kind == "raw":
            held = any(line.split(" ")[0] in ("M3", "M4") for line in self.pen.up_lines or ())
            return held or "M5" in (self.pen.down_lines or ())
        return self.pen.kind == "servo" and (self.pen.down or 0.0) < (self.pen.up or 0.0)

    @property
    def _may_end(self) -> bool:
        """Whether M2 surely leaves the pen up; what a profile's own lines make of it is not known."""
        return self.pen.kind != "raw" and not self._zero_is_down()

    def _servo_is_down(self, code: str, given: Mapping[str, str]) -> bool:
        """Whether a servo that is told an angle has put the pen down."""
        if self.grammar.name == "marlin":
            if code != "M280" or set(given) != {"P", "S"} or given["P"] != self.pen.servo:
                raise InputError(f"is not M280 P{self.pen.servo} S and an angle (expected that for this servo)")
            return self._is_down(float(given["S"]), "S")
        try:
            angle = float(given["ANGLE"])
        except (KeyError, ValueError):
            raise InputError("has no ANGLE with a number (expected one)") from None
        if set(given) != {"SERVO", "ANGLE"} or given["SERVO"] != self.pen.servo:
            raise InputError(f"has another servo (expected SET_SERVO SERVO={self.pen.servo} ANGLE= and an angle)")
        return self._is_down(angle, "ANGLE=")

    def _is_down(self, value: float, word: str) -> bool:
        """Whether a position of the pen is the one on the paper."""
        up, down = self.pen.up, self.pen.down
        assert up is not None
        assert down is not None
        if abs(value - up) <= _SAME:
            return False
        if abs(value - down) <= _SAME:
            return True
        raise InputError(f"has {word}{value:g} (expected {word}{up:g}, the pen up, or {word}{down:g}, the pen down)")

    def _wait(self, given: Mapping[str, str]) -> None:
        """Do G4."""
        if len(given) != 1:
            raise InputError(f"has G4 and {len(given)} words (expected one of {', '.join(self.grammar.second)})")
        ((letter, number),) = given.items()
        self.plotter.wait(float(number) / self.grammar.second[letter])

    def _end(self, code: str) -> None:
        """End the program; that switches the spindle off."""
        if self._zero_is_down():
            raise InputError(f"has {code}, which does what M5 does and so puts the pen down (expected no {code} here)")
        if self.plotter.down is not False:
            raise InputError(f"has {code} with the pen not lifted (expected to lift it first)")
        self.plotter.settle()
        self.ended = True
