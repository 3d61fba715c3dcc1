"""What a line of a program may be, dialect by dialect: the strict checker's own reading of the firmwares.

It is closed: what is not named here is refused, however harmless. Nothing here is shared with the code that writes
programs, so that a mistake in one of the two is found by the other.

A line is nothing, a comment, or words and perhaps a comment. Words are one capital letter and one number, apart from
each other by one space; numbers are whole or have one to three decimals. On Klipper a line may also be an extended
command, ``NAME KEY=VALUE ...``, on Marlin ``M117`` and a text to show.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sketch_edge.runtime.errors import InputError

NUMBER = r"-?(?:0|[1-9][0-9]{0,6})(?:\.[0-9]{1,3})?"
"""A number as all four firmwares read it alike: no exponent, no plus, no superfluous zero in front."""

_WORDS = re.compile(rf"[A-Z]{NUMBER}(?: [A-Z]{NUMBER})*")
_BARE = re.compile(r"(?:G28|M18|M84)(?: [XYZ])*")
_EXTENDED = re.compile(rf"[A-Z][A-Z_]*[0-9]*(?: [A-Z_]+=(?:{NUMBER}|[A-Za-z_][A-Za-z0-9_]*))*")
_WORD = re.compile(r"([A-Z])([^ ]*)")
_NEGATIVE_ZERO = re.compile(r"-0(?:\.0+)?")
_COMMENT_TEXT = re.compile(r"[ -~]*")

_LABEL = r"[A-Za-z0-9 .,_-]{1,60}"
_SHOWN = re.compile(f"M117 {_LABEL}")
_MESSAGE = re.compile(rf"\(MSG, {_LABEL}\)")

# LinuxCNC acts on these comments: it shows messages, writes files and runs Python (interp_convert.cc,
# convert_comment; tried: ";py,open(...)" makes a file). It skips blanks in front.
_ACTIVE_COMMENT = re.compile(
    r"\s*(?:(?:msg|debug|print|log|logopen|logappend|probeopen|abort|system|py|pyrun)\s*,|logclose|probe|pyreload)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Grammar:
    """What one dialect allows."""

    name: str
    longest_line: int
    """Characters of a line, comment included, line feed not."""

    comments: str
    """Characters that open a comment."""

    settings: Mapping[str, str]
    """Codes that choose a mode, each with the group of modes that it belongs to."""

    commands: Mapping[str, str]
    """Every other code, with the letters of the words that may follow."""

    own: Mapping[str, str]
    """Likewise codes that may stand only in lines that the machine's profile gives word for word."""

    second: Mapping[str, float]
    """How much of each word of G4 is one second."""

    needed: tuple[str, ...]
    """Settings that have to be made before the first move."""

    refused: Mapping[str, str] = field(default_factory=dict)
    """Why a code that is not allowed is not, for messages."""

    several: bool = False
    """Whether several codes may stand on a line, each of another group."""


_EVERYWHERE = {
    "G2": "arcs are not read by every machine; draw straight lines",
    "G3": "arcs are not read by every machine; draw straight lines",
    "G20": "sets inches; programs are in millimetres",
    "G91": "sets relative moves; programs are absolute",
    "G92": "moves the origin, and with it the work area",
}
_CNC_SETTINGS = {
    "G17": "plane",
    "G21": "units",
    "G40": "radius",
    "G49": "length",
    "G54": "offset",
    "G61": "path",
    "G80": "motion",
    "G90": "distance",
    "G94": "feed",
}
_CNC_COMMANDS = {"G0": "XYZF", "G1": "XYZF", "G4": "P", "M0": "", "M2": "", "M3": "S", "M4": "S", "M5": "", "M30": ""}
_CNC_OWN = {f"G{number}": "" for number in range(55, 60)} | {"G92": "XY", "M7": "", "M8": "", "M9": ""}
_CNC_REFUSED = {
    **_EVERYWHERE,
    "G10": "moves the origin, and with it the work area",
    "G28": "moves to a place that is stored in the machine, not to its home",
    "G30": "moves to a place that is stored in the machine, not to its home",
    "G53": "moves past the origin that was set, and with it past the work area",
    "G93": "sets feeds in inverse time",
    "M1": "is a pause only on machines with a switch for it; write M0",
}
_PRINTER_OWN = {"G92": "XY", "M17": "", "M18": "XYZ", "M106": "PS", "M107": "P", "M204": "PST"}
_PRINTER_REFUSED = {
    **_EVERYWHERE,
    "M2": "is unknown to this firmware; end with M400 or M84",
    "M6": "is unknown to this firmware",
    "M104": "heats",
    "M109": "heats",
    "M112": "is the emergency stop",
    "M140": "heats",
    "M190": "heats",
}

