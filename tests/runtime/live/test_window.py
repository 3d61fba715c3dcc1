"""The live view in a window: on a real screen, if only one in memory."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sketch_edge.runtime.artist import load
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.layout import arrange
from sketch_edge.runtime.live.performance import watch_scene, watch_stream
from sketch_edge.runtime.live.show import show
from sketch_edge.runtime.live.window import WindowView, check_window, has_screen
from sketch_edge.runtime.scene import Pen

TINY = Path(__file__).parents[2] / "data" / "tiny.sketch.zip"


@pytest.fixture(scope="module")
def screen():
    """The name of a screen of 800 x 600 pixels that nobody looks at."""
    pytest.importorskip("tkinter")
    if shutil.which("Xvfb") is None:
        pytest.skip("needs Xvfb")
    read, write = os.pipe()
    words = ["Xvfb", "-displayfd", str(write), "-screen", "0", "800x600x24", "-nolisten", "tcp"]
    server = subprocess.Popen(words, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as told:
        name = told.readline().strip()
    if not name:
        server.wait()
        pytest.skip("Xvfb does not start here")
    yield f":{name}"
    server.terminate()
    server.wait()


@pytest.fixture
def shown(screen, monkeypatch):
    """Windows open on that screen."""
    monkeypatch.setenv("DISPLAY", screen)


def inked(window):
    """Lines on the canvas: points, colour, width."""
    canvas = window._canvas
    return [
        (
            np.array(canvas.coords(item)).reshape(-1, 2),
            canvas.itemcget(item, "fill"),
            float(canvas.itemcget(item, "width")),
        )
        for item in canvas.find_all()
    ]


def test_the_drawing_stays_until_the_window_is_closed(shown, monkeypatch):
    """All lines of the page, in the colours of their pens, within the window."""
    artist = load(TINY)
    scene = arrange(
        [artist.draw("star", seed=1), artist.draw("cat", seed=1)], pens=[Pen("red", "red"), Pen("blue", "blue")]
    )
    looks: list[list[tuple[np.ndarray, str, float]]] = []

    def look(_):
        window._root.update()
        looks.append(inked(window))
        if len(looks) == 3:
            window._root.event_generate("<Key-q>", when="now")

    monkeypatch.setattr("sketch_edge.runtime.live.window.time.sleep", look)
    with WindowView(watch_scene(scene)) as window:
        window._root.focus_force()
        performance = watch_scene(scene)
        show(performance, window, speed=0)
        assert window.closed
        size = window._canvas.winfo_width(), window._canvas.winfo_height()
    assert len(looks) == 3
    assert [len(points) for points, _, _ in looks[0]] == [max(2, len(each)) for o in scene.objects for each in o.lines]
    assert {color for _, color, _ in looks[0]} == {"#d62728", "#1f5fb4"}
    for points, _, _ in looks[0]:
        assert (points >= 0).all()
        assert (points <= size).all()


def test_it_follows_its_size(shown):
    """A window of half the size has the drawing in half the size, pen and all."""
    performance = watch_stream(load(TINY).stream("star", seed=3))
    with WindowView(performance) as window:
        window.draw([move for move in performance.moves if move.drawn])
        assert window.show()
        before = inked(window)
        for _ in range(20):
            window._root.geometry("300x300")
            window._root.update()
            window.show()
            if window._canvas.winfo_width() == 300:
                break
        after = inked(window)
    share = 300 / 480  # the first is as large as the screen's height allows
    assert after[0][2] == pytest.approx(before[0][2] * share, rel=0.02)
    for (old, _, _), (new, _, _) in zip(before, after, strict=True):
        np.testing.assert_allclose(new, old * share, atol=1)


def test_a_window_that_is_closed_ends_the_show(shown):
    """Whoever is drawing is told, and does not go on."""
    performance = watch_stream(load(TINY).stream("star", seed=3))
    with WindowView(performance) as window:
        window._close()
        show(performance, window)
        assert inked(window) == []
    assert next(performance.moves, None) is not None


def test_the_command_draws_writes_and_ends_with_its_window(screen, tmp_path):
    """Closed by Escape while it draws, it writes the file all the same."""
    code = (
        "import sys; from sketch_edge.cli.draw import main; from sketch_edge.runtime.live.window import WindowView\n"
        "was = WindowView.show\n"
        "def shown(self):\n"
        "    self.seen = getattr(self, 'seen', 0) + 1\n"
        "    self.seen == 5 and (self._root.focus_force(), self._root.event_generate('<Escape>', when='now'))\n"
        "    return was(self)\n"
        "WindowView.show = shown\n"
        "main(sys.argv[1:])"
    )
    words = ["-c", "star", "--seed", "1", "--model", str(TINY), "--live", "window", "--speed", "0.1"]
    result = subprocess.run(
        [sys.executable, "-c", code, *words, "--out", str(tmp_path / "star.svg")],
        env={**os.environ, "DISPLAY": screen},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "star.svg").exists()


def test_without_a_screen_it_is_said_what_to_do(monkeypatch):
    """In one line, before anything is drawn."""
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(InputError, match=r"live window: .*; (run it on a desktop|install it)"):
        check_window()
    assert not has_screen({})
    assert has_screen({"DISPLAY": ":0"})


def test_a_python_without_tkinter_is_told_what_to_install(monkeypatch):
    """The name of Debian's package."""
    monkeypatch.setitem(sys.modules, "tkinter", None)
    with pytest.raises(InputError, match="apt install python3-tk"):
        check_window()
