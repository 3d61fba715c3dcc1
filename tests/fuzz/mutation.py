"""Good inputs made bad: the mutations that Hypothesis and the coverage-guided fuzzer share.

Every mutation is decided by one `random.Random`, so an input can be had again from its number.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from tests.fuzz.structure import changed_structure

LARGEST = 1 << 16
"""Bytes of a mutated input; longer ones are cut, as a fuzzer wants many short inputs."""

NUMBERS = (
    *(b"0", b"-1", b"1e400", b"-1e400", b"2147483648", b"9223372036854775808", b"0.0000001", b"NaN"),
    *(b"1" * 400, b"0x" + b"f" * 4000),
)
BYTES = (0, 1, 9, 10, 13, 24, 27, 33, 63, 126, 127, 128, 255)
SIZES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)


def mutate(rng: random.Random, seeds: Sequence[bytes], words: Sequence[bytes] = ()) -> bytes:
    """Take one of the seeds and change it in one to five ways; now and then give bytes without any sense."""
    if rng.random() < 0.02:
        return rng.randbytes(rng.randrange(200))
    content = bytearray(min(rng.choice(seeds), rng.choice(seeds), key=len))  # short ones are tried more of in a second
    before = bytes(content)

    def within(part: bytes) -> bytes:
        return mutate(rng, [part], words) if part else b""

    if rng.random() < 0.5:
        content = bytearray(changed_structure(rng, before, within))
    changed = content != before
    for _ in range(rng.choice((0, 0, 0, 1, 2)) if changed else rng.choice((1, 1, 1, 2, 3, 5))):
        _change(rng, content, seeds, words)
    return bytes(content[:LARGEST])


def _change(rng: random.Random, content: bytearray, seeds: Sequence[bytes], words: Sequence[bytes]) -> None:
    """Change `content` in place, in one of ten ways."""
    place = rng.randrange(len(content) + 1)
    end = min(len(content), place + rng.choice((1, 2, 4, 8, 64, 512)))
    match rng.randrange(10):
        case 0:  # flip a bit
            if place < len(content):
                content[place] ^= 1 << rng.randrange(8)
        case 1:  # set a byte
            if place < len(content):
                content[place] = rng.choice(BYTES)
        case 2:  # cut the end
            del content[place:]
        case 3:  # take a piece out
            del content[place:end]
        case 4:  # double a piece
            content[place:place] = content[place:end] * rng.choice((1, 1, 2, 100))
        case 5:  # zero a piece
            content[place:end] = bytes(end - place)
        case 6:  # put a word in, over what is there or between
            if words:
                word = rng.choice(words)
                content[place : place + len(word) * rng.randrange(2)] = word
        case 7:  # another number where one stands as text
            numbers = list(re.finditer(rb"-?\d+(\.\d+)?", content[:LARGEST]))
            if numbers:
                number = rng.choice(numbers)
                content[number.start() : number.end()] = rng.choice(NUMBERS)
        case 8:  # another size where one stands in binary
            width = rng.choice((2, 4))
            content[place : place + width] = (rng.choice(SIZES) & ((1 << 8 * width) - 1)).to_bytes(width, "little")
        case _:  # a piece of another good input
            other = rng.choice(seeds)
            begin = rng.randrange(len(other) + 1)
            content[place:end] = other[begin : begin + rng.choice((4, 16, 64, 1024))]
