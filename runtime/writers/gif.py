"""GIF: a drawing that draws itself, small. Pillow packs the pixels; the file around them is written here.

Pillow's own writer compares whole frames and gives every frame nine bits a pixel to start with; a film knows what
changed, and its palette needs two or three bits.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from sketch_edge.runtime.scene import Scene
from sketch_edge.runtime.writers.motion import FPS, HOLD_S, TICK_MS, WIDTH_PX, Film, Timing
from sketch_edge.runtime.writers.painter import Frame
from sketch_edge.runtime.writers.text import PROGRAM, description_of, title_of

LEVELS = 3
"""Steps of ink: with the background that makes four entries, which take two bits."""

LONGEST_COMMENT = 1000
"""Bytes: recipes of more objects than fit are left out, else they would outweigh the picture."""

_KEEP = 1 << 2
_TRANSPARENT = 1


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
    """Draw a scene as a GIF in which the pen draws it; equal scenes give equal bytes.

    Args:
        scene: what is drawn, object after object and line after line.
        width_px: width of the picture; the height follows from the page.
        background: a colour (#rrggbb or a name) or "transparent", with which edges are hard: a pixel of a GIF is
            seen or not seen.
        duration_s: how long the drawing takes; where not given, 1 to 10 seconds, the longer the more ink there is.
        speed: instead of `duration_s`: 2 is twice as fast as usual.
        fps: frames a second, 1 to 50.
        hold_s: how long the finished drawing stays.
        loop: how often it plays; 0 is for ever.

    Raises:
        InputError: an unknown colour, a number out of range, or a film that is too large.
    """
    timing = Timing(duration_s, speed, fps, hold_s, loop)
    hard = background == "transparent"
    film = Film(scene, "gif", timing, width_px=width_px, background=background, levels=LEVELS, hard=hard)
    return b"".join(_parts(film, _comment(scene)))


def _parts(film: Film, comment: bytes) -> Iterator[bytes]:
    """The file, block by block, as https://www.w3.org/Graphics/GIF/spec-gif89a.txt has it."""
    bits = max(1, (len(film.colors) - 1).bit_length())
    yield b"GIF89a" + struct.pack("<HHBBB", film.width_px, film.height_px, 0xF0 | (bits - 1), 0, 0)
    yield bytes(value for color in film.colors for value in color[:3]).ljust(3 << bits, b"\0")
    if film.loop != 1:
        # The number is how often it plays again, once more than that in all; without this block it plays once.
        yield b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", max(0, film.loop - 1), 0)
    yield b"\x21\xfe" + _blocks(comment)
    for number, frame in enumerate(film.frames()):
        yield _frame(frame, bits, see_through=film.see_through or number > 0)
    yield b"\x3b"


def _frame(frame: Frame, bits: int, *, see_through: bool) -> bytes:
    from PIL import Image

    height, width = frame.changes.shape
    control = struct.pack("<BBHBB", 4, _KEEP | (_TRANSPARENT if see_through else 0), frame.ms // TICK_MS, 0, 0)
    place = struct.pack("<HHHHB", frame.left, frame.top, width, height, 0)
    bits = max(2, bits)
    pixels = Image.frombytes("L", (width, height), frame.changes.tobytes()).tobytes("gif", "L", bits, 0)
    return b"\x21\xf9" + control + b"\x2c" + place + bytes([bits]) + pixels + b"\0"


def _comment(scene: Scene) -> bytes:
    """What it shows and how to have it again, in ASCII."""
    title = f"{title_of(scene.objects)}. Drawn by {PROGRAM}."
    recipes = "\n".join(dict.fromkeys(filter(None, map(description_of, scene.objects))))
    text = f"{title}\n{recipes}".encode("ascii", "replace")
    return text if len(text) <= LONGEST_COMMENT else title.encode("ascii", "replace")[:LONGEST_COMMENT]


def _blocks(data: bytes) -> bytes:
    """Data in blocks of at most 255 bytes, each with its length before it, and an empty one at the end."""
    pieces = [data[start : start + 255] for start in range(0, len(data), 255)]
    return b"".join(bytes([len(piece)]) + piece for piece in pieces) + b"\0"
