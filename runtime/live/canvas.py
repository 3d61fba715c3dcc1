"""A canvas of letters: dots that are set, and the text that shows them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Glyphs:
    """Letters that stand for dots."""

    across: int
    """Dots of a letter side by side."""

    down: int
    """Dots of a letter above each other."""

    bits: npt.NDArray[np.int64]
    """What each dot adds to the number of the letter, (down, across)."""

    letters: str
    """The letters by their numbers; the first, without dots, is the space."""


BRAILLE = Glyphs(
    2,
    4,
    np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]),
    " " + "".join(map(chr, range(0x2801, 0x2900))),
)
"""Eight dots to a letter, by the Braille patterns of Unicode."""

BLOCKS = Glyphs(1, 2, np.array([[1], [2]]), " ▀▄█")
"""Half blocks: what the console of Linux has, whose fonts have no Braille."""

ASCII = Glyphs(1, 2, np.array([[1], [2]]), " '.:")
"""What every terminal has."""


class Canvas:
    """Dots behind letters; what is outside is passed over.

    Args:
        columns: letters in a row, from 1.
        rows: from 1.
        glyphs: the letters.
    """

    def __init__(self, columns: int, rows: int, glyphs: Glyphs = BRAILLE) -> None:
        self.glyphs = glyphs
        self.columns, self.rows = columns, rows
        self.width, self.height = columns * glyphs.across, rows * glyphs.down
        """Dots of the whole canvas."""
        self._dots = np.zeros((self.height, self.width), np.int64)
        self._pens = np.zeros((rows, columns), np.int64)
        self._changed = np.ones(rows, bool)

    def line(self, points: npt.NDArray[np.float64], pen: int = 0) -> None:
        """Set the dots along a line (n, 2), in dots from the upper left one; a letter takes the newest ink's pen."""
        x, y = _passed(points).T
        inside = (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)
        x, y = x[inside], y[inside]
        self._dots[y, x] = 1
        rows = y // self.glyphs.down
        self._pens[rows, x // self.glyphs.across] = pen
        self._changed[rows] = True

    def changed(self) -> list[int]:
        """The rows that changed since this was asked last, all at first."""
        rows = np.flatnonzero(self._changed).tolist()
        self._changed[:] = False
        return rows

    def text(self, rows: Sequence[int] | None = None) -> list[list[tuple[str, int]]]:
        """Rows, all if not chosen, each as runs of letters of one pen: (letters, pen); no blanks at the ends."""
        chosen = range(self.rows) if rows is None else rows
        across, down = self.glyphs.across, self.glyphs.down
        text = []
        for row in chosen:
            cells = self._dots[row * down : (row + 1) * down].reshape(down, self.columns, across)
            numbers = np.einsum("ycx,yx->c", cells, self.glyphs.bits).tolist()
            runs: list[tuple[str, int]] = []
            for number, pen in zip(numbers, self._pens[row].tolist(), strict=True):
                if runs and (number == 0 or pen == runs[-1][1]):  # blanks have no colour
                    runs[-1] = runs[-1][0] + self.glyphs.letters[number], runs[-1][1]
                else:
                    runs.append((self.glyphs.letters[number], pen))
            while runs and not runs[-1][0].strip():
                runs.pop()
            text.append([*runs[:-1], *((letters.rstrip(), pen) for letters, pen in runs[-1:])])
        return text

    def __str__(self) -> str:
        """All rows as plain text."""
        return "\n".join("".join(letters for letters, _ in row) for row in self.text())


def _passed(points: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The dots that a line of shape (n, 2), in dots, passes: (m, 2)."""
    pieces = [points[:1]]
    for start, end in itertools.pairwise(points):
        count = int(np.abs(end - start).max()) + 1
        pieces.append(start + (end - start) * (np.arange(1, count + 1) / count)[:, None])
    return np.floor(np.concatenate(pieces) + 0.5).astype(np.int64)
