"""Drawings as text, and sketches read from them: simplified and raw ndjson, and the json that `sketch-draw` writes.

A record is an object with "word" and "drawing", a list of lines. A line is ``[[x, ...], [y, ...]]`` or, in the raw
form, ``[[x, ...], [y, ...], [t, ...]]``; a drawing with times in it is raw. All other keys are passed over.

A file holds one record a line (ndjson), or one record, or a list of records.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import DataError
from sketch_edge.runtime.manifest import refuse_constant
from sketch_edge.runtime.sketch import Sketch

AGAIN = "get the file again (sketch-data fetch)"
"""What to do about a damaged download."""

LONGEST_LINE = 8 << 20
"""Bytes of one record; the longest official raw drawing takes a tenth of this."""

LARGEST_DOCUMENT = 16 << 20
"""Bytes of a file that is one JSON value; larger ones have to be ndjson."""

MOST_BLANKS = 1000
"""Empty lines in a row."""

MOST_BYTES = 1 << 30
"""Of a file in which single records are looked for; the largest official file has a tenth of this."""

MOST_POINTS = 20_000
"""Points of a drawing that is read for itself; twenty seconds of drawing give one or two thousand."""

COORDINATE_LIMIT = 1e7
"""No canvas is that large; beyond it, sums of coordinates lose the pixel."""

NAME_LIMIT = 100
"""Characters of a class name; the longest official one has 24."""

_WORD = re.compile(rb'"word"\s*:\s*"([^"\\]*)"')


@dataclass(frozen=True, slots=True)
class Record:
    """What a record says, checked: finite numbers within the limit, a name that may be printed."""

    word: str
    """Class name."""

    points: npt.NDArray[np.float64]
    """All lines one after the other, shape (n, 2), in the units of the file; n may be 0."""

    lengths: tuple[int, ...]
    """Points of each line, all over 0."""

    raw: bool
    """It is in the raw form: dense points as the pen reported them, on a canvas of any size."""


def read_sketches(path: Path, numbers: Collection[int]) -> dict[int, Sketch]:
    """Read the records with these numbers, counted from 0, as sketches: their lines as they stand in the file.

    The file is read once, up to the last record that is wanted, and only wanted records are parsed.

    Raises:
        DataError: the file cannot be read or holds no drawings, a record is not there, is damaged, has no lines or
            over 20,000 points.
    """
    wanted, found = set(numbers), dict[int, Sketch]()
    try:
        if not path.is_file():
            there = "is no plain file; name a file" if path.exists() else "does not exist; check the name"
            raise DataError(f"{path}: {there}")
        with path.open("rb") as file:
            number = -1
            for number, (place, record) in enumerate(read_records(path, file)):
                if number in wanted:
                    fields = parse_record(place, record) if isinstance(record, bytes) else record
                    found[number] = _sketch(place, read_record(place, fields))
                if len(found) == len(wanted):
                    return found
                if file.tell() > MOST_BYTES:
                    raise DataError(
                        f"{path}: record {min(wanted - set(found))} is not in the first {MOST_BYTES >> 30} GiB"
                    )
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}); check it") from error
    missing = min(wanted - set(found))
    raise DataError(f"{path}: has no record {missing} (expected 0 to {number}); choose another record")


def read_records(path: Path, file: BinaryIO) -> Iterator[tuple[str, bytes | dict[str, object]]]:
    """Yield (place, record): a line still to be parsed, or, from a file that is one JSON value, an object.

    Raises:
        DataError: the file as a whole is nothing that holds records.
    """
    first = _next_line(path, file, 1)
    number, blanks = 1, 0
    while first and not first.strip():
        number += 1
        first = _next_line(path, file, number)
        _count_blanks(path, number)
    refuse_foreign(path, first)
    first = first.removeprefix(b"\xef\xbb\xbf")
    start = first.strip()
    if start.startswith(b"[") or not start.endswith(b"}"):
        yield from _read_document(path, first, file, number)
        return
    line = first
    while line:
        if line.strip():
            yield f"{path}:{number}", line
            blanks = 0
        else:
            blanks += 1
            _count_blanks(path, number, blanks)
        number += 1
        line = _next_line(path, file, number)


def find_word(line: bytes) -> str | None:
    """Class name of a record without parsing it, or None where that takes the parser."""
    match = _WORD.search(line)
    try:
        return match[1].decode("utf-8") if match else None
    except UnicodeDecodeError:
        return None


def parse_record(place: str, line: bytes) -> dict[str, object]:
    """Parse one line of ndjson.

    Raises:
        DataError: it is no UTF-8, no JSON, no object, or JSON that JSON does not know (NaN, a key given twice).
    """
    try:
        record = _parse(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(f"{place}: is no UTF-8 text (byte {error.start + 1} of the line); {AGAIN}") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{place}: is no JSON ({error.msg} at character {error.pos + 1}); {AGAIN}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: is no JSON that can be read ({_reason(error)}); {AGAIN}") from error
    if not isinstance(record, dict):
        raise DataError(f"{place}: is {type(record).__name__} (expected an object with word and drawing); {AGAIN}")
    return record


def read_record(place: str, record: dict[str, object]) -> Record:
    """Check a record and gather its lines.

    Raises:
        DataError: a key is missing or its value is not what it has to be.
    """
    for key in ("word", "drawing"):
        if key not in record:
            raise DataError(f"{place}: has no {key!r} (expected an object with word and drawing); {AGAIN}")
    word = record["word"]
    problem = check_name(word)
    if problem is not None:
        raise DataError(f"{place}:word: {problem}; correct it")
    xs, ys, lengths, raw = _collect(f"{place}:drawing", record["drawing"])
    try:
        points = np.array([xs, ys], np.float64).T
    except OverflowError:  # a whole number of hundreds of digits
        points = np.full((1, 2), np.inf)
    # The limit stands in front of any arithmetic: JSON's 1e999 reads as infinity, and infinity less itself is NaN.
    if not (np.abs(points) <= COORDINATE_LIMIT).all():
        raise DataError(f"{place}:drawing: a coordinate is beyond +-{COORDINATE_LIMIT:.0f}; {AGAIN}")
    return Record(str(word), points, tuple(lengths), raw)


def check_name(name: object) -> str | None:
    """Say what is wrong with `name` as a class name, or None when nothing is."""
    if not isinstance(name, str):
        return f"is {type(name).__name__} (expected a class name)"
    if not name or name != name.strip() or not name.isprintable():
        return f"{name[:40]!r} is no class name (expected printable characters, no blanks at the ends)"
    if len(name) > NAME_LIMIT:
        return f"is a class name of {len(name)} characters (at most {NAME_LIMIT})"
    return None


def refuse_foreign(path: Path, head: bytes) -> None:
    """Refuse what often stands where a drawing file should: a web page, a Git LFS pointer, a pickle.

    Raises:
        DataError: `head`, the first bytes, is no JSON.
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] in (b"{", b"["):
        return
    if text.startswith(b"version https://git-lfs"):
        raise DataError(f"{path}: is a Git LFS pointer (expected the file itself); run git lfs pull, or {AGAIN}")
    if text.startswith(b"<"):
        raise DataError(f"{path}: is a web page or XML (expected drawings); {AGAIN}")
    if text.startswith((b"\x80", b"\x93NUMPY")):
        raise DataError(f"{path}: is a pickle or a bare array (expected ndjson, json or npz); it was not opened")
    if not text:
        raise DataError(f"{path}: holds nothing but blanks (expected drawings); {AGAIN}")
    raise DataError(f"{path}: starts with {bytes(text[:8])!r}, not with a JSON object or list; {AGAIN}")


