"""Drawings as text: simplified and raw ndjson, and the json that `sketch-draw` writes.

A record is an object with "word" (or a class name that the caller knows) and "drawing", a list of lines. A line is
``[[x, ...], [y, ...]]`` or, in the raw form, ``[[x, ...], [y, ...], [t, ...]]``; a drawing with times in it is raw.
Optional keys: "recognized" and "synthetic", true or false. All other keys are passed over.

A file holds one record a line (ndjson), or one record, or a list of records.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np

from sketch_edge.runtime.errors import DataError
from sketch_edge.train.readers.drawing import COORDINATE_LIMIT, Drawing, check_name, encode_canvas, larger_side
from sketch_edge.train.readers.source import AGAIN, refuse_foreign

LONGEST_LINE = 8 << 20
"""Bytes of one record; the longest official raw drawing takes a tenth of this."""

LARGEST_DOCUMENT = 16 << 20
"""Bytes of a file that is one JSON value; larger ones have to be ndjson."""

MOST_RAW_POINTS = 20_000
"""Points of a raw drawing; twenty seconds of drawing give one or two thousand. Simplifying takes up to their square."""

MOST_BLANKS = 1000
"""Empty lines in a row."""

_WORD = re.compile(rb'"word"\s*:\s*"([^"\\]*)"')


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


def read_drawing(place: str, record: dict[str, object]) -> tuple[Drawing, bool]:
    """Turn a record into a drawing; the second value says whether it was in the raw form.

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
    recognized, synthetic = _flag(place, record, "recognized", True), _flag(place, record, "synthetic", False)
    if not lengths:
        return Drawing(str(word), np.zeros((0, 3), np.int16), 0.0, recognized, None, synthetic), raw
    points = np.array([xs, ys], np.float64).T
    # The limit stands in front of any arithmetic: JSON's 1e999 reads as infinity, and infinity less itself is NaN.
    if not (np.abs(points) <= COORDINATE_LIMIT).all():
        raise DataError(f"{place}:drawing: a coordinate is beyond +-{COORDINATE_LIMIT:.0f}; {AGAIN}")
    if raw and len(points) > MOST_RAW_POINTS:
        raise DataError(f"{place}:drawing: has {len(points)} raw points (at most {MOST_RAW_POINTS}); {AGAIN}")
    side = larger_side(points)
    return Drawing(str(word), encode_canvas(points, lengths, raw), side, recognized, None, synthetic), raw


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


def _flag(place: str, record: dict[str, object], key: str, default: bool) -> bool:
    value = record.get(key, default)
    if not isinstance(value, bool):
        raise DataError(f"{place}:{key}: is {type(value).__name__} (expected true or false); correct it")
    return value


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
    return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_twice)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _refuse_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key is given twice")
    return record


def _reason(error: ValueError | RecursionError) -> str:
    return "nested too deep" if isinstance(error, RecursionError) else str(error)
