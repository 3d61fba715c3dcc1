"""sketch-draw --best-of: what is chosen, when it is by itself, and that the command printed draws the same again."""

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sketch_edge.cli.draw import main
from sketch_edge.cli.draw_options import BEST_OF
from sketch_edge.runtime.artist import load
from sketch_edge.runtime.writers import render
from tests.cli.drawing import TINY, draw, drawn

OBJECTS = '[[object]]\nclass = "star"\n[[object]]\nclass = "cat"\n'
SCENE = f"format = 1\n{OBJECTS}"
pytestmark = pytest.mark.usefixtures("folder")


def again(result: Result) -> list[str]:
    """The words of the command that was printed."""
    return shlex.split(result.stderr.split("again: ")[1])[1:]


def recipes(path: Path) -> list[tuple[int, int]]:
    return [(each["seed"], each["index"]) for each in map(json.loads, path.read_text().splitlines())]


def test_it_writes_what_the_library_chooses(folder):
    result = drawn("-c", "star", "--seed", "12", "--best-of", "5", "-o", "star.svg")
    chosen = load(TINY).draw("star", seed=12, best_of=5)
    assert (folder / "star.svg").read_bytes() == render(chosen, "svg", page="100x100mm")
    assert result.stderr.splitlines()[0].endswith(", best of 5")


def test_of_several_each_is_chosen(folder):
    drawn("-c", "star", "-c", "cat", "--count", "2", "--seed", "12", "--best-of", "3", "--index", "4", "-o", "a.json")
    chosen = load(TINY).draw_many(["star", "star", "cat", "cat"], seed=12, first_index=4, best_of=3)
    assert recipes(folder / "a.json") == [(12, each.index) for each in chosen]


def test_left_alone_it_chooses(folder):
    """Nothing said: a random seed, and the best of some."""
    result = drawn("-c", "star", "--count", "3", "-o", "a.json")
    assert f", best of {BEST_OF}\n" in result.stderr
    seed = recipes(folder / "a.json")[0][0]
    chosen = load(TINY).draw_many(["star"] * 3, seed=seed, best_of=BEST_OF)
    assert recipes(folder / "a.json") == [(seed, each.index) for each in chosen]


@pytest.mark.parametrize(
    "words",
    [
        ("--seed", "3"),
        ("--seed", "0"),
        ("--index", "2"),
        ("--index", "0"),
        ("--temperature", "0.5"),
        ("--best-of", "1"),
    ],
)
def test_what_was_meant_so_is_drawn_so(folder, words):
    result = drawn("-c", "star", "-o", "a.json", *words)
    assert "best of" not in result.stderr
    [(seed, index)] = recipes(folder / "a.json")
    assert index == (2 if "2" in words else 0)
    assert again(result)[-2:] == ["--seed", str(seed)]


@pytest.mark.parametrize(
    "words",
    [
        ("-c", "star", "-o", "a.svg"),
        ("-c", "star", "-c", "cat", "--count", "3", "-o", "a.svg", "--labels"),
        ("-c", "star", "-c", "cat", "--layout", "scatter", "-o", "a.svg"),
        ("-c", "star", "--best-of", "3", "-o", "a.svg"),
        ("-c", "star", "--best-of", "1", "-o", "a.svg"),
        ("-c", "star", "--best-of", "3", "--index", "9", "--temperature", "0.4", "-o", "a.svg"),
        ("--scene", "page.toml", "-o", "a.svg"),
        ("--scene", "page.toml", "--best-of", "2", "-o", "a.svg"),
        ("-c", "star", "--count", "2", "--format", "json", "-o", "a.svg"),
        ("-c", "star", "--steps", "2x2", "-o", "a.svg"),
        ("-c", "star", "-c", "cat", "--machine", "grbl-servo", "--format", "gcode", "-o", "a.svg"),
        ("-c", "star", "--live", "--speed", "0", "-o", "a.svg"),
    ],
)
def test_the_command_that_is_printed_draws_the_same(folder, words):
    (folder / "page.toml").write_text(SCENE)
    command = again(drawn(*words))
    first = (folder / "a.svg").read_bytes()
    (folder / "a.svg").unlink()
    result = CliRunner().invoke(main, command, prog_name="sketch-draw")
    assert result.exit_code == 0, result.stderr
    assert (folder / "a.svg").read_bytes() == first
    assert again(result) == command


def test_labels_have_the_numbers_by_which_each_is_drawn_alone(folder):
    drawn("-c", "star", "--count", "2", "--seed", "4", "--best-of", "8", "--labels", "-o", "a.svg")
    chosen = load(TINY).draw_many(["star"] * 2, seed=4, best_of=8)
    assert chosen[1].index >= 8
    assert [int(number) for number in re.findall(r"star (\d+)", (folder / "a.svg").read_text())][-2:] == [
        each.index for each in chosen
    ]


