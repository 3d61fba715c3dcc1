"""sketch-draw --live, in a real pseudo-terminal whose screen is read back."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import ClassVar

import pytest
from click.testing import CliRunner

from sketch_edge.cli.draw import main
from sketch_edge.runtime.artist import load
from sketch_edge.runtime.layout import arrange
from sketch_edge.runtime.writers import render

TINY = Path(__file__).parents[1] / "data" / "tiny.sketch.zip"
STAR = ["--class", "star", "--seed", "12", "--model", str(TINY)]
CODE = re.compile(r"\x1b\[(\?|)([0-9;]*)([A-Za-z])")


class Screen:
    """A terminal, as far as the live view may ask for one: any other code is an error."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.cursor, self.second, self.colors = True, False, set[str]()
        self.frames = list[list[str]]()
        self._cells = self._main = [[" "] * columns for _ in range(rows)]
        self._row = self._column = 0

    @property
    def text(self) -> list[str]:
        return ["".join(row).rstrip() for row in self._cells]

    def feed(self, text: str) -> None:
        while text:
            match = CODE.match(text)
            if match:
                self._obey(*match.groups())
                text = text[match.end() :]
            else:
                self._write(text[0])
                text = text[1:]

    def _obey(self, private: str, numbers: str, code: str) -> None:
        match private + numbers.split(";")[0] + code:
            case "?1049h":
                self.second, self._cells = True, [[" "] * self.columns for _ in range(self.rows)]
            case "?1049l":
                self.second, self._cells, self._row, self._column = False, self._main, 0, 0
            case "?25l" | "?25h":
                self.cursor = code == "h"
            case "2J":
                self._cells[:] = [[" "] * self.columns for _ in range(self.rows)]
            case "K":
                if self._row == self.rows - 1:
                    self.frames.append(self.text)  # the row below the drawing is written last
                self._cells[self._row][self._column :] = [" "] * (self.columns - self._column)
            case _ if code == "H":
                row, column = map(int, numbers.split(";"))
                assert 1 <= row <= self.rows
                self._row, self._column = row - 1, column - 1
            case _ if code == "m":
                self.colors.add(numbers)
            case other:
                raise AssertionError(f"the code {other!r} is not among those that are documented")

    def _write(self, char: str) -> None:
        if char in "\r\n":
            assert not self.second, "a line end would scroll the picture"
            self._column, self._row = 0, self._row + (char == "\n")
            if self._row == self.rows:
                self._cells.append([" "] * self.columns)
                self._cells.pop(0)
                self._row -= 1
            return
        assert char.isprintable(), char
        assert self._column < self.columns, "written past the end of a row"
        self._cells[self._row][self._column] = char
        self._column += 1


class Terminal:
    """A command in a pseudo-terminal of its own."""

    running: ClassVar[list["Terminal"]] = []

    def __init__(self, *words: str, columns: int = 80, rows: int = 24, **environ: str) -> None:
        self.screen = Screen(columns, rows)
        self.raw = b""
        self._master, slave = pty.openpty()
        self.resize(columns, rows)
        names = ("PATH", "HOME", "LD_LIBRARY_PATH", "PYTHONPATH")
        clean = {name: os.environ[name] for name in names if name in os.environ}
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from sketch_edge.cli.draw import run; run()", *words],
            stdin=slave,
            stdout=slave,
            stderr=subprocess.PIPE,
            env={**clean, "TERM": "xterm-256color", "PYTHONUTF8": "1", **environ},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        self._slave = slave
        self.running.append(self)
        self.echoes = self._echo()

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _echo(self) -> bool:
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def read_until(self, found, seconds: float = 60) -> None:
        """Feed the screen until something is so, or fail."""
        end, rest = time.monotonic() + seconds, ""
        while not found(self):
            assert time.monotonic() < end, "\n".join(self.screen.text)
            if select.select([self._master], [], [], 0.05)[0]:
                self.raw += (data := os.read(self._master, 4096))
                rest += data.decode("utf-8", "surrogateescape")
                whole = re.sub(r"(\x1b[^A-Za-z]*|[\udc80-\udcff]+)\Z", "", rest)  # a code or letter may come in two
                if not re.search("[\udc80-\udcff]", whole):
                    self.screen.feed(whole)
                    rest = rest[len(whole) :]

    def end(self) -> tuple[int, str]:
        """Exit code and standard error, once the process is over and all it wrote is on the screen."""
        self.read_until(lambda terminal: terminal.process.poll() is not None)
        with contextlib.suppress(AssertionError):
            self.read_until(lambda _: False, 0.2)
        self.echoes = self._echo()
        assert self.process.stderr is not None
        self.close()
        with self.process.stderr as errors:
            return self.process.returncode, errors.read().decode()

    def close(self) -> None:
        """Give the pseudo-terminal back."""
        self.running.remove(self)
        os.close(self._slave)
        os.close(self._master)


