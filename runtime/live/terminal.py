"""A drawing in a terminal: a canvas of letters that is redrawn in place.

While it is drawn the terminal's second screen is used, so that nothing scrolls and what stood there comes back; then
the finished drawing is printed below it, as any other output. The escape codes are those that every terminal since the
VT100 and xterm knows: second screen, cursor hidden, cursor to a row, rest of a row cleared, colours.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any, TextIO

import numpy as np

from sketch_edge.runtime.live.camera import Camera
from sketch_edge.runtime.live.canvas import ASCII, BLOCKS, BRAILLE, Canvas, Glyphs
from sketch_edge.runtime.live.colors import RESET, color_codes
from sketch_edge.runtime.live.performance import Move, Performance, joined

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l\x1b[2J", "\x1b[0m\x1b[?25h\x1b[?1049l"
COLUMNS, ROWS = 80, 24
"""Of a terminal that does not say how large it is, and of text that goes elsewhere."""

SMALLEST_COLUMNS, SMALLEST_ROWS = 4, 3
MOST_COLUMNS, MOST_ROWS = 500, 200
"""More than that is not drawn on: a size that no terminal has would take the memory."""

KEPT_ROWS = 4
"""Rows that the finished drawing leaves free: for what is said about it, three on 80 columns, and for the prompt."""


def moves_in_place(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a stream is a terminal that can redraw: neither a file or a pipe, nor one that says TERM=dumb."""
    return stream.isatty() and environ.get("TERM", "dumb") not in ("", "dumb")


def glyphs_of(stream: TextIO, environ: Mapping[str, str] = os.environ) -> Glyphs:
    """The letters that a stream can show."""
    encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "").replace("_", "")
    if not encoding.startswith("utf"):
        return ASCII
    return BLOCKS if environ.get("TERM") == "linux" else BRAILLE