def test_a_scene_is_chosen_where_it_leaves_that_open(folder):
    """One with a seed or a temperature was made to look as it does, and one of given things has nothing to choose."""
    page = folder / "page.toml"
    page.write_text(SCENE)
    words = ("--scene", "page.toml", "-o", "a.svg")
    assert f", best of {BEST_OF}\n" in drawn(*words).stderr
    assert "best of" not in drawn(*words, "--seed", "4").stderr
    for content in (f"seed = 3\n{OBJECTS}", f"temperature = 0.3\n{OBJECTS}", f"{OBJECTS}temperature = 0.3\n"):
        page.write_text(f"format = 1\n{content}")
        assert "best of" not in drawn(*words).stderr
        assert ", best of 4\n" in drawn(*words, "--best-of", "4").stderr
    page.write_text('format = 1\n[[object]]\nclass = "star"\nseed = 1\n[[object]]\nlines = [[[0, 0], [9, 9]]]\n')
    assert "best of" not in drawn(*words).stderr
    assert "best of" not in drawn(*words, "--best-of", "4").stderr


def test_a_scene_file_can_say_it(folder):
    """With the seed that was printed, the file alone draws the page again."""
    page = folder / "page.toml"
    page.write_text(SCENE)
    words = ("--scene", "page.toml", "-o", "a.svg")
    seed = again(drawn(*words))[-1]
    first = (folder / "a.svg").read_bytes()
    page.write_text(f"format = 1\nseed = {seed}\nbest-of = {BEST_OF}\n{OBJECTS}")
    assert f", best of {BEST_OF}\n" in drawn(*words).stderr
    assert (folder / "a.svg").read_bytes() == first
    assert "best of" not in drawn(*words, "--best-of", "1").stderr
    assert (folder / "a.svg").read_bytes() != first


@pytest.mark.parametrize("value", ["0", "101", "2.0", "true", '"8"'])
def test_a_scene_file_that_says_it_wrong(folder, value):
    (folder / "page.toml").write_text(f"format = 1\nbest-of = {value}\n{OBJECTS}")
    result = draw("--scene", "page.toml", "-o", "a.svg")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: page.toml:best-of: is ")
    assert result.stderr.endswith(" (expected a whole number, 1 to 100)\n")


def test_given_things_do_not_count(folder):
    """Only what is drawn is bounded."""
    lines = "[[object]]\nlines = [[[0, 0], [9, 9]]]\ncount = 1200\n"
    (folder / "page.toml").write_text(f'format = 1\nlayout = "grid"\n{lines}[[object]]\nclass = "star"\n')
    assert ", best of 90\n" in drawn("--scene", "page.toml", "--best-of", "90", "-o", "a.svg").stderr


def test_of_very_many_none_is_chosen(folder):
    assert "best of" in drawn("-c", "star", "--count", "100", "-o", "a.json").stderr
    assert "best of" not in drawn("-c", "star", "--count", "101", "-o", "a.json").stderr


def test_files_of_their_own_are_numbered_from_nought(folder):
    drawn("-c", "star", "--count", "3", "--seed", "1", "--best-of", "8", "-o", "star-{i}.json")
    assert sorted(path.name for path in folder.iterdir()) == ["star-0.json", "star-1.json", "star-2.json"]
    chosen = load(TINY).draw_many(["star"] * 3, seed=1, best_of=8)
    assert [recipes(folder / f"star-{number}.json")[0][1] for number in range(3)] == [each.index for each in chosen]


def test_no_file_that_is_read_is_written_over(folder):
    """Whatever the number of a chosen sketch is, the names are those that were looked at before."""
    for each in load(TINY).draw_many(["star"] * 2, seed=1, best_of=8):
        model = folder / f"m-{each.index}.json"
        model.write_bytes(TINY.read_bytes())
        words = ["-c", "star", "--count", "2", "--seed", "1", "--best-of", "8", "-o", "m-{i}.json"]
        CliRunner().invoke(main, [*words, "--model", str(model)], prog_name="sketch-draw")
        assert model.read_bytes() == TINY.read_bytes()
        model.unlink()


def test_it_can_be_watched(folder):
    """What is seen is what is written, point by point."""
    words = ("-c", "star", "--seed", "12", "--best-of", "6", "--live", "--speed", "0")
    index = load(TINY).draw("star", seed=12, best_of=6).index
    assert index > 0
    single = drawn("-c", "star", "--seed", "12", "--index", str(index), "--live", "--speed", "0")
    assert drawn(*words).stdout == single.stdout
    drawn(*words, "-o", "a.json")
    assert recipes(folder / "a.json") == [(12, index)]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("-c", "star", "--best-of", "0"), "--best-of"),
        (("-c", "star", "--best-of", "101"), "--best-of"),
        (("-c", "star", "--best-of", "x"), "--best-of"),
        (("--finish", "a.json", "--best-of", "3"), "--best-of: does not go with --finish"),
        (("--vary", "a.json", "--best-of", "1"), "--best-of: does not go with --vary"),
        (("-c", "star", "--refine", "--best-of", "3"), "--best-of: does not go with --refine"),
        (("-c", "star", "--count", "10000", "--best-of", "11"), "--best-of: would draw 110000 sketches"),
        (("-c", "star", "--best-of", "3", "--index", str(2**64 - 2)), f"--index: {2**64 - 2} leaves no room for 3"),
    ],
)
def test_what_cannot_be(folder, words, line):
    result = draw(*words, "-o", "out.svg")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {line}")
    assert result.stderr.count("\n") == 1
    assert not list(folder.iterdir())