@pytest.fixture(autouse=True)
def ended():
    """Nothing goes on behind a test that failed."""
    yield
    for terminal in [*Terminal.running]:
        terminal.process.kill()
        terminal.process.communicate()
        terminal.close()


def ink(rows: list[str]) -> int:
    """Dots of Braille letters."""
    return sum((ord(char) - 0x2800).bit_count() for char in "".join(rows) if "\u2800" < char <= "\u28ff")


def test_it_appears_stroke_by_stroke(tmp_path):
    """In place, with more ink from frame to frame; then the screen is as it was, the drawing stands and is written."""
    terminal = Terminal(*STAR, "--live", "--speed", "2", "--out", str(tmp_path / "live.svg"))
    terminal.read_until(lambda each: each.screen.second and not each.screen.cursor)
    code, told = terminal.end()
    screen = terminal.screen
    assert code == 0, told
    amounts = [ink(frame) for frame in screen.frames]
    assert len(set(amounts)) > 5
    assert amounts[0] < amounts[-1] / 3
    assert screen.frames[-1][-1].startswith("star, stroke ")
    assert (screen.second, screen.cursor, terminal.echoes) == (False, True, True)
    drawing = run(*STAR, "--live").stdout.splitlines()  # the same as where it was not watched
    assert screen.text[: len(drawing)] == drawing
    assert screen.colors == {"0"}  # black ink has the terminal's own colour
    sketch = load(TINY).draw("star", seed=12)
    assert (tmp_path / "live.svg").read_bytes() == render(arrange([sketch]), "svg")
    assert "seed 12; again: " in told


def test_it_follows_the_terminal():
    """A terminal that gets smaller: all is drawn anew within its new size."""
    terminal = Terminal(*STAR, "--live", "--speed", "0.3", columns=100, rows=40)
    terminal.read_until(lambda each: ink(each.screen.text) > 60)
    terminal.resize(40, 12)
    before = len(terminal.raw)
    terminal.read_until(lambda each: b"\x1b[12;1Hstar" in each.raw[before:])
    terminal.screen = Screen(40, 12)  # which refuses what is written outside
    terminal.screen.feed("\x1b[?1049h" + terminal.raw[terminal.raw.index(b"\x1b[1;1H", before) :].decode())
    assert ink(terminal.screen.text) > 5
    terminal.read_until(lambda each: len(each.screen.frames) > 3)
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end()[0] == 130


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_it_leaves_the_terminal_as_it_was(tmp_path, number, code):
    """Cursor, screen and echo come back, and no file is written."""
    terminal = Terminal(*STAR, "--live", "--speed", "0.05", "--out", str(tmp_path / "never.svg"))
    terminal.read_until(lambda each: len(each.screen.frames) > 2)
    assert not terminal._echo()
    terminal.process.send_signal(number)
    assert terminal.end()[0] == code
    assert (terminal.screen.second, terminal.screen.cursor, terminal.echoes) == (False, True, True)
    assert not list(tmp_path.iterdir())


def test_pens_have_their_colours_unless_nobody_wants_any():
    """Several sketches are drawn on their page, one after the other."""
    words = [*STAR, "--count", "2", "--pen", "red", "--pen", "blue", "--live", "--speed", "20"]
    terminal = Terminal(*words)
    assert terminal.end()[0] == 0
    assert terminal.screen.colors == {"0", "38;5;160", "38;5;25"}
    status = [frame[-1] for frame in terminal.screen.frames]
    first, last = (next(i for i, text in enumerate(status) if f"star ({n} of 2)" in text) for n in (1, 2))
    assert first < last
    plain = Terminal(*words, NO_COLOR="1")
    assert plain.end()[0] == 0
    assert plain.screen.colors == {"0"}


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_redraw_gets_the_drawing_once(term):
    """Without any code, and without waiting."""
    terminal = Terminal(*STAR, "--live", "--speed", "0.01", TERM=term)
    assert terminal.end()[0] == 0
    assert b"\x1b" not in terminal.raw
    assert ink(terminal.screen.text) > 50


