"""The header of a .npy file, read by its grammar alone.

numpy reads it with Python's own parser and, where that fails, with its tokenizer, which end in errors of many kinds and
guess at what a damaged header may have meant.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

LONGEST = 1024
"""Bytes of a header; numpy writes 118 of them for an array, whatever its size."""

_MAGIC = re.compile(rb"\x93NUMPY(?:(\x01)\x00|\x02\x00)", re.DOTALL)
_HEADER = re.compile(
    r"\{\s*+'descr':\s*+'([<>|=]?[A-Za-z?][0-9]{0,9})',\s*+'fortran_order':\s*+(False|True),\s*+"
    r"'shape':\s*+\(((?:\s*+[0-9]{1,18}L?\s*+,)*+\s*+(?:[0-9]{1,18}L?)?\s*+)\),?\s*+\}\s*+"
)


@dataclass(frozen=True)
class Header:
    """What a .npy file says of its array."""

    dtype: str
    """As numpy's `dtype.str`, such as ``<i2``, ``<U12`` or ``|O``."""

    shape: tuple[int, ...]
    fortran_order: bool
    version: int
    """Of the format: 1 or 2."""

    start: int
    """Where in the file the array's bytes begin."""


def read_header(content: bytes) -> Header:
    """Read the header at the beginning of a .npy file of version 1 or 2.

    Raises:
        ValueError: there is none, or it is not as numpy writes it; with a reason of one line.
    """
    magic = _MAGIC.match(content)
    if magic is None:
        raise ValueError("it does not begin as .npy files of version 1 or 2 do")
    width = 2 if magic[1] else 4
    if len(content) < magic.end() + width:
        raise ValueError("it is cut short")
    (length,) = struct.unpack_from("<H" if width == 2 else "<I", content, magic.end())
    begin = magic.end() + width
    if length > min(LONGEST, len(content) - begin):
        raise ValueError(f"it is cut short, or {length} bytes long (at most {LONGEST})")
    found = _HEADER.fullmatch(content[begin : begin + length].decode("latin-1"))
    if found is None:
        raise ValueError("it is not as numpy writes it")
    shape = tuple(int(size.strip().rstrip("L")) for size in found[3].split(",") if size.strip())
    return Header(found[1], shape, found[2] == "True", 1 if magic[1] else 2, begin + length)
