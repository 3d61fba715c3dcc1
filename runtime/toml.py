"""TOML files read strictly: one error for all that can be wrong with their text, with its line where there is one."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from sketch_edge.runtime.errors import InputError

MOST_PARTS = 5
"""Of a key with dots in it; the files of this project need two."""

# Strings and comments, as TOML delimits them; one that does not end runs on as far as it may. Possessive: every
# character is looked at once.
_QUOTED = re.compile(
    r'''"""(?:\\[\s\S]|[^\\"]|"(?!""))*+"{0,5}'''
    r"""|'''(?:[^']|'(?!''))*+'{0,5}"""
    r"""|"(?:\\.|[^"\\\n])*+"?"""
    r"""|'[^'\n]*+'?"""
    r"""|\#[^\n]*+"""
)
_LONG_KEY = re.compile(rf"(?<![\w-])[\w-]++(?:[ \t]*+\.[ \t]*+[\w-]++){{{MOST_PARTS}}}")
# In another base than ten Python reads numbers of any length, and then refuses to write them into a message.
_LONG_NUMBER = re.compile(r"(?<![\w.])0[xob]\w{1000}")


def parse_toml(content: bytes, file: str) -> dict[str, Any]:
    """The tables of a TOML file of UTF-8, with or without a byte order mark; `file` stands before errors.

    Raises:
        InputError: it is no UTF-8, no TOML, nested too deep, has a number of thousands of digits, or a key of over
            MOST_PARTS parts.
    """
    try:
        text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        place = f"{file}:{content.count(10, 0, error.start) + 1}"
        raise InputError(f"{place}: is no UTF-8 text (byte {error.start + 1} of the file); save it as such") from error
    _refuse_long_parts(text, file)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason, _, place = str(error).rpartition(" (at ")
        if found := re.match(r"line (\d+), column (\d+)\)", place):
            reason, file = f"{reason[:100]}, column {found[2]}", f"{file}:{found[1]}"
        elif place:  # "end of document"
            file = f"{file}:{text.count(chr(10)) + 1}"
        raise InputError(f"{file}: is no TOML ({(reason or str(error))[:120]}); correct it") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets within brackets
        what = "nested too deep" if isinstance(error, RecursionError) else "a number is too long"
        raise InputError(f"{file}: is no TOML that can be read ({what}); correct it") from error


def _refuse_long_parts(text: str, file: str) -> None:
    """Python's parser keeps every prefix of a dotted key, so that 200 kB of "a.a.a..." take all memory there is."""
    bare = _QUOTED.sub(_without, text)
    if found := _LONG_KEY.search(bare):
        line = bare.count("\n", 0, found.start()) + 1
        raise InputError(f"{file}:{line}: a key has more than {MOST_PARTS} parts (expected at most two); correct it")
    if _LONG_NUMBER.search(bare):
        raise InputError(f"{file}: is no TOML that can be read (a number is too long); correct it")


def _without(quoted: re.Match[str]) -> str:
    """What stands for a string or comment: the part of a key that it may be, and its line ends."""
    whole = quoted[0]
    return ("" if whole.startswith("#") else "_") + "\n" * whole.count("\n")
