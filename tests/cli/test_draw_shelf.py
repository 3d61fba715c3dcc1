"""sketch-draw --model FOLDER: all bundles of a folder, as one."""

import json
import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from sketch_edge.cli.draw import main
from sketch_edge.runtime.bundle import read_bundle, write_bundle
from tests.cli import drawing

TINY = Path(__file__).parents[1] / "data" / "tiny-whole.sketch.zip"
draw, drawn = (partial(run, model="models") for run in (drawing.draw, drawing.drawn))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working folder with two bundles in models/; both know a cat."""
    monkeypatch.chdir(tmp_path)
    bundle = read_bundle(TINY)
    Path("models").mkdir()
    for name, classes, most in (("one", ("cat", "house", "star"), 120), ("two", ("dog", "cat", "sun"), 9)):
        sizes = replace(bundle.manifest.sizes, max_points=most)
        manifest = replace(bundle.manifest, name=name, classes=classes, sizes=sizes)
        write_bundle(f"models/{name}.sketch.zip", manifest, bundle.members)
    return tmp_path


def test_all_classes_are_listed():
    """Those of two bundles with the bundle's name."""
    assert drawn("--list").stdout == "one/cat\nhouse\nstar\ndog\ntwo/cat\nsun\n"


def test_a_page_mixes_bundles_and_can_be_had_again(folder):
    """The command that is printed draws the same bytes."""
    result = drawn("-c", "house", "-c", "two/cat", "--layout", "row", "--out", "row.svg")
    assert "2 sketches by 2 bundles of models on " in result.stderr
    first = Path("row.svg").read_bytes()
    again = shlex.split(result.stderr.split("again: ")[1])
    assert CliRunner().invoke(main, again[1:]).exit_code == 0
    assert Path("row.svg").read_bytes() == first


def test_files_of_their_own_are_named_by_the_class():
    """The class as its bundle knows it; a slash would be a folder."""
    drawn("-c", "two/cat", "-c", "dog", "--seed", "1", "--out", "{class}-{i}.svg")
    assert sorted(path.name for path in Path().glob("*.svg")) == ["cat-0.svg", "dog-1.svg"]


def test_a_sketch_says_which_bundle_drew_it():
    """In json, as a bundle alone would have it."""
    drawn("-c", "dog", "--seed", "3", "--out", "dog.json")
    shelf = json.loads(Path("dog.json").read_text())
    alone = CliRunner().invoke(
        main, ["-c", "dog", "--seed", "3", "--out", "a.json", "--model", "models/two.sketch.zip"]
    )
    assert alone.exit_code == 0
    assert json.loads(Path("a.json").read_text()) == shelf


def test_where_sketches_are_cut_is_said_of_the_bundles_drawn_from():
    """They may differ."""
    assert "cut at 9 points" in drawn("-c", "dog", "--count", "9", "--seed", "1", "--out", "d.svg").stderr
    both = drawn("-c", "dog", "-c", "house", "--count", "9", "--seed", "1", "--out", "d.svg").stderr
    assert "cut at 9 to 120 points" in both
    given = drawn("-c", "dog", "--count", "9", "--seed", "1", "--max-points", "5", "--out", "d.svg").stderr
    assert "cut at 5 points" in given


def test_a_scene_mixes_bundles():
    """Objects name their classes as --class does."""
    Path("scene.toml").write_text(
        'format = 1\n[[object]]\nclass = "house"\n\n[[object]]\nclass = "two/cat"\nright-of = "house"\n\n'
        '[[object]]\nclass = "dog"\nleft-of = "house"\n'
    )
    assert "3 sketches" in drawn("--scene", "scene.toml", "--seed", "4", "--out", "scene.svg").stderr
    Path("scene.toml").write_text('format = 1\n[[object]]\nclass = "cat"\n')
    result = draw("--scene", "scene.toml", "--out", "scene.svg")
    assert result.exit_code == 2
    assert "choose one of one/cat, two/cat" in result.stderr


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (
            ["-c", "cat", "--out", "x.svg"],
            "error: class 'cat': is in 2 bundles of models; choose one of one/cat, two/cat",
        ),
        (["-c", "cow", "--out", "x.svg"], "error: class 'cow': is not among the 6 classes of models"),
        (["-c", "dog", "--out", "x.svg", "--preview", "models/one.sketch.zip", "--machine", "grbl-servo"], "error: "),
    ],
)
def test_what_cannot_be_meant_is_refused(folder, args, what):
    """In one line, and every bundle stays what it was."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    result = draw(*args)
    assert result.exit_code == 2, result.output
    assert what in result.stderr
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_picture_is_not_written_over_a_bundle(folder):
    """Not even by another name of it."""
    Path("cat.svg").symlink_to("models/one.sketch.zip")
    result = draw("-c", "dog", "--out", "cat.svg")
    assert result.exit_code == 2
    assert "is a bundle of the folder itself" in result.stderr


def test_an_empty_folder_is_refused():
    """With what was looked for."""
    Path("empty").mkdir()
    for more in (["--list"], ["-c", "dog", "--out", "x.svg"]):
        result = CliRunner().invoke(main, [*more, "--model", "empty"])
        assert result.exit_code == 2
        assert "error: empty: holds 0 files that end in .sketch.zip" in result.stderr
