"""What the four kinds of plotter firmware read, and what of it our programs may say.

One `Dialect` for each of Grbl 1.1, LinuxCNC 2.9, Marlin 2 and Klipper: the facts that writing a program needs, and a
closed grammar for the lines that a profile may add of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sketch_edge.runtime.errors import InputError

LABEL_LENGTH = 60
"""Characters that a name or title may have in a comment or a message."""

_UNFIT = re.compile(r"[^A-Za-z0-9 .,_-]+")
_RAW = re.compile(r"[A-Z][A-Za-z0-9_.=+-]*(?: [A-Z][A-Za-z0-9_.=+-]*)*")
_WORD = re.compile(r"[A-Z]-?[0-9]{1,6}(?:\.[0-9]{1,4})?")
_AXIS = re.compile(r"[A-Z]")
_MACRO = re.compile(r"[A-Z_]{2}[A-Z_0-9]*(?: [A-Z_]+=[A-Za-z0-9_.+-]+)*")


@dataclass(frozen=True)
class Dialect:
    """How one kind of firmware wants to be spoken to."""

    name: str
    """As in a profile: "grbl", "linuxcnc", "marlin" or "klipper"."""

    comments: tuple[str, ...]
    """How comments that it skips may begin; ours always begin with ";", which all read."""

    line_length: int
    """Most characters of a line, the line feed not counted, that it is sure to read."""

    dwell_factor: float
    """What `G4 P` counts in, as parts of a second: 1 for seconds, 1000 for milliseconds."""

    modal: tuple[str, ...]
    """States units, distances, feeds and plane; written at the start and after each pause."""

    pause: tuple[str, ...]
    """Waits for a person who changes the pen."""

    end: tuple[str, ...]
    """Ends the program."""

    end_required: bool
    """Whether a program without `end` is refused."""

    end_stops_spindle: bool
    """Whether `end` does what M5 does too: what a servo on the spindle's pin makes of it is not always pen up."""

    wait: str
    """Lets moves finish before a servo or a pin is switched, where the firmware does not do so by itself."""

    pen_words: Mapping[str, str]
    """Commands that may lift or lower a pen in a profile's own lines, each with the letters of the words it may have.
    G0 and G1 move Z alone there."""

    start_words: Mapping[str, str]
    """Likewise those that may begin or end a program, or wait in it. None of them lowers a pen."""

    macros: bool = False
    """Whether a profile's own lines may also be names with KEY=VALUE parameters."""

    refused_macros: frozenset[str] = frozenset()
    """Names that are refused all the same: they change settings, restart, or run what is no plotting."""


_AXES = "XYZ"  # names axes, without numbers: G28 X Y
_PEN = {"G0": "ZF", "G1": "ZF", "G4": "P", "M3": "S", "M4": "S", "M5": ""}
_START = {"G4": "P"}
_MILL = _START | {"M0": "", "M7": "", "M8": "", "M9": ""}
_PRINTER_PEN = {"M106": "PS", "M107": "P", "M400": ""}
# G92 says where the head is, such as on the page's corner. On the other two it would outlast the program.
_PRINTER = _START | {"G92": "XY"} | _PRINTER_PEN | {"G28": _AXES, "M17": "", "M18": _AXES, "M84": _AXES}
_PINS = {"M62": "P", "M63": "P", "M64": "P", "M65": "P"}

