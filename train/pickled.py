"""The pickle in a checkpoint, walked over before torch reads it.

`torch.load(weights_only=True)` runs no code of a file, but takes what time and memory it asks for: a byte of pickle is
an empty list of 64, ten more are a zeroed bytearray of gigabytes, and whole numbers of one hash make a dictionary take
the square of their number. Here passes what `torch.save` writes of tensors, numbers, texts, lists and dictionaries.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_OPCODES = 3_000_000
"""Of a pickle: a weight takes some 25, a validation in the history as many."""

LONGEST_NUMBER = 8
"""Bytes of a whole number."""

_ARGUMENTS: Mapping[int, int] = {
    **dict.fromkeys(b"(}])tsuaebNRQ\x85\x86\x87\x88\x89", 0),  # marks, containers, constants, calls, persistent ids
    **dict.fromkeys(b"Kqh\x80", 1),
    **dict.fromkeys(b"M", 2),
    **dict.fromkeys(b"Jrj", 4),
    **dict.fromkeys(b"G", 8),
}
"""Bytes of argument of the opcodes that take so many."""

_TEXT, _LONG, _GLOBAL, _STOP = b"X\x8ac."

_GLOBALS = ("collections OrderedDict", "torch._utils _rebuild_tensor_v2")
"""And the storages of torch."""


def check_pickle(data: bytes) -> None:
    """Refuse a pickle of other opcodes, names or sizes than torch writes for us.

    Raises:
        ValueError: with a reason of one line.
    """
    position = 0
    for _ in range(MOST_OPCODES):
        opcode = data[position] if position < len(data) else -1
        position += 1
        if opcode in _ARGUMENTS:
            position += _ARGUMENTS[opcode]
        elif opcode == _TEXT:
            position += 4 + int.from_bytes(data[position : position + 4], "little")
        elif opcode == _LONG and data[position : position + 1] <= bytes([LONGEST_NUMBER]):
            position += 1 + int.from_bytes(data[position : position + 1], "little")
        elif opcode == _GLOBAL:
            position = _check_global(data, position)
        elif opcode == _STOP:
            return
        else:
            what = f"opcode 0x{opcode:02x}" if opcode >= 0 else "its end"
            raise ValueError(f"byte {position - 1} of the pickle is {what}, which no checkpoint has there")
    raise ValueError(f"the pickle has over {MOST_OPCODES} opcodes")


def _check_global(data: bytes, position: int) -> int:
    """Refuse a name but for those that tensors need; where the next opcode stands."""
    lines = data[position : position + 100].split(b"\n", 2)
    name = " ".join(line.decode("latin-1") for line in lines[:2])
    is_storage = name.startswith("torch ") and name.endswith("Storage")
    if len(lines) < 3 or not (name in _GLOBALS or is_storage):
        raise ValueError(f"it asks for {name[:80]}, which no checkpoint needs; nothing was run")
    return position + len(lines[0]) + len(lines[1]) + 2


def plain(value: Any, seen: dict[int, Any] | None = None) -> Any:
    """Copy lists and dictionaries as plain ones, all the way down: an OrderedDict may come with methods of its own.

    Raises:
        RecursionError: they are nested too deep.
    """
    seen = {} if seen is None else seen
    if id(value) in seen:
        return seen[id(value)]
    if isinstance(value, dict):
        found: dict[Any, Any] = {}
        seen[id(value)] = found  # before what is in it, which may be itself
        found.update((key, plain(part, seen)) for key, part in dict.items(value))
        return found
    if isinstance(value, list):
        parts: list[Any] = []
        seen[id(value)] = parts
        parts += [plain(part, seen) for part in value]
        return parts
    return value
