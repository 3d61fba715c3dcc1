"""GIF: the bytes themselves, small and quick."""

import shutil
import struct
import subprocess
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from sketch_edge import load
from sketch_edge.runtime.layout import arrange
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Pen, Placed, Scene
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.writers import render


@dataclass
class Parsed:
    """What a reader of GIF89a finds, block by block."""

    size: tuple[int, int]
    colors: list[tuple[int, ...]]
    frames: list[dict[str, int]]
    loop: int | None
    comment: bytes


def parse(content: bytes) -> Parsed:
    """Read a GIF strictly: every block in its place, nothing before the header or after the trailer."""
    assert content[:6] == b"GIF89a"
    width, height, flags, ground, aspect = struct.unpack_from("<HHBBB", content, 6)
    assert flags & 0x80, "no global palette"
    assert (ground, aspect) == (0, 0)
    count = 2 << (flags & 7)
    table = content[13 : 13 + 3 * count]
    colors = [tuple(table[start : start + 3]) for start in range(0, 3 * count, 3)]
    parsed = Parsed((width, height), colors, [], None, b"")
    place, control = 13 + 3 * count, None

    def blocks(place: int) -> tuple[bytes, int]:
        data = b""
        while content[place]:
            data += content[place + 1 : place + 1 + content[place]]
            place += 1 + content[place]
        return data, place + 1

    while content[place] != 0x3B:
        kind = content[place : place + 2]
        if kind == b"\x21\xf9":
            assert content[place + 2] == 4
            control = struct.unpack_from("<BHBB", content, place + 3)
            assert control[3] == 0
            place += 8
        elif kind in (b"\x21\xfe", b"\x21\xff"):
            data, place = blocks(place + 2)
            if kind == b"\x21\xfe":
                parsed.comment = data
            else:
                assert data[:12] == b"NETSCAPE2.0\x01"
                (parsed.loop,) = struct.unpack("<H", data[12:])
        else:
            assert kind[0] == 0x2C
            assert control is not None, "a frame without delay"
            left, top, across, down, local = struct.unpack_from("<HHHHB", content, place + 1)
            assert local == 0, "palette of its own"
            assert left + across <= width
            assert top + down <= height
            data, end = blocks(place + 11)
            frame = {"left": left, "top": top, "width": across, "height": down, "bits": content[place + 10]}
            frame |= {"delay": control[1], "keep": control[0] >> 2 & 7 == 1, "see_through": control[0] & 1}
            parsed.frames.append(frame)
            assert control[2] == 0
            assert data
            place, control = end, None
    assert place == len(content) - 1
    return parsed


