"""Records of drawings as text, turned into what training takes; `runtime/drawings.py` defines and parses the text.

Beside "word" and "drawing" optional keys count here: "recognized" and "synthetic", true or false, and "credit" and
"licence", text, which `sketch-data sample` writes. A record with neither these nor a key that only Google's files have
does not say whose it is.
"""

from __future__ import annotations

import numpy as np

from sketch_edge.runtime.drawings import AGAIN, read_record
from sketch_edge.runtime.errors import DataError
from sketch_edge.train.credit import NOT_STATED, QUICKDRAW, check_credit
from sketch_edge.train.readers.drawing import Drawing, encode_canvas, larger_side

MOST_RAW_POINTS = 20_000
"""Points of a raw drawing; twenty seconds of drawing give one or two thousand. Simplifying takes up to their square."""

OFFICIAL_KEYS = ("key_id", "countrycode", "recognized")
"""Keys of Google's files that nobody else's have."""


def read_drawing(place: str, fields: dict[str, object]) -> tuple[Drawing, bool]:
    """Turn a record into a drawing; the second value says whether it was in the raw form.

    Raises:
        DataError: a key is missing or its value is not what it has to be.
    """
    record = read_record(place, fields)
    recognized, synthetic = _flag(place, fields, "recognized", True), _flag(place, fields, "synthetic", False)
    credit = _credit(place, fields)
    if not record.lengths:
        return Drawing(record.word, np.zeros((0, 3), np.int16), 0.0, recognized, None, synthetic, credit), record.raw
    points = record.points
    if record.raw and len(points) > MOST_RAW_POINTS:
        raise DataError(f"{place}:drawing: has {len(points)} raw points (at most {MOST_RAW_POINTS}); {AGAIN}")
    rows = encode_canvas(points, record.lengths, record.raw)
    return Drawing(record.word, rows, larger_side(points), recognized, None, synthetic, credit), record.raw


def _credit(place: str, record: dict[str, object]) -> tuple[str, str] | None:
    """Credit and licence as the record gives them, those of Google's files, or None."""
    if "credit" not in record and "licence" not in record:
        return QUICKDRAW if any(key in record for key in OFFICIAL_KEYS) else None
    credit, licence = record.get("credit"), record.get("licence", NOT_STATED)
    for key, value in (("credit", credit), ("licence", licence)):
        problem = check_credit(value)
        if problem is not None:
            raise DataError(f"{place}:{key}: {problem}; correct it")
    return str(credit), str(licence)


def _flag(place: str, record: dict[str, object], key: str, default: bool) -> bool:
    value = record.get(key, default)
    if not isinstance(value, bool):
        raise DataError(f"{place}:{key}: is {type(value).__name__} (expected true or false); correct it")
    return value