class TerminalView:
    """Shows a performance in a terminal, or prints its end where the output is none. A context: it cleans up behind it.

    Args:
        performance: what is shown.
        stream: where to; standard output where not given.
        environ: tells of TERM, COLORTERM and NO_COLOR.
    """

    def __init__(
        self, performance: Performance, stream: TextIO | None = None, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._stream = sys.stdout if stream is None else stream
        self.moving = moves_in_place(self._stream, environ)
        """It is redrawn in place; else there is nothing to see before `finish`."""
        self._glyphs = glyphs_of(self._stream, environ)
        self._codes = color_codes([pen.color for pen in performance.pens], environ) if self.moving else {}
        self._camera = Camera(performance.ink)
        self._ink: list[Move] = []
        self._drawn, self._status = 0, ""
        self._canvas: Canvas | None = None
        self._seen: object = None
        self._echo: list[Any] | None = None
        self._leaving = contextlib.ExitStack()

    def __enter__(self) -> TerminalView:
        if self.moving:
            self._stream.flush()
            self._leaving.callback(self._leave)
            self._enter()
            self._leaving.enter_context(_job_control(self._leave, self._enter))
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.close()

    def draw(self, moves: Sequence[Move]) -> None:
        """Take the ink of a frame."""
        for move in moves:
            self._camera.note(move.line)
            self._ink.append(move)

    def show(self) -> bool:
        """Redraw what changed, at the size that the terminal has now; always True, as nobody can close it."""
        if self.moving:
            columns, rows = self._size()
            self._paint(columns, rows - 1)
            assert self._canvas is not None
            changed = self._canvas.changed()
            pieces = [
                f"\x1b[{row + 1};1H{self._colored(runs)}\x1b[K"
                for row, runs in zip(changed, self._canvas.text(changed), strict=True)
            ]
            status = self._told()[:columns]
            if pieces or status != self._status:
                self._send("".join([*pieces, f"\x1b[{rows};1H{status}\x1b[K"]))
                self._status = status
        return True

    def finish(self) -> None:
        """Leave the second screen and print the whole drawing, as large as it can be."""
        self._leaving.close()
        self._camera.settle()
        self._ink, self._seen = joined(self._ink), None
        columns, rows = self._size()
        self._paint(columns, max(1, rows - KEPT_ROWS))
        assert self._canvas is not None
        lines = [self._colored(runs) for runs in _trimmed(self._canvas.text())]
        print(*lines, sep="\n", file=self._stream, flush=True)

    def _size(self) -> tuple[int, int]:
        """Columns and rows: of the terminal itself, as COLUMNS and LINES do not follow when it changes."""
        columns = rows = 0
        if self.moving:
            with contextlib.suppress(OSError, ValueError):
                columns, rows = os.get_terminal_size(self._stream.fileno())
        columns, rows = columns or COLUMNS, rows or ROWS
        return min(MOST_COLUMNS, max(SMALLEST_COLUMNS, columns)), min(MOST_ROWS, max(SMALLEST_ROWS, rows))

    def _paint(self, columns: int, rows: int) -> None:
        """Bring the canvas up to date: the new ink, or, where size or sight changed, all of it."""
        width, height = columns * self._glyphs.across, rows * self._glyphs.down
        sight = self._camera.sight(width - 1, height - 1)
        seen = (columns, rows, sight.scale, *sight.center.tolist())
        if self._canvas is None or seen != self._seen:
            self._canvas, self._drawn, self._seen = Canvas(columns, rows, self._glyphs), 0, seen
            self._status = ""
        middle = np.array([width - 1, height - 1]) / 2
        for move in self._ink[self._drawn :]:
            self._canvas.line((move.line - sight.center) * sight.scale + middle, move.pen)
        self._drawn = len(self._ink)

    def _told(self) -> str:
        """What is being drawn."""
        if not self._ink:
            return ""
        last = self._ink[-1]
        text = "".join(char if char.isprintable() and char.isascii() else "?" for char in last.label)
        return f"{text}, stroke {last.stroke}"

    def _colored(self, runs: Sequence[tuple[str, int]]) -> str:
        return "".join(f"{self._codes[pen]}{text}{RESET}" if pen in self._codes else text for text, pen in runs)

    def _send(self, text: str) -> None:
        """Write past Python's buffers, which a signal may have caught at work."""
        data = text.encode(self._stream.encoding or "ascii", "replace")
        while data:
            data = data[os.write(self._stream.fileno(), data) :]

    def _enter(self) -> None:
        self._echo = _silence_keys()
        self._seen = None  # all of it has to be drawn, again after Ctrl-Z
        self._send(ENTER)

    def _leave(self) -> None:
        with contextlib.suppress(OSError):  # a terminal that hung up
            self._send(LEAVE)
        _restore_keys(self._echo)


def _trimmed(rows: Sequence[Sequence[tuple[str, int]]]) -> list[Sequence[tuple[str, int]]]:
    """Rows without the empty ones at both ends; one where there is nothing else."""
    full = [number for number, row in enumerate(rows) if row]
    return list(rows[full[0] : full[-1] + 1]) if full else [()]


def _silence_keys() -> list[Any] | None:
    """Keep keys that are pressed meanwhile off the screen; they wait for the next program, as always.

    Returns the settings of the terminal before; None where there is none, or it cannot be told.
    """
    try:
        import termios
    except ImportError:  # not a Unix
        return None
    with contextlib.suppress(OSError, ValueError, AttributeError, termios.error):
        number = sys.stdin.fileno()
        if os.tcgetpgrp(number) == os.getpgrp():  # a job in the background would be stopped for it
            before: list[Any] = termios.tcgetattr(number)
            silent = before.copy()
            silent[3] &= ~termios.ECHO
            termios.tcsetattr(number, termios.TCSANOW, silent)
            return before
    return None


def _restore_keys(before: list[Any] | None) -> None:
    if before is not None:
        import termios

        with contextlib.suppress(OSError, ValueError, termios.error):
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, before)


@contextlib.contextmanager
def _job_control(pause: Callable[[], None], go_on: Callable[[], None]) -> Iterator[None]:
    """Leave the screen as it was while Ctrl-Z has stopped the process."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGTSTP"):
        yield
        return
    before = signal.getsignal(signal.SIGTSTP)

    def stop(number: int, _: FrameType | None) -> None:
        pause()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # stands here until the shell says go on
        signal.signal(number, stop)
        go_on()

    if before == signal.SIG_DFL:
        signal.signal(signal.SIGTSTP, stop)
    try:
        yield
    finally:
        if before == signal.SIG_DFL:
            signal.signal(signal.SIGTSTP, before)
