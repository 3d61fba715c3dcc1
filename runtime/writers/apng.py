"""APNG: a drawing that draws itself; where nobody animates it, a still picture of all of it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np

from sketch_edge.runtime.scene import Scene
from sketch_edge.runtime.writers.motion import FPS, HOLD_S, TICK_MS, WIDTH_PX, Film, Timing
from sketch_edge.runtime.writers.painter import Indices
from sketch_edge.runtime.writers.text import PROGRAM, description_of, title_of

LEVELS = 7
"""Steps of ink: twice as many as a GIF has."""

_PALETTE_COLORS = 3
_KEEP = 0
_SOURCE, _OVER = 0, 1


def render(
    scene: Scene,
    *,
    width_px: int = WIDTH_PX,
    background: str = "white",
    duration_s: float | None = None,
    speed: float | None = None,
    fps: float = FPS,
    hold_s: float = HOLD_S,
    loop: int = 0,
) -> bytes:
    """Draw a scene as an animated PNG in which the pen draws it; equal scenes give equal bytes.

    `background` is a colour (#rrggbb or a name) or "transparent", with which edges are half transparent. The other
    arguments and the errors are those of `sketch_edge.runtime.writers.gif.render`. Programs that show no animations
    show the finished drawing.
    """
    timing = Timing(duration_s, speed, fps, hold_s, loop)
    film = Film(scene, "apng", timing, width_px=width_px, background=background, levels=LEVELS)
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunks(film, scene))


def _chunks(film: Film, scene: Scene) -> Iterator[bytes]:
    """The file, chunk by chunk, as https://www.w3.org/TR/png-3/ has it."""
    see_through = film.see_through
    # On a colour, one more entry, fully transparent, says that a pixel stays as it was: that packs much better. Half
    # transparent ink would add up, so there a frame replaces all of its rectangle.
    colors = film.colors if see_through else ((*film.colors[0][:3], 0), *film.colors)
    bits = next(bits for bits in (1, 2, 4, 8) if len(colors) <= 1 << bits)
    frames = list(_frames(film, bits))  # packed, they are small; how many there are is said before them
    yield _chunk(b"IHDR", struct.pack(">IIBBBBB", film.width_px, film.height_px, bits, _PALETTE_COLORS, 0, 0, 0))
    yield _chunk(b"acTL", struct.pack(">II", len(frames), film.loop))
    yield _chunk(b"PLTE", bytes(value for color in colors for value in color[:3]))
    yield _chunk(b"tRNS", bytes(color[3] for color in colors) if see_through else b"\0")
    per_metre = round(film.width_px / scene.page.width_mm * 1000)
    yield _chunk(b"pHYs", struct.pack(">IIB", per_metre, per_metre, 1))
    yield from _texts(scene)
    # A still picture before the first frame's own header is no part of the film: other programs show it.
    yield _chunk(b"IDAT", _packed(film.last() + np.uint8(not see_through), bits))
    yield from frames
    yield _chunk(b"IEND", b"")


def _frames(film: Film, bits: int) -> Iterator[bytes]:
    """The two chunks of each frame."""
    for number, frame in enumerate(film.frames()):
        height, width = frame.shown.shape
        place = struct.pack(">IIIII", 2 * number, width, height, frame.left, frame.top)
        blend = _SOURCE if film.see_through else _OVER
        entries = frame.shown
        if not film.see_through:
            entries = frame.shown + np.uint8(1) if number == 0 else frame.changes + (frame.changes > 0)
        yield (
            _chunk(b"fcTL", place + struct.pack(">HHBB", frame.ms // TICK_MS, 1000 // TICK_MS, _KEEP, blend))
            + _chunk(b"fdAT", struct.pack(">I", 2 * number + 1) + _packed(entries, bits))
        )


def _texts(scene: Scene) -> Iterator[bytes]:
    recipes = "\n".join(dict.fromkeys(filter(None, map(description_of, scene.objects))))
    for name, text in ((b"Title", title_of(scene.objects)), (b"Description", recipes), (b"Software", PROGRAM)):
        yield _chunk(b"iTXt", name + b"\0\1\0\0\0" + zlib.compress(text.encode("utf-8"), 9))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _packed(entries: Indices, bits: int) -> bytes:
    """Palette entries of shape (height, width), `bits` each, as rows without a filter, deflated."""
    each = 8 // bits
    height, width = entries.shape
    padded = np.zeros((height, -(-width // each) * each), np.uint8)
    padded[:, :width] = entries
    rows = np.zeros((height, 1 + padded.shape[1] // each), np.uint8)  # the first byte of each row: no filter
    for place in range(each):
        rows[:, 1:] |= padded[:, place::each] << np.uint8(8 - bits * (place + 1))
    return zlib.compress(rows.tobytes(), 9)
