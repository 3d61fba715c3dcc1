"""Drawings as text: eight dots to a letter, by the Braille patterns of Unicode."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.live.canvas import BRAILLE, Canvas
from sketch_edge.runtime.strokes import bounds

COLUMNS, ROWS = 60, 18
"""Letters of a drawing, at most: it leaves room for a few lines on a terminal of 80 by 24."""


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
    across, down = BRAILLE.across, BRAILLE.down
    room = np.array([columns * across - 1, rows * down - 1], np.float64)
    scale = float((room / extent).min()) if (high - low).max() > 0 else 0.0
    size = np.floor((high - low) * scale + 0.5).astype(int)
    canvas = Canvas(int(size[0]) // across + 1, int(size[1]) // down + 1)
    for line in kept:
        canvas.line((line - low) * scale)
    text = [list(row.ljust(canvas.columns)) for row in str(canvas).split("\n")]
    if numbers:
        for number, line in enumerate(kept, start=1):
            x, y = np.floor((line[0] - low) * scale + 0.5).astype(int).tolist()
            for place, digit in enumerate(str(number), start=min(x // across, canvas.columns - len(str(number)))):
                text[y // down][max(0, place)] = digit
    return ["".join(row).rstrip() for row in text]
