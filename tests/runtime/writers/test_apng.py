"""APNG: chunks in their order, and a still picture for programs that show no animations."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Pen, Placed, Scene
from sketch_edge.runtime.writers import render
from sketch_edge.runtime.writers.png import paint

SCENE = Scene(
    Page(60, 40, 0),
    (Pen(width_mm=2.0),),
    (Placed(([[5, 5], [55, 35]], [[5, 35], [55, 5]]), "cät", seed=7, index=2, temperature=0.4),),  # type: ignore[arg-type]
)


def chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    """Every chunk, its check sum verified."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    place, found = 8, []
    while place < len(content):
        (length,) = struct.unpack_from(">I", content, place)
        name, data = content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        (check,) = struct.unpack_from(">I", content, place + 8 + length)
        assert zlib.crc32(name + data) == check
        found.append((name, data))
        place += 12 + length
    assert place == len(content)
    return found


@pytest.mark.parametrize("background", ["white", "transparent"])
def test_chunks_come_in_their_order(background):
    """Header, control, palette, texts, the still picture, then header and data of each frame, numbered in one row."""
    found = chunks(render(SCENE, "apng", width_px=90, duration_s=1, fps=10, background=background))
    names = [name for name, _ in found]
    head = [b"IHDR", b"acTL", b"PLTE", b"tRNS", b"pHYs", b"iTXt", b"iTXt", b"iTXt", b"IDAT"]
    assert names == head + [b"fcTL", b"fdAT"] * 10 + [b"IEND"]
    assert struct.unpack(">II", found[1][1]) == (10, 0)
    numbers = [struct.unpack_from(">I", data)[0] for name, data in found if name in (b"fcTL", b"fdAT")]
    assert numbers == list(range(20))


def test_frames_are_the_changed_rectangles_alone():
    """Only the first is as large as the picture."""
    found = chunks(render(SCENE, "apng", width_px=300))
    sizes = [struct.unpack_from(">II", data, 4) for name, data in found if name == b"fcTL"]
    assert sizes[0] == (300, 200)
    assert max(width for width, _ in sizes[1:]) < 60


@pytest.mark.parametrize("background", ["white", "transparent"])
def test_programs_without_animation_show_the_finished_drawing(background):
    """The picture that a plain PNG reader finds is the last frame, not an empty page."""
    content = b"\x89PNG\r\n\x1a\n"
    for name, data in chunks(render(SCENE, "apng", width_px=120, background=background)):
        if name not in (b"acTL", b"fcTL", b"fdAT"):
            content += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    with Image.open(io.BytesIO(content)) as picture:
        got = np.asarray(picture.convert("RGBA")).astype(int)
    expected = np.asarray(paint(SCENE, width_px=120, background=background).convert("RGBA")).astype(int)
    assert np.abs(got - expected).max() <= 255 / 14 + 1


def test_the_file_says_what_it_shows():
    """Title, recipe and size on paper are in the file; no date is."""
    with Image.open(io.BytesIO(render(SCENE, "apng", width_px=120))) as picture:
        picture.load()
        assert picture.info["Title"] == "cät"
        assert picture.info["Description"] == "cät, seed 7, sketch 2, temperature 0.4"
        assert picture.info["Software"] == "sketch-edge"
        assert picture.info["dpi"] == pytest.approx((50.8, 50.8), abs=0.1)


def test_few_colours_take_few_bits():
    """Seven steps of one pen take four bits a pixel, those of three pens eight."""
    pens = tuple(Pen(color, color) for color in ("black", "red", "blue"))
    objects = tuple(Placed(SCENE.objects[0].lines, pen=number) for number in range(3))
    assert chunks(render(SCENE, "apng", width_px=50))[0][1][8] == 4
    assert chunks(render(Scene(pens=pens, objects=objects), "apng", width_px=50))[0][1][8] == 8