def sketchy(strokes: int) -> Scene:
    """An A4 page of 480 x 679 pixels with so many strokes in groups of six: a circle, arcs, and bent ones.

    A stroke has some 34 mm, as those of real sketches do where 120 of them fill the page.
    """
    random = np.random.default_rng(5)
    sketches = []
    for number in range(strokes // 6):
        lines = []
        for turn, size in ((6.4, 110), (3.0, 40), (1.0, 160), (3.0, 30), (4.0, 40), (0.8, 120)):
            angles = np.linspace(0, turn, 12) + random.uniform(0, 6.3)
            circle = np.stack([np.cos(angles), np.sin(angles)], axis=1) * size * random.uniform(0.5, 0.9)
            lines.append(random.normal(0, 30, 2) + circle + random.normal(0, 3, (12, 2)))
        sketches.append(Sketch(tuple(lines), "doodle", seed=5, index=number))
    return arrange(sketches, "a4")


def shipped(count: int) -> Scene:
    """So many sketches by the shipped model on an A4 page."""
    artist = load()
    listed = artist.listed_classes
    names = [listed[number * 7 % len(listed)] for number in range(count)]
    return arrange(artist.draw_many(names, seed=7), "a4")


def strokes_of(scene: Scene) -> int:
    return sum(len(each.lines) for each in scene.objects)


@pytest.mark.parametrize(("make", "argument"), [(sketchy, 120), (shipped, 28)])
def test_a_page_of_120_strokes_is_small_and_quick(make, argument):
    """480 x 679 pixels with smooth edges, 60 frames: at most 20 KB, in less than 0.3 s of one processor."""
    scene = make(argument)
    assert 110 <= strokes_of(scene) <= 140
    seconds = []
    for _ in range(3):
        start = time.process_time()
        content = render(scene, "gif", duration_s=3, fps=20, hold_s=2)
        seconds.append(time.process_time() - start)
    parsed = parse(content)
    assert parsed.size == (480, 679)
    assert [frame["delay"] for frame in parsed.frames] == [5] * 59 + [205]
    assert parsed.loop == 0
    assert content[-1] == 0x3B
    assert len(content) <= 20_000
    assert min(seconds) < 0.3


def test_later_frames_are_the_changed_rectangles_alone():
    """The first covers the picture, the others keep what is there and lie tightly around what changed."""
    pen = Pen(width_mm=1)
    line: Any = [[10, 10], [90, 10]]
    parsed = parse(
        render(Scene(Page(100, 50, 0), (pen,), (Placed((line,)),)), "gif", width_px=200, duration_s=1, fps=4)
    )
    first, *others = parsed.frames
    assert (first["left"], first["top"], first["width"], first["height"]) == (0, 0, 200, 100)
    assert not first["see_through"]
    assert len(others) == 3
    for number, frame in enumerate(others, 1):
        assert frame["keep"]
        assert frame["see_through"]
        assert abs(frame["left"] - (20 + 40 * number)) <= 3
        assert abs(frame["width"] - 41) <= 3
        assert frame["height"] <= 4
        assert frame["bits"] == 2


def test_the_palette_is_short():
    """The background, and three steps to the pen's colour; one palette for all frames."""
    parsed = parse(render(sketchy(6), "gif", background="#ffff00"))
    assert parsed.colors == [(255, 255, 0), (170, 170, 0), (85, 85, 0), (0, 0, 0)]


@pytest.mark.parametrize(("loop", "written"), [(0, 0), (1, None), (2, 1), (65_535, 65_534)])
def test_loops_are_written_as_players_count_them(loop, written):
    """For ever is written as 0; without the block it plays once; else the number says how often it plays again."""
    assert parse(render(sketchy(6), "gif", width_px=50, loop=loop)).loop == written


def test_the_file_says_what_it_shows():
    """Title and recipes stand in a comment in ASCII; of many objects the title alone."""
    objects = (Placed((), "cät\n", seed=7, index=2, temperature=0.4, source="b"), Placed((), "dog"))
    assert parse(render(Scene(objects=objects), "gif")).comment == (
        b"c?t, dog. Drawn by sketch-edge.\nc?t, seed 7, sketch 2, temperature 0.4, drawn by b\ndog"
    )
    many = Scene(objects=tuple(Placed((), "cat", seed=7, index=number) for number in range(300)))
    assert parse(render(many, "gif")).comment == b"cat. Drawn by sketch-edge."
    assert len(parse(render(Scene(objects=(Placed((), "x" * 9999),)), "gif")).comment) == 1000


@pytest.mark.skipif(shutil.which("gifsicle") is None, reason="gifsicle is not installed")
def test_gifsicle_finds_nothing_wrong(tmp_path):
    """Another reader takes it without a warning and finds the same frames."""
    content = render(sketchy(60), "gif", duration_s=2, hold_s=1)
    (tmp_path / "a.gif").write_bytes(content)
    command = ["gifsicle", "--info", tmp_path / "a.gif"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    assert f"{len(parse(content).frames)} images" in done.stdout
    assert "logical screen 480x679" in done.stdout
    assert "loop forever" in done.stdout
    assert done.stdout.count("delay 0.05s") == 39
    assert done.stdout.count("delay 1.05s") == 1


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
@pytest.mark.parametrize("name", ["gif", "apng"])
def test_ffprobe_counts_the_same_frames(name, tmp_path):
    """A player of films decodes every frame without an error."""
    path = tmp_path / f"a.{name}"
    path.write_bytes(render(sketchy(60), name, duration_s=2, hold_s=1))
    entries = "stream=nb_read_frames,width,height"
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", entries, "-of", "csv=p=0", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout.strip(), done.stderr) == ("480,679,40", "")