DIALECTS = {
    each.name: each
    for each in (
        Dialect(
            "grbl",
            comments=(";", "("),
            line_length=79,
            dwell_factor=1.0,
            modal=("G21", "G90", "G94", "G17"),
            pause=("M0",),
            end=("M2",),
            end_required=False,
            end_stops_spindle=True,
            wait="",
            pen_words=_PEN | {"M8": "", "M9": ""},
            start_words=_MILL,
        ),
        Dialect(
            "linuxcnc",
            comments=(";", "("),
            line_length=255,
            dwell_factor=1.0,
            modal=("G21", "G90", "G94", "G17"),
            pause=("M0",),
            end=("M2",),
            end_required=True,
            end_stops_spindle=True,
            wait="",
            pen_words=_PEN | _PINS | {"M8": "", "M9": ""},
            start_words=_MILL | {"G61": "", "G64": "P"},
        ),
        Dialect(
            "marlin",
            comments=(";",),
            line_length=96,
            dwell_factor=1000.0,
            modal=("G21", "G90"),
            # Without a display or EMERGENCY_PARSER the firmware skips M0; hosts such as OctoPrint stop there.
            pause=("M0",),
            end=("M400",),
            end_required=False,
            end_stops_spindle=False,
            wait="M400",
            pen_words=_PEN | _PRINTER_PEN | {"G4": "PS", "M42": "PS", "M280": "PS"},
            start_words=_PRINTER | {"G4": "PS", "M0": "", "M204": "PT", "M300": "PS"},
        ),
        Dialect(
            "klipper",
            comments=(";",),
            line_length=255,
            dwell_factor=1000.0,
            modal=("G21", "G90"),
            pause=("PAUSE",),
            end=("M400",),
            end_required=False,
            end_stops_spindle=False,
            wait="",
            pen_words=_PRINTER_PEN | {name: _PEN[name] for name in ("G0", "G1", "G4")},
            start_words=_PRINTER | {"M204": "S"},
            macros=True,
            refused_macros=frozenset(
                (
                    "SAVE_CONFIG",
                    "RESTART",
                    "FIRMWARE_RESTART",
                    "RUN_SHELL_COMMAND",
                    "SET_KINEMATIC_POSITION",
                    "FORCE_MOVE",
                    "MANUAL_STEPPER",
                    "CANCEL_PRINT",
                    "RESUME",
                    "SET_GCODE_OFFSET",
                    "SDCARD_PRINT_FILE",
                    "SDCARD_RESET_FILE",
                    "EMERGENCY_STOP",
                )
            ),
        ),
    )
}
"""Every dialect by its name."""


def clean_label(text: str) -> str:
    """Any text as it may stand in a program: only `A-Z a-z 0-9 . , _ -` and single spaces, at most 60 characters."""
    return " ".join(_UNFIT.sub(" ", text).split())[:LABEL_LENGTH].rstrip()


def check_raw_line(line: str, dialect: Dialect, where: str, *, pen: bool) -> None:
    """Check a line that a profile adds of its own; `where` names its key in an error.

    It is one command with its words, each once, and without a comment, of `pen_words` if `pen`, else of `start_words`;
    or a macro, where the dialect has them.

    Raises:
        InputError: anything else.
    """
    what = f"{where}: the line {line[:100]!r}"
    if len(line) > dialect.line_length:
        raise InputError(
            f"{what} has {len(line)} characters ({dialect.name} reads up to {dialect.line_length}); shorten it"
        )
    if not _RAW.fullmatch(line):
        raise InputError(
            f"{what} is not one plain command (expected capitals, digits and single spaces, no comment, such as "
            "M3 S90); write each command as a line of its own"
        )
    command, *rest = line.split(" ")
    allowed = dialect.pen_words if pen else dialect.start_words
    if command in allowed:
        _check_words(rest, allowed[command], f"{what}: {command}")
    elif not (dialect.macros and _MACRO.fullmatch(line)) or command in dialect.refused_macros:
        raise InputError(
            f"{what} begins with {command} (expected for {dialect.name} in this place: {', '.join(allowed)}"
            f"{' or a macro that changes no settings' if dialect.macros else ''}); leave it out"
        )


def _check_words(words: Sequence[str], letters: str, what: str) -> None:
    """Check the words after a command: a letter of `letters` each, none twice, and a number, except for axes."""
    seen = ""
    pattern = _AXIS if letters == _AXES else _WORD
    for word in words:
        if not pattern.fullmatch(word) or word[0] not in letters or word[0] in seen:
            number = "" if letters == _AXES else " with a number"
            expected = f"{', '.join(letters)}{number}, each once" if letters else "no words"
            raise InputError(f"{what} has the word {word!r} (expected {expected}); correct it")
        seen += word[0]
