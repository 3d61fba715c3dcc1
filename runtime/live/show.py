"""Showing a drawing while it is made: a performance, at its pace, in a view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sketch_edge.runtime.live.pace import checked_speed, frames
from sketch_edge.runtime.live.performance import Move, Performance


class View(Protocol):
    """Where a performance is shown."""

    def draw(self, moves: Sequence[Move]) -> None:
        """Take the ink of a frame."""

    def show(self) -> bool:
        """Show it; False where nobody looks any more."""

    def finish(self) -> None:
        """Show the whole drawing."""


def show(performance: Performance, view: View, speed: float = 1.0, *, paced: bool = True) -> None:
    """Show a performance from its first move to its end, or until the view is closed.

    Args:
        performance: used up by this.
        view: a `TerminalView` or `WindowView`, opened as a context.
        speed: times as fast as usual, 0.01 to 100; 0: every move as soon as it comes.
        paced: False where there is nothing to watch before the end, which is then not waited for.

    Raises:
        InputError: a speed out of range, or what the model behind the moves raises.
    """
    pace = performance.units_per_s * checked_speed(speed)
    if paced:
        for frame in frames(performance.moves, pace):
            view.draw(frame)
            if not view.show():
                return
    else:
        view.draw([move for move in performance.moves if move.drawn])
    view.finish()
