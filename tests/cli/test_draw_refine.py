"""sketch-draw --refine: commands from standard input."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sketch_edge.cli.draw import main
from sketch_edge.runtime.artist import load
from sketch_edge.runtime.together.braille import braille
from sketch_edge.runtime.writers import render

TINY = Path(__file__).parents[1] / "data" / "tiny.sketch.zip"
pytestmark = pytest.mark.usefixtures("folder")


def refine(commands: str, *args: str) -> Result:
    """Work on star 12 of the tiny bundle."""
    words = ["--refine", "-c", "star", "--seed", "12", "--model", str(TINY), *args]
    return CliRunner().invoke(main, words, input=commands.encode("utf-8", "surrogateescape"), prog_name="sketch-draw")


def test_it_shows_the_drawing_and_how_to_have_it():
    """As text, at once, and nothing else on standard output."""
    result = refine("")
    sketch = load(TINY).draw("star", seed=12)
    said = f"star, seed 12, sketch 0, temperature 0.4: {len(sketch.lines)} strokes"
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "\n".join([*braille(sketch.lines), said, ""])


def test_a_session(folder):
    """Draw, keep, change, take back, save."""
    result = refine(
        "\nkeep 1\ntemperature 1\nclass cat\nundo\nundo\nsave one.svg\nundo\nsave two.json\nquit\nsave no.svg\n"
    )
    assert (result.exit_code, result.stderr) == (0, "one.svg: written\ntwo.json: written\n")
    assert sorted(path.name for path in folder.iterdir()) == ["one.svg", "two.json"]
    assert (folder / "two.json").read_bytes() == render(load(TINY).draw("star", seed=12, index=1), "json")
    assert "strokes kept: 1" in (folder / "one.svg").read_text()
    assert "the first 1 kept" in result.stdout


def test_out_is_the_file_to_save_to(folder):
    """Where save names none; the knobs of the command line hold all the time."""
    assert refine("draw\nsave\n", "--out", "star.json", "--top-k", "1").exit_code == 0
    record = json.loads((folder / "star.json").read_text())
    assert (record["index"], record["how"]) == (1, "top 1")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("dance", "'dance': is no command; help lists them"),
        ("keep", "keep '': is not a whole number; write keep 3"),
        ("keep 99", "keep 99: the drawing has "),
        ("keep " + "9" * 4000, "strokes; choose"),
        ("temperature warm", "temperature 'warm': is not a number"),
        ("temperature nan", "temperature nan: choose a number, 0 to 10"),
        ("seed 1.5", "seed '1.5': is not a whole number"),
        ("class owl", "class 'owl': is not among"),
        ("class \udcff", "class '\ufffd': is not among"),
        ("class \x1b[2J", "class '\\x1b[2J': is not among"),
        ("save", "save: name the file"),
        ("save no/star.svg", "no/star.svg: the folder "),
        ("save star.gcode", "star.gcode: cannot be saved to from here"),
        ("undo\nundo", "undo: there is no step to take back"),
        ("undo\nsave a.svg", "save: there is no drawing yet"),
    ],
)
def test_what_cannot_be_done_is_said_and_work_goes_on(folder, command, message):
    """One line for it; the session ends well and leaves no file."""
    result = refine(f"{command}\nstrokes\n")
    assert result.exit_code == 0
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--vary", "a.json"], "--vary: does not go with --refine"),
        (["--page", "a4"], "--page: does not go with --refine"),
        (["--scene", "a.toml"], "--scene: does not go with --refine"),
        (["-c", "cat"], "--refine: works on one drawing"),
        (["-o", "no/a.svg"], "no/a.svg: the folder "),
        (["-o", "a.gcode"], "a.gcode: cannot be saved to from here"),
    ],
)
def test_bad_options_are_refused(folder, args, message):
    """Exit code 2 and one line, before anything is drawn."""
    result = refine("draw\n", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {message}")


def test_help_lists_the_commands():
    """Each of them."""
    listed = refine("help\n").stdout
    for command in (
        "draw",
        "keep N",
        "strokes",
        "temperature T",
        "class NAME",
        "seed N",
        "undo",
        "save [FILE]",
        "quit",
    ):
        assert f"\n{command} " in f"\n{listed}"


def test_what_is_over_the_longest_line_is_no_command(folder):
    """A line of a million characters is one mistake, whatever stands at its end."""
    result = refine("x" * 5000 + "save a.svg\n" + "y" * 10**6 + "\nsave b.svg\n")
    assert result.exit_code == 0
    assert result.stderr.count("is no command") == 2
    assert [path.name for path in folder.iterdir()] == ["b.svg"]
