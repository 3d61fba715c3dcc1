"""The words of Philox-4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") in numpy alone.

They are those of `numpy.random.Philox(key=[seed, index]).random_raw`, which is ten times faster, but lives in a package
whose import takes as long as the noise of fifty sketches made here. A command that draws a few need not import it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Words: TypeAlias = npt.NDArray[np.uint64]

FEW = 40
"""So many streams of one process are made here; whoever wants more will save time with numpy.random."""

_ROUNDS = 10
_MULTIPLIERS = np.array([[0xD2E7470EE14C6C93], [0xCA5A826395121157]], np.uint64)
_WEYL = np.array([[0x9E3779B97F4A7C15], [0xBB67AE8584CAA73B]], np.uint64)
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)

_made = 0


def word_stream(seed: int, index: int) -> Callable[[int], Words]:
    """Give the function that takes the next `count` words of the stream with key (seed, index)."""
    global _made
    _made += 1
    if _made <= FEW:
        return Philox(seed, index).words
    take: Callable[[int], Words] = np.random.Philox(key=np.array([seed, index], np.uint64)).random_raw
    return take


class Philox:
    """The stream of one key; its counter starts at 1 and counts blocks of four words."""

    def __init__(self, seed: int, index: int) -> None:
        self._key = np.array([[seed], [index]], np.uint64)
        self._counter = 1
        self._left: Words = np.empty(0, np.uint64)

    def words(self, count: int) -> Words:
        """Take the next words, shape (count,)."""
        blocks = -(-(count - len(self._left)) // 4)
        if blocks > 0:
            made = philox_blocks(self._key, self._counter, blocks)
            self._counter += blocks
            self._left = np.concatenate([self._left, made])
        taken, self._left = self._left[:count], self._left[count:]
        return taken


def philox_blocks(key: Words, first: int, count: int) -> Words:
    """The words of blocks `first` to `first + count - 1`, below 2**64, one block after the other; key is (2, 1)."""
    even = np.zeros((2, count), np.uint64)  # words 0 and 2 of each block, those that are multiplied
    even[0] = np.arange(first, first + count, dtype=np.uint64)
    odd = np.zeros((2, count), np.uint64)  # words 1 and 3
    key = key.copy()
    for _ in range(_ROUNDS):
        high, low = _multiply(even)
        even, odd = high[::-1] ^ odd ^ key, low[::-1]
        key += _WEYL
    return np.stack([even[0], odd[0], even[1], odd[1]], axis=1).reshape(-1)


def _multiply(words: Words) -> tuple[Words, Words]:
    """High and low halves of the 128-bit products of words (2, n) and the two multipliers."""
    upper, lower = words >> _HALF, words & _LOW
    by_upper, by_lower = _MULTIPLIERS >> _HALF, _MULTIPLIERS & _LOW
    middle = upper * by_lower + (lower * by_lower >> _HALF)
    cross = lower * by_upper + (middle & _LOW)
    return upper * by_upper + (middle >> _HALF) + (cross >> _HALF), words * _MULTIPLIERS