def _sketch(place: str, record: Record) -> Sketch:
    if not 1 <= len(record.points) <= MOST_POINTS:
        raise DataError(
            f"{place}:drawing: has {len(record.points)} points (expected 1 to {MOST_POINTS}); choose another"
        )
    lines = np.split(record.points, np.cumsum(record.lengths)[:-1])
    return Sketch(tuple(lines), record.word)


def _collect(place: str, drawing: object) -> tuple[list[float], list[float], list[int], bool]:
    """Gather all x, all y and the length of each line that has points, and whether there are times."""
    if not isinstance(drawing, list):
        raise DataError(f"{place}: is {type(drawing).__name__} (expected a list of lines); {AGAIN}")
    all_x: list[float] = []
    all_y: list[float] = []
    lengths = []
    raw = False
    for number, line in enumerate(drawing):
        if type(line) is not list or len(line) not in (2, 3) or any(type(part) is not list for part in line):
            raise DataError(f"{place}[{number}]: is no line (expected [[x, ...], [y, ...]]); {AGAIN}")
        count = len(line[0])
        if any(len(part) != count for part in line):
            sizes = ", ".join(str(len(part)) for part in line)
            raise DataError(f"{place}[{number}]: coordinates differ in number (got {sizes}); {AGAIN}")
        raw = raw or len(line) == 3
        if count:
            all_x += line[0]
            all_y += line[1]
            lengths.append(count)
    if not set(map(type, chain(all_x, all_y))) <= {int, float}:
        raise DataError(f"{place}: a coordinate is no number; {AGAIN}")
    try:  # an int can be too large for a float
        float(max(map(abs, chain(all_x, all_y)), default=0))
    except OverflowError as error:
        raise DataError(f"{place}: a coordinate is beyond all limits; {AGAIN}") from error
    return all_x, all_y, lengths, raw