UNSAFE_MACROS = frozenset(
    (
        "CANCEL_PRINT",
        "EMERGENCY_STOP",
        "FIRMWARE_RESTART",
        "FORCE_MOVE",
        "MANUAL_STEPPER",
        "RESTART",
        "RESTORE_GCODE_STATE",
        "RESUME",
        "RUN_SHELL_COMMAND",
        "SAVE_CONFIG",
        "SDCARD_PRINT_FILE",
        "SDCARD_RESET_FILE",
        "SET_GCODE_OFFSET",
        "SET_KINEMATIC_POSITION",
    )
)
"""Extended commands of Klipper that are refused in a profile's own lines too."""

GRAMMARS = {
    each.name: each
    for each in (
        Grammar(
            name="grbl",
            longest_line=79,  # LINE_BUFFER_SIZE is 80, with the terminating zero
            comments=";(",
            settings=_CNC_SETTINGS,
            commands=_CNC_COMMANDS,
            own=_CNC_OWN,
            second={"P": 1.0},
            needed=("G21", "G90"),
            refused={**_CNC_REFUSED, "M6": "is error 20 on Grbl; pause with M0", "G64": "is error 20 on Grbl"},
            several=True,
        ),
        Grammar(
            name="linuxcnc",
            longest_line=255,
            comments=";(",
            settings={**_CNC_SETTINGS, "G64": "path"},
            commands=_CNC_COMMANDS,
            own={**_CNC_OWN, "M62": "P", "M63": "P", "M64": "P", "M65": "P"},
            second={"P": 1.0},
            needed=("G21", "G90"),
            refused={**_CNC_REFUSED, "M6": "changes tools; pause with M0"},
            several=True,
        ),
        Grammar(
            name="marlin",
            longest_line=96,  # MAX_CMD_SIZE
            comments=";",
            settings={"G21": "units", "G90": "distance"},
            commands={
                "G0": "XYZF",
                "G1": "XYZF",
                "G4": "PS",
                "G28": "XYZ",
                "M0": "",
                "M3": "S",
                "M4": "S",
                "M5": "",
                "M84": "",
                "M117": "",
                "M280": "PS",
                "M400": "",
            },
            own={**_PRINTER_OWN, "M42": "PS", "M84": "XYZ", "M300": "PS"},
            second={"P": 1000.0, "S": 1.0},
            needed=("G21", "G90"),
            refused={**_PRINTER_REFUSED, "M30": "deletes a file from the SD card on Marlin; end with M400 or M84"},
        ),
        Grammar(
            name="klipper",
            longest_line=255,  # it has no limit of its own; what feeds it may
            comments=";",
            settings={"G21": "units", "G90": "distance"},
            commands={
                "G0": "XYZF",
                "G1": "XYZF",
                "G4": "P",
                "G28": "XYZ",
                "M84": "",
                "M400": "",
                "PAUSE": "",
                "SET_SERVO": "",
            },
            own={**_PRINTER_OWN, "M84": "XYZ"},
            second={"P": 1000.0},
            needed=("G90",),  # it knows no other unit than millimetres
            refused={
                **_PRINTER_REFUSED,
                "M0": "is unknown to Klipper; pause with PAUSE",
                "M30": "is unknown to Klipper",
            },
        ),
    )
}
"""Every dialect by name."""