def test_the_console_of_linux_gets_blocks():
    """Its fonts have no Braille."""
    terminal = Terminal(*STAR, "--live", "--speed", "0", TERM="linux")
    assert terminal.end()[0] == 0
    assert ink(terminal.screen.text) == 0
    assert "█" in "".join(terminal.screen.text)


def run(*words: str):
    return CliRunner().invoke(main, list(words), prog_name="sketch-draw")


def test_elsewhere_the_drawing_is_printed_at_its_end(tmp_path, monkeypatch):
    """Into a pipe or a file: plain text; a file is written beside it, in formats without a page too."""
    monkeypatch.chdir(tmp_path)
    result = run(*STAR, "--live", "--out", "star.json")
    assert result.exit_code == 0, result.stderr
    assert "\x1b" not in result.stdout
    assert ink(result.stdout.split("\n")) > 50
    assert (tmp_path / "star.json").read_bytes() == render(load(TINY).draw("star", seed=12), "json")
    two = run(*STAR, "--live", "--count", "2", "--out", "two.json")
    assert two.exit_code == 0, two.stderr
    assert len((tmp_path / "two.json").read_bytes().splitlines()) == 2


@pytest.mark.parametrize("words", [["--steps", "2x2"], ["--page", "a4", "--layout", "row", "--count", "3"]])
def test_every_page_can_be_watched(words):
    """Without any file, too."""
    result = run(*STAR, *words, "--live")
    assert result.exit_code == 0, result.stderr
    assert ink(result.stdout.split("\n")) > 50


def test_each_sketch_of_a_file_of_its_own(tmp_path, monkeypatch):
    """One after the other."""
    monkeypatch.chdir(tmp_path)
    result = run(*STAR, "--count", "2", "--live", "--out", "star-{i}.svg")
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["star-0.svg", "star-1.svg"]
    alone = [run(*STAR, "--index", str(i), "--live").stdout for i in (0, 1)]
    assert [ink(text.split("\n")) > 50 for text in alone] == [True, True]


def test_the_speed_is_for_the_film_too(tmp_path, monkeypatch):
    """But 0, which only a live view can be, is not."""
    monkeypatch.chdir(tmp_path)
    for name, words in (
        ("live.gif", ["--live", "--speed", "2"]),
        ("gif.gif", ["--speed", "2"]),
        ("usual.gif", []),
        ("zero.gif", ["--live", "--speed", "0"]),
    ):
        assert run(*STAR, *words, "--out", name).exit_code == 0
    live, alone, usual, zero = ((tmp_path / f"{name}.gif").read_bytes() for name in ("live", "gif", "usual", "zero"))
    assert live == alone != usual == zero


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--live", "--out", "-"], "--live: draws on standard output, which is where --out - writes"),
        (["--live", "--speed", "0.001"], "speed: is 0.001 (expected 0.01 to 100, or 0"),
        (["--live", "--format", "png"], "--format: is that of a file"),
        (["--live", "--refine"], "--live: does not go with --refine"),
        (["--speed", "0", "--out", "a.gif"], "--speed: 0, as fast as it comes, is for --live"),
        (["--live", "wall"], "--live: 'wall' is not one of"),
        (["--live", "window"], "--live window: "),
    ],
)
def test_what_does_not_go_together(words, line, monkeypatch):
    """One line, before anything is drawn."""
    monkeypatch.delenv("DISPLAY", raising=False)
    result = run(*STAR, *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {line}")
    assert result.stderr.count("\n") == 1


def test_without_a_screen_auto_is_the_terminal(monkeypatch):
    """Nobody is told about windows."""
    monkeypatch.delenv("DISPLAY", raising=False)
    result = run(*STAR, "--live", "auto")
    assert result.exit_code == 0
    assert ink(result.stdout.split("\n")) > 50
    assert "window" not in result.stderr


def test_a_drawing_that_nobody_watches_starts_without_any_of_it(tmp_path):
    """The modules of the live view, and what they need, are not imported."""
    code = (
        "import sys; from sketch_edge.cli.draw import main\n"
        f"main({[*STAR, '--out', str(tmp_path / 'a.svg')]!r}, standalone_mode=False)\n"
        "print([name for name in sys.modules if 'live' in name or name in ('tkinter', 'termios', 'pty')])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
