"""Drawings as text: eight dots to a letter, by the Braille patterns of Unicode."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.strokes import bounds

COLUMNS, ROWS = 60, 18
"""Letters of a drawing, at most: it leaves room for a few lines on a terminal of 80 by 24."""

DOTS_X, DOTS_Y = 2, 4
_PATTERNS = 0x2800
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""Of the dots of a letter, row by row."""


def braille(
    lines: Sequence[npt.NDArray[np.float64]], columns: int = COLUMNS, rows: int = ROWS, *, numbers: bool = False
) -> list[str]:
    """Draw lines of shape (n, 2) as text: proportions kept, as large as fits, without blanks at the ends.

    Args:
        lines: x right, y down, in any units.
        columns: letters in a line of text, at most.
        rows: lines of text, at most.
        numbers: write the number of each line, from 1, over its first point; later ones over earlier.
    """
    kept = [line for line in lines if len(line)]
    if not kept:
        return []
    low, high = bounds(kept)
    extent = np.maximum(high - low, 1e-9)
    room = np.array([columns * DOTS_X - 1, rows * DOTS_Y - 1], np.float64)
    scale = float((room / extent).min()) if (high - low).max() > 0 else 0.0
    size = np.floor((high - low) * scale + 0.5).astype(int)
    dots = np.zeros(((size[1] // DOTS_Y + 1) * DOTS_Y, (size[0] // DOTS_X + 1) * DOTS_X), np.int64)
    for line in kept:
        x, y = _dots((line - low) * scale).T
        dots[y, x] = 1
    cells = dots.reshape(dots.shape[0] // DOTS_Y, DOTS_Y, -1, DOTS_X)
    patterns = np.einsum("rycx,yx->rc", cells, _BITS)
    text = [[chr(_PATTERNS + bits) if bits else " " for bits in row] for row in patterns.tolist()]
    if numbers:
        for number, line in enumerate(kept, start=1):
            x, y = _dots((line[:1] - low) * scale)[0].tolist()
            for place, digit in enumerate(str(number), start=min(x // DOTS_X, len(text[0]) - len(str(number)))):
                text[y // DOTS_Y][max(0, place)] = digit
    return ["".join(row).rstrip() for row in text]


def _dots(points: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The dots that a line of shape (n, 2), in dots, passes: (m, 2)."""
    pieces = [points[:1]]
    for start, end in itertools.pairwise(points):
        count = int(np.abs(end - start).max()) + 1
        pieces.append(start + (end - start) * (np.arange(1, count + 1) / count)[:, None])
    return np.floor(np.concatenate(pieces) + 0.5).astype(np.int64)
