"""Animated WebP: a drawing that draws itself, without loss. Pillow packs each frame; the file around them is ours."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import numpy as np

from sketch_edge.runtime.errors import UnfinishedError
from sketch_edge.runtime.scene import Scene
from sketch_edge.runtime.writers.motion import FPS, HOLD_S, WIDTH_PX, Film, Timing
from sketch_edge.runtime.writers.painter import Indices

LEVELS = 7
"""Steps of ink: twice as many as a GIF has, in as many bytes."""

_ANIMATION, _ALPHA = 0x02, 0x10
_BLEND, _REPLACE = 0x00, 0x02


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
    """Draw a scene as an animated WebP in which the pen draws it; equal scenes give equal bytes.

    `background` is a colour (#rrggbb or a name) or "transparent", with which edges are half transparent. The other
    arguments and the errors are those of `sketch_edge.runtime.writers.gif.render`.

    Raises:
        UnfinishedError: this Pillow was built without WebP.
    """
    timing = Timing(duration_s, speed, fps, hold_s, loop)
    film = Film(scene, "webp", timing, width_px=width_px, background=background, levels=LEVELS, even=True)
    body = b"WEBP" + b"".join(_chunks(film))
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _chunks(film: Film) -> Iterator[bytes]:
    """The file, chunk by chunk, as RFC 9649 has it."""
    size = _three(film.width_px - 1) + _three(film.height_px - 1)
    yield _chunk(b"VP8X", struct.pack("<I", _ANIMATION | _ALPHA) + size)
    red, green, blue, alpha = film.colors[0]
    yield _chunk(b"ANIM", bytes([blue, green, red, alpha]) + struct.pack("<H", film.loop))
    colors = np.array(film.colors, np.uint8)
    # On a colour, entry 0 of later frames is transparent and keeps what is there: that packs much better. Half
    # transparent ink would add up, so there a frame replaces all of its rectangle.
    keeping = np.concatenate([np.zeros((1, 4), np.uint8), colors[1:]])
    for number, frame in enumerate(film.frames()):
        height, width = frame.shown.shape
        place = b"".join(map(_three, (frame.left // 2, frame.top // 2, width - 1, height - 1, frame.ms)))
        pixels = colors[frame.shown] if film.see_through or number == 0 else keeping[frame.changes]
        yield _chunk(b"ANMF", place + bytes([_REPLACE if film.see_through else _BLEND]) + _lossless(pixels))


def _lossless(pixels: Indices) -> bytes:
    """The VP8L chunk of a picture of shape (height, width, 4), as Pillow's WebP encoder packs it."""
    from PIL import Image, features

    if not features.check("webp"):
        raise UnfinishedError("webp: this Pillow was built without it; choose gif or apng, or reinstall pillow")
    buffer = io.BytesIO()
    picture = Image.frombytes("RGBA", (pixels.shape[1], pixels.shape[0]), pixels.tobytes())
    picture.save(buffer, "WEBP", lossless=True, quality=100, method=4, exact=True)
    data = buffer.getvalue()
    start = data.index(b"VP8L", 12)
    (length,) = struct.unpack_from("<I", data, start + 4)
    return data[start : start + 8 + length + length % 2]


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _three(value: int) -> bytes:
    return struct.pack("<I", value)[:3]
