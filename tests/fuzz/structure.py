"""Mutations that keep the outer form: changed JSON is JSON, changed protobuf has the right lengths, a changed zip the
right checksums. A byte changed at random rarely gets past those, and what they guard would hardly be tried.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import struct
import warnings
import zipfile
from collections.abc import Callable
from functools import lru_cache

Field = tuple[int, int, "int | bytes | list[Field]"]
"""A field of a protobuf message: its number, its wire type, and its value; messages as lists of fields."""

VALUES: tuple[object, ...] = (
    None,
    True,
    -1,
    0,
    1,
    10**400,
    1.5,
    1e308,
    "",
    "\n",
    "a" * 2000,
    [],
    {},
    [[]],
    "\x1b[2J",
    "\ud800",
)
VARINTS = (0, 1, 2, 3, 7, 11, 127, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 69)
FLOATS = tuple(struct.pack("<f", value) for value in (0.0, -0.0, 1.0, -1.0, 1e-42, 3e38, float("inf"), float("nan")))
NAMES = (b"", b"x", b"h", b"y", b"Loop", b"MatMul", b"Gather", b"Reshape", b"Split", b"Pad", b"axis", b"to", b"a" * 300)

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5


def changed_structure(rng: random.Random, content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Change one thing in a JSON text, a protobuf message or a zip; anything else comes back as it is.

    `change` makes bad what lies within, such as a member of a zip.
    """
    if content[:1] in (b"{", b"["):
        lines = content.split(b"\n")
        which = rng.randrange(len(lines)) if rng.random() < 0.5 else 0
        if not which:
            return _changed_json(rng, content)
        lines[which] = _changed_json(rng, lines[which])
        return b"\n".join(lines)
    if content[:4] == b"PK\x03\x04":
        return _changed_zip(rng, content, change)
    if content[:1] == b"\x08" and (fields := _known_fields(content)):
        return _message(_changed_message(rng, fields))
    return content


def _changed_json(rng: random.Random, content: bytes) -> bytes:
    """Change one value, key or item of a JSON text; the result is JSON again."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return content
    if not isinstance(value, dict | list):
        return content
    place = value
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return content
        key = rng.choice(keys)
        if not isinstance(place[key], dict | list) or rng.random() < 0.2:
            break
        place = place[key]
    if rng.random() < 0.2:
        del place[key]
    elif isinstance(place, dict) and rng.random() < 0.2:
        place[rng.choice(("", "members", "a" * 300, "\x1b", "__proto__"))] = place.pop(key)
    else:
        place[key] = rng.choice(VALUES)
    return json.dumps(value).encode("utf-8", "replace")


def _changed_zip(rng: random.Random, content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Change a member, drop one, give one another name or have one twice; the result is a zip again."""
    members = list[tuple[str, bytes]]()
    with contextlib.suppress(Exception), zipfile.ZipFile(io.BytesIO(content)) as archive:  # a bad zip stays as it is
        members = [(info.filename, archive.read(info)) for info in archive.infolist() if info.file_size < 1 << 20]
    if not members:
        return content
    which = rng.randrange(len(members))
    name, data = members[which]
    match rng.randrange(10):
        case 0:
            del members[which]
        case 1:
            members.append(members[which])
        case 2:
            members[which] = rng.choice(("", "a/b", "../x", "\n", "é", rng.choice(members)[0])), data
        case _:
            members[which] = name, change(data)
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    file = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(file, "w", method) as archive:  # a name twice
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return file.getvalue()


def _changed_message(rng: random.Random, fields: list[Field]) -> list[Field]:
    """Change a field of a message, or of one within it."""
    if not fields:
        return fields
    which = rng.randrange(len(fields))
    number, wire, value = fields[which]
    if isinstance(value, list) and rng.random() < 0.85:
        return [*fields[:which], (number, wire, _changed_message(rng, value)), *fields[which + 1 :]]
    other = rng.randrange(len(fields))
    match rng.randrange(6):
        case 0:
            return [*fields[:which], *fields[which + 1 :]]
        case 1:
            return [*fields[: which + 1], fields[which], *fields[which + 1 :]]
        case 2:  # in another order, or in place of another
            return [*fields[:other], fields[which], *fields[other + rng.randrange(2) :]]
        case 3:
            changed: Field = (rng.choice((number + 1, max(1, number - 1), 1, 7, 15)), wire, value)
        case 4:  # the value of a neighbour
            changed = (number, *fields[other][1:])
        case _:
            changed = _changed_value(rng, fields[which])
    return [*fields[:which], changed, *fields[which + 1 :]]


def _changed_value(rng: random.Random, field: Field) -> Field:
    """Another number, text or array in place of the one there."""
    number, wire, value = field
    if wire == _VARINT:
        return number, wire, rng.choice(VARINTS)
    if wire == _EIGHT:
        return number, wire, rng.randbytes(8)
    if wire == _FOUR:
        return number, wire, rng.choice(FLOATS)
    data = _message(value) if isinstance(value, list) else value
    assert isinstance(data, bytes)
    if len(data) < 16 or rng.random() < 0.2:
        return number, wire, rng.choice(NAMES)
    at = 4 * rng.randrange(len(data) // 4)
    if rng.random() < 0.3:
        return number, wire, data[:at]
    return number, wire, data[:at] + rng.choice(FLOATS) + data[at + 4 :]


@lru_cache(maxsize=512)
def _known_fields(content: bytes) -> list[Field] | None:
    """As `_fields`; good inputs come again and again. Nothing changes the lists in place."""
    return _fields(content)


def _fields(content: bytes, depth: int = 0) -> list[Field] | None:
    """The fields of a message, or None where the bytes are none."""
    fields, at = list[Field](), 0
    while at < len(content):
        tag, at = _varint(content, at)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 1 << 16:
            return None
        if wire == _VARINT:
            value: int | bytes | list[Field]
            value, at = _varint(content, at)
            if at < 0:
                return None
        elif wire in (_EIGHT, _BYTES, _FOUR):
            size, at = _varint(content, at) if wire == _BYTES else ({_EIGHT: 8, _FOUR: 4}[wire], at)
            value, at = content[at : at + size], at + size
            if at > len(content) or size < 0 or len(value) != size:
                return None
            if wire == _BYTES and depth < 8 and value and (inner := _fields(value, depth + 1)) is not None:
                value = inner
        else:
            return None
        fields.append((number, wire, value))
    return fields


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends; (-1, -1) where it does not."""
    value = 0
    for shift in range(0, 70, 7):
        if not 0 <= at < len(content):
            break
        byte = content[at]
        value, at = value | (byte & 127) << shift, at + 1
        if byte < 128:
            return value, at
    return -1, -1


def _message(fields: list[Field]) -> bytes:
    """The bytes of a message."""
    parts = []
    for number, wire, value in fields:
        parts.append(_number(number << 3 | wire))
        if isinstance(value, int):
            parts.append(_number(value))
        else:
            data = _message(value) if isinstance(value, list) else value
            parts += [_number(len(data)), data] if wire == _BYTES else [data]
    return b"".join(parts)


def _number(value: int) -> bytes:
    """A number of seven bits a byte."""
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes((*parts, value))
