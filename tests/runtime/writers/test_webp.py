"""Animated WebP: chunks as the format has them, no larger than need be."""

import shutil
import struct
import subprocess

import pytest
from PIL import features

from sketch_edge.runtime.errors import UnfinishedError
from sketch_edge.runtime.layout import arrange
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.writers import render

ZIGZAG = Sketch(([[0, 0], [200, 30], [40, 90], [255, 255]], [[9, 200]]), "zigzag")  # type: ignore[arg-type]


def chunks(content: bytes, start: int = 12) -> list[tuple[bytes, bytes]]:
    """Every chunk from `start` on, paddings checked."""
    place, found = start, []
    while place < len(content):
        name, (length,) = content[place : place + 4], struct.unpack_from("<I", content, place + 4)
        found.append((name, content[place + 8 : place + 8 + length]))
        place += 8 + length
        assert content[place : place + length % 2] == b"\0" * (length % 2)
        place += length % 2
    assert place == len(content)
    return found


@pytest.mark.parametrize("background", ["white", "transparent"])
def test_chunks_come_in_their_order(background):
    """Header, control, then one chunk for each frame that holds one lossless picture, at even places."""
    content = render(ZIGZAG, "webp", width_px=151, duration_s=1, fps=10, hold_s=0.5, loop=4, background=background)
    assert content[:4] == b"RIFF"
    assert struct.unpack_from("<I", content, 4) == (len(content) - 8,)
    head, control, *frames = chunks(content)
    assert head == (b"VP8X", bytes([0x12, 0, 0, 0, 150, 0, 0, 150, 0, 0]))
    assert control[0] == b"ANIM"
    assert struct.unpack_from("<H", control[1], 4) == (4,)
    times = []
    for name, data in frames:
        assert name == b"ANMF"
        left, top, width, height, ms = (int.from_bytes(data[at : at + 3], "little") for at in range(0, 15, 3))
        times.append(ms)
        assert 2 * left + width + 1 <= 151
        assert 2 * top + height + 1 <= 151
        ((picture, _),) = chunks(data, 16)
        assert picture == b"VP8L"
    assert sum(times) == 1500
    assert times[-1] >= 500


def test_a_pillow_without_webp_is_said(monkeypatch):
    """Such builds exist; the error names what there is instead."""
    monkeypatch.setattr(features, "check", lambda name: False)
    with pytest.raises(UnfinishedError, match=r"^webp: this Pillow was built without it; choose gif or apng"):
        render(ZIGZAG, "webp", width_px=50)


@pytest.mark.skipif(shutil.which("webpinfo") is None, reason="webpinfo is not installed")
@pytest.mark.parametrize("background", ["white", "transparent"])
def test_webpinfo_finds_nothing_wrong(background, tmp_path):
    """The format's own checker takes it."""
    path = tmp_path / "a.webp"
    path.write_bytes(render(arrange([ZIGZAG] * 5, "a6"), "webp", background=background))
    done = subprocess.run(["webpinfo", "-diag", path], capture_output=True, text=True, timeout=60, check=True)
    assert "No error detected." in done.stdout
    assert "warning" not in (done.stdout + done.stderr).lower()