def _read_document(
    path: Path, first: bytes, file: BinaryIO, line: int
) -> Iterator[tuple[str, bytes | dict[str, object]]]:
    """Read a file that is one JSON value: a record or a list of records."""
    content = first + file.read(max(0, LARGEST_DOCUMENT + 1 - len(first)))
    if len(content) > LARGEST_DOCUMENT:
        raise DataError(f"{path}: is one JSON value of over {LARGEST_DOCUMENT >> 20} MiB; write one record a line")
    try:
        value = _parse(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        line += content.count(b"\n", 0, error.start)
        raise DataError(f"{path}:{line}: is no UTF-8 text (byte {error.start + 1} of the file); {AGAIN}") from error
    except json.JSONDecodeError as error:
        place = f"{path}:{line + error.lineno - 1}"
        raise DataError(f"{place}: is no JSON ({error.msg} at character {error.colno}); {AGAIN}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}:{line}: is no JSON that can be read ({_reason(error)}); {AGAIN}") from error
    records = value if isinstance(value, list) else [value]
    for number, record in enumerate(records):
        place = f"{path}:[{number}]" if isinstance(value, list) else f"{path}:{line}"
        if not isinstance(record, dict):
            raise DataError(f"{place}: is {type(record).__name__} (expected an object with word and drawing); {AGAIN}")
        yield place, record


def _next_line(path: Path, file: BinaryIO, number: int) -> bytes:
    line = file.readline(LONGEST_LINE + 1)
    if len(line) > LONGEST_LINE:
        raise DataError(f"{path}:{number}: is a line of over {LONGEST_LINE >> 20} MiB (expected one drawing); {AGAIN}")
    return line


def _count_blanks(path: Path, number: int, blanks: int | None = None) -> None:
    if (number if blanks is None else blanks) > MOST_BLANKS:
        raise DataError(f"{path}:{number}: over {MOST_BLANKS} empty lines in a row; {AGAIN}")


def _parse(text: str) -> object:
    return json.loads(text, parse_constant=refuse_constant, object_pairs_hook=_refuse_twice)


def _refuse_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key is given twice")
    return record


def _reason(error: ValueError | RecursionError) -> str:
    return "nested too deep" if isinstance(error, RecursionError) else str(error)