def split_comment(line: str, grammar: Grammar) -> str:
    """The words of a line, without its comment; a line that is too long or has bytes that are not allowed is refused.

    Raises:
        InputError: the line cannot be sent to a machine of this dialect as it is; the message has no place in it.
    """
    if len(line) > grammar.longest_line:
        raise InputError(f"is {len(line)} characters long (expected at most {grammar.longest_line} on {grammar.name})")
    if not line.isascii() or not _COMMENT_TEXT.fullmatch(line):
        bad = next(each for each in line if not " " <= each <= "~")
        raise InputError(f"has the character {bad!a} (expected ASCII that can be printed)")
    for each in "!~?":
        if each in line:
            raise InputError(
                f"has {each!r}, on which Grbl acts at once wherever it stands; leave it out of comments too"
            )
    if line.startswith(" "):
        raise InputError("begins with a space (expected none)")
    if line.startswith(("$", "%", "/")):
        raise InputError(f"begins with {line[0]!r} (expected words or a comment); settings and marks are no program")
    opened = min((place for place in map(line.find, ";(") if place >= 0), default=-1)
    if opened < 0:
        return _trimmed(line)
    if line[opened] not in grammar.comments:
        raise InputError(f"has a comment with '(', which is no comment on {grammar.name}; write ;")
    words, comment = line[:opened], line[opened:]
    text = comment[1:]
    if comment[0] == "(":
        if "(" in text:
            raise InputError("has '(' inside a comment (expected no nested comments)")
        if text.find(")") != len(text) - 1 or not text:
            raise InputError("has a comment that does not end with the line (expected one ')', as its last character)")
        text = text[:-1]
    if grammar.name == "linuxcnc" and _ACTIVE_COMMENT.match(text) and not _MESSAGE.fullmatch(comment):
        raise InputError(f"has the comment {comment[:20]!r}, on which LinuxCNC acts; begin it with another word")
    if words and not words.endswith(" "):
        raise InputError("has no space before its comment (expected one)")
    return _trimmed(words.removesuffix(" "))


def split_words(text: str, grammar: Grammar) -> list[tuple[str, str]]:
    """The words of a line without comment as (letter, number): "G1 X2.5" is [("G", "1"), ("X", "2.5")].

    An extended command of Klipper is [(name, ""), (key, value), ...], and the bare axes
    after G28 and M84 have "" too.

    Raises:
        InputError: a word that no firmware, or not every one, reads as a word and a number.
    """
    if grammar.name == "marlin" and _SHOWN.fullmatch(text):
        return [("M", "117")]
    if _WORDS.fullmatch(text) or _BARE.fullmatch(text):
        words = [(word[0], word[1:]) for word in text.split(" ")]
    elif grammar.name == "klipper" and _EXTENDED.fullmatch(text):
        name, *rest = text.split(" ")
        words = [(name, "")] + [(pair.partition("=")[0], pair.partition("=")[2]) for pair in rest]
    else:
        raise InputError(_what_is_wrong(text))
    seen = set()
    for letter, number in words:
        if _NEGATIVE_ZERO.fullmatch(number):
            raise InputError(f"has {letter}{number} (expected no minus before zero)")
        if letter in seen and letter not in "GM":
            raise InputError(f"has the word {letter} twice (expected once)")
        seen.add(letter)
    return words


def _trimmed(words: str) -> str:
    """Refuse blanks at either end: they are harmless, and a sign that something else wrote the line."""
    if words != words.strip(" "):
        raise InputError("has a superfluous space (expected none at the end, one between words and comment)")
    return words


def _what_is_wrong(text: str) -> str:
    """Say what keeps a text from being words; it is known that something does."""
    for word in text.split(" "):
        match = _WORD.fullmatch(word)
        if not word:
            return "has two spaces in a row (expected one between words)"
        if word[0].islower():
            return f"has {word!r} (expected capital letters)"
        if match is None:
            return f"has {word!r} (expected a word: one capital letter and a number)"
        letter, number = match.groups()
        if re.fullmatch(NUMBER, number):
            continue
        shown = f"has {word[:30]!r}"
        if not number:
            return f"{shown} (expected a number after {letter})"
        if re.fullmatch(r"(?i)[+-]?(?:nan|inf|infinity)", number):
            return f"{shown} (expected a finite number)"
        if re.fullmatch(r"(?i)[+-]?[0-9.]+e[+-]?[0-9]+", number):
            return f"{shown} (expected a number without exponent)"
        if re.fullmatch(r"-?[0-9]+,[0-9]+", number):
            return f"{shown} (expected a point, not a comma)"
        if re.fullmatch(r"-?[0-9]+\.[0-9]{4,}", number):
            return f"{shown} (expected at most three decimals)"
        if re.fullmatch("[-+0-9.]*(?:[A-Z][-+0-9.]+)+", number):
            return f"{shown} (expected one space between words)"
        if re.search("[A-Za-z_]", number):
            return f"{shown} (expected a word: one capital letter and a number)"
        return f"{shown} (expected a number such as {letter}0, {letter}12.5 or {letter}-3)"
    return f"has {text[:30]!r} (expected words)"
