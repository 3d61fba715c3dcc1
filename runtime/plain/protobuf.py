"""The wire format of protobuf, read strictly and with a bound on the work.

A message is a row of fields, each a key (field number and wire type) and a value: a varint, 32 or 64 bits, or a number
of bytes, which may be a message again. See https://protobuf.dev/programming-guides/encoding/. `onnx_reader.py`
says which messages there are.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Any

MOST_FIELDS = 50_000
"""Of all messages of one file together; our largest graph has some hundreds."""

MOST_NUMBERS = 1024
"""Of one repeated field."""

LONGEST_TEXT = 500
"""Bytes of one name."""


class WireError(Exception):
    """Where in a message something is wrong, and what."""


VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_WIRE_NAMES = {VARINT: "a varint", FIXED64: "64 bits", LENGTH: "bytes", FIXED32: "32 bits"}


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """Read seven bits a byte, the lowest first: the number and the position behind it."""
    value = shift = 0
    while True:
        if position == len(data):
            raise WireError("it is cut short within a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            raise WireError("a number has over ten bytes")
    if value >> 64:
        raise WireError("a number has over 64 bits")
    return value, position


def _fields(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Go through the fields of a message: field number, wire type, value."""
    position, end = 0, len(data)
    while position < end:
        key = data[position]
        position += 1
        if key >= 0x80:  # nearly all numbers have one byte; this is the innermost loop of loading a bundle
            key, position = _varint(data, position - 1)
        number, wire = key >> 3, key & 7
        if wire in (VARINT, LENGTH):
            value = data[position] if position < end else 0x80
            position += 1
            if value >= 0x80:
                value, position = _varint(data, position - 1)
            if wire == VARINT:
                yield number, wire, value
                continue
            length = value
        elif wire in (FIXED32, FIXED64):
            length = 4 if wire == FIXED32 else 8
        else:
            raise WireError(f"field {number} has wire type {wire}, which ONNX does not use")
        if length > len(data) - position:
            raise WireError(f"field {number} has {length} bytes, but only {len(data) - position} are left")
        yield number, wire, data[position : position + length]
        position += length


class Message:
    """The fields of one message, each taken once by number and kind; `done` refuses what is left.

    Args:
        data: its bytes.
        place: what it is, for errors.
        parent: the message that it stands in; None for a file.

    Every method raises WireError where a field is not what was asked for.
    """

    def __init__(self, data: memoryview, place: str, parent: Message | None = None) -> None:
        self.place = place
        self._root: Message = parent._root if parent else self
        if parent is None:
            self._left = MOST_FIELDS
        self._fields: dict[int, list[tuple[int, int | memoryview]]] = {}
        root, fields = self._root, self._fields
        for number, wire, value in _fields(data):
            root._left -= 1
            if root._left < 0:
                raise WireError(f"it has over {MOST_FIELDS} fields")
            fields.setdefault(number, []).append((wire, value))

    def refuse(self, problem: str) -> WireError:
        """Make the error that says what is wrong with this message."""
        return WireError(f"{self.place}: {problem}")

    def _take(self, number: int, wire: int, most: int) -> list[Any]:
        found = self._fields.pop(number, None)
        if found is None:
            return []
        if len(found) > most:
            raise self.refuse(f"field {number} stands there {len(found)} times (at most {most})")
        for got, _ in found:
            if got != wire:
                raise self.refuse(f"field {number} is {_WIRE_NAMES[got]} (expected {_WIRE_NAMES[wire]})")
        return [value for _, value in found]

    def whole(self, number: int, default: int = 0) -> int:
        """A signed 64-bit number; `default` where it is not there."""
        values = self._take(number, VARINT, 1)
        return _signed(values[0]) if values else default

    def raw(self, number: int) -> memoryview | None:
        """The bytes of a field; None where it is not there."""
        values = self._take(number, LENGTH, 1)
        return values[0] if values else None

    def text(self, number: int) -> str:
        """UTF-8 text; "" where it is not there."""
        return self._text(self.raw(number) or memoryview(b""))

    def texts(self, number: int, most: int) -> tuple[str, ...]:
        """Repeated text."""
        return tuple(map(self._text, self._take(number, LENGTH, most)))

    def _text(self, value: memoryview) -> str:
        if len(value) > LONGEST_TEXT:
            raise self.refuse(f"a name has {len(value)} bytes (at most {LONGEST_TEXT})")
        try:
            return str(value, "utf-8")
        except UnicodeDecodeError as error:
            raise self.refuse(f"a name is no UTF-8 text ({error.reason})") from error

    def inner(self, number: int, place: str, most: int) -> list[Message]:
        """Repeated messages."""
        return [Message(value, place, self) for value in self._take(number, LENGTH, most)]

    def only(self, number: int, place: str) -> Message:
        """The one message of that number."""
        found = self.inner(number, place, 1)
        if not found:
            raise self.refuse(f"has no {place}")
        return found[0]

    def numbers(self, number: int, wire: int) -> list[Any]:
        """Repeated numbers, varints or 32-bit floats: each a field of its own, or packed into one."""
        values: list[Any] = []
        for got, value in self._fields.pop(number, []):
            if got == wire:
                values.append(value)
            elif isinstance(value, memoryview) and got == LENGTH:
                values += _unpack(value, wire)
            else:
                raise self.refuse(f"field {number} is {_WIRE_NAMES[got]} (expected {_WIRE_NAMES[wire]})")
            if len(values) > MOST_NUMBERS:
                raise self.refuse(f"field {number} has over {MOST_NUMBERS} numbers")
        return [_signed(value) if wire == VARINT else _float(value) for value in values]

    def skip(self, *numbers: int) -> None:
        """Leave out notes that change nothing."""
        for number in numbers:
            self._fields.pop(number, None)

    def done(self) -> None:
        """Refuse the fields that nobody asked for."""
        for number in self._fields:
            raise self.refuse(f"has the field {number}, which no graph of a bundle has")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _float(value: memoryview) -> float:
    number: float = struct.unpack("<f", value)[0]
    if not math.isfinite(number):
        raise WireError("an attribute is not finite")
    return number


def _unpack(value: memoryview, wire: int) -> list[Any]:
    if len(value) > 10 * MOST_NUMBERS:
        raise WireError(f"an attribute has over {MOST_NUMBERS} numbers")
    if wire == FIXED32:
        if len(value) % 4:
            raise WireError("packed numbers are cut short")
        return [value[at : at + 4] for at in range(0, len(value), 4)]
    values, position = [], 0
    while position < len(value):
        number, position = _varint(value, position)
        values.append(number)
    return values
