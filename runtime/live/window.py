"""A drawing in a window, with the toolkit that comes with Python, which is imported here alone."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.live.camera import Camera
from sketch_edge.runtime.live.performance import Move, Performance
from sketch_edge.runtime.sketch import Bounds

if TYPE_CHECKING:
    import tkinter

LONGER_SIDE_PX = 720
SHARE_OF_SCREEN = 0.8
"""Of the screen's sides, at most."""

MARGIN = 0.06
"""Free room around a sketch that has no paper, as a share of each side of the window."""

LOOK_S = 0.03
"""How often a window that only stands there looks for keys."""


def has_screen(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether there may be a screen to open a window on."""
    return sys.platform in ("win32", "darwin") or bool(environ.get("DISPLAY"))


def check_window() -> None:
    """See whether a window can be opened.

    Raises:
        InputError: this Python has no tkinter, or there is no screen.
    """
    _open("sketch-draw").destroy()


class WindowView:
    """Shows a performance in a window of its own, which stays until somebody closes it (q and Escape do). A context.

    Args:
        performance: what is shown.
        title: of the window.

    Raises:
        InputError: this Python has no tkinter, or there is no screen.
    """

    def __init__(self, performance: Performance, title: str = "sketch-draw") -> None:
        self._pens = performance.pens
        self._camera = Camera(performance.paper or performance.ink)
        self._margin = 0.0 if performance.paper else MARGIN
        self._ink: list[Move] = []
        self._drawn, self._seen = 0, object()
        self._root = _open(title)
        self.closed = False
        """Somebody closed it."""
        self._canvas = _canvas(self._root, performance.paper)
        self._root.protocol("WM_DELETE_WINDOW", self._close)
        for key in ("q", "Q", "<Escape>"):
            self._root.bind(key, lambda _: self._close())
        self._root.title(title)

    def __enter__(self) -> WindowView:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(Exception):  # whatever state it is in, it goes
            self._root.destroy()

    def draw(self, moves: Sequence[Move]) -> None:
        """Take the ink of a frame."""
        for move in moves:
            self._camera.note(move.line)
            self._ink.append(move)

    def show(self) -> bool:
        """Paint what changed, at the size that the window has now; False once somebody closed it."""
        if not self.closed:
            self._paint()
            self._root.update()
        return not self.closed

    def finish(self) -> None:
        """Show the whole drawing until somebody closes the window."""
        self._camera.settle()
        while self.show():
            time.sleep(LOOK_S)  # short, so that Ctrl-C in the terminal is heard too

    def _paint(self) -> None:
        width, height = max(self._canvas.winfo_width(), 1), max(self._canvas.winfo_height(), 1)
        room = 1 - 2 * self._margin
        sight = self._camera.sight(width * room, height * room)
        seen = (width, height, sight.scale, *sight.center.tolist())
        if seen != self._seen:
            self._canvas.delete("all")
            self._drawn, self._seen = 0, seen
        middle = np.array([width, height]) / 2
        for move in self._ink[self._drawn :]:
            points = (move.line - sight.center) * sight.scale + middle
            pen = self._pens[move.pen]
            if len(points) == 1:
                points = np.repeat(points, 2, axis=0)  # round ends make a dot of it
            self._canvas.create_line(
                *points.ravel().tolist(),
                fill=pen.color,
                width=max(1.0, pen.width_mm * sight.scale),
                capstyle="round",
                joinstyle="round",
            )
        self._drawn = len(self._ink)

    def _close(self) -> None:
        self.closed = True


def _open(title: str) -> tkinter.Tk:
    """Open the window."""
    try:
        import tkinter
    except ImportError as error:
        raise InputError(
            f"live window: this Python has no tkinter ({error}); install it (on Debian and Raspberry Pi OS: "
            "sudo apt install python3-tk), or take the terminal"
        ) from error
    try:
        return tkinter.Tk(className=title)
    except tkinter.TclError as error:
        raise InputError(
            f"live window: no window can be opened ({error}); run it on a desktop, or take the terminal"
        ) from error


def _canvas(root: tkinter.Tk, paper: Bounds | None) -> tkinter.Canvas:
    """White paper that fills the window, which has the proportions of the page."""
    import tkinter

    width, height = (paper.width, paper.height) if paper else (1.0, 1.0)
    scale = LONGER_SIDE_PX / max(width, height)
    scale = min(
        scale,
        SHARE_OF_SCREEN * root.winfo_screenwidth() / width,
        SHARE_OF_SCREEN * root.winfo_screenheight() / height,
    )
    size = max(1, round(width * scale)), max(1, round(height * scale))
    canvas = tkinter.Canvas(root, width=size[0], height=size[1], background="white", highlightthickness=0)
    canvas.pack(fill="both", expand=True)
    root.minsize(60, 60)
    root.update()
    return canvas
