"""sketch-draw and what a bundle says of single classes: their temperatures, and which of them it hides."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from click.testing import Result

from sketch_edge.runtime.artist import load
from sketch_edge.runtime.bundle import read_bundle, write_bundle
from tests.cli import drawing

TINY = read_bundle(Path(__file__).parents[1] / "data" / "tiny-whole.sketch.zip")
CAT_ALONE = "note: 1 more class is drawn poorly and hidden; --list --all shows it\n"
draw, drawn = (partial(run, model="m.sketch.zip") for run in (drawing.draw, drawing.drawn))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in an empty folder but for a bundle that hides its cat, and draws stars at a temperature of their own."""
    monkeypatch.chdir(tmp_path)
    hide("m.sketch.zip", "cat")
    return tmp_path


def hide(path: str, *names: str) -> None:
    """Write such a bundle."""
    defaults = replace(TINY.manifest.defaults, temperatures={"star": 0.15})
    write_bundle(path, replace(TINY.manifest, defaults=defaults, hidden=names), TINY.members)


def notes(result: Result) -> list[str]:
    return [line for line in result.stderr.splitlines() if line.startswith("note: ")]


# --- hidden classes -----------------------------------------------------------------------------------------------


def test_list_leaves_hidden_classes_out():
    """Names alone go to standard output; how many more there are is said beside it."""
    result = drawn("--list")
    assert (result.stdout, result.stderr) == ("palm tree\nstar\n", CAT_ALONE)
    hide("two.sketch.zip", "cat", "star")
    assert drawn("--list", model="two.sketch.zip").stderr == (
        "note: 2 more classes are drawn poorly and hidden; --list --all shows them\n"
    )


def test_list_all_marks_hidden_classes():
    """In their place among the others."""
    result = drawn("--list", "--all")
    assert (result.stdout, result.stderr) == ("cat (hidden)\npalm tree\nstar\n", "")


def test_a_folder_lists_what_its_bundles_list():
    """A class that only one of two bundles hides is listed once."""
    Path("models").mkdir()
    for name, hidden in (("a", ["cat"]), ("b", [])):
        hide(f"models/{name}.sketch.zip", *hidden)
    result = drawn("--list", model="models")
    assert result.stdout.split("\n") == ["a/palm tree", "a/star", "b/cat", "b/palm tree", "b/star", ""]
    assert result.stderr == CAT_ALONE
    assert drawn("--list", "--all", model="models").stdout.startswith("a/cat (hidden)\na/palm tree\n")
    assert [len(notes(drawn("-c", name, "-o", "x.svg", model="models"))) for name in ("a/cat", "b/cat")] == [1, 0]


def test_all_is_refused_without_list():
    """It would do nothing."""
    for more in ([], ["-c", "star"], ["--list-machines"], ["--refine", "-c", "star"]):
        result = draw("--all", *more)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == "error: --all: goes with --list, to name hidden classes too; leave it out\n"


def test_a_hidden_class_is_drawn_with_a_note():
    """One line for all of them, however they are written; none for others."""
    source = load("m.sketch.zip").source
    note = f"note: {source} draws cat poorly; --list names what it draws well"
    assert notes(drawn("-c", "CAT", "-c", "cat", "-c", "star", "--seed", "1", "--out", "a.svg")) == [note]
    assert notes(drawn("-c", "star", "--seed", "1", "--out", "a.svg")) == []
    assert notes(drawn("-c", "cat", "--seed", "1", "--out", "{i}.svg", "--count", "3")) == [note]


def test_a_long_list_of_hidden_classes_is_cut():
    """The first five are named."""
    classes = tuple("abcdefgh")
    manifest = replace(TINY.manifest, classes=classes[:3])
    assert len(manifest.classes) == 3
    Path("many").mkdir()
    for number in range(4):
        names = tuple(f"{name}{number}" for name in classes[:3])
        write_bundle(f"many/{number}.sketch.zip", replace(manifest, classes=names, hidden=names[:2]), TINY.members)
    chosen = [word for number in range(4) for name in "ab" for word in ("-c", f"{name}{number}")]
    said = notes(drawn(*chosen, "--out", "a.svg", model="many"))
    assert said == [
        "note: 4 bundles of many draws a0, b0, a1, b1, a2 and 3 more poorly; --list names what it draws well"
    ]


def test_scenes_drawing_together_and_refining_say_it_too():
    """Wherever the model draws the class; not where a drawing is given and it draws another."""
    Path("scene.toml").write_text('format = 1\n[[object]]\nclass = "cat"\n[[object]]\nclass = "star"\n')
    assert len(notes(drawn("--scene", "scene.toml", "--out", "a.svg"))) == 1
    drawn("-c", "cat", "--seed", "1", "--out", "cat.json")
    assert len(notes(drawn("--vary", "cat.json", "--out", "a.svg"))) == 1
    assert notes(drawn("--vary", "cat.json", "-c", "star", "--out", "a.svg")) == []
    assert len(notes(drawn("--refine", "-c", "star", text="class cat\ndraw\nclass star\n"))) == 1
    assert len(notes(drawn("--refine", "-c", "cat"))) == 1


# --- temperatures of classes --------------------------------------------------------------------------------------


def test_every_format_tells_the_temperature_that_was_used():
    """That of the class in records, in descriptions and in the terminal; that of --temperature where it is given."""
    records = drawn(
        "-c", "star", "-c", "palm tree", "--seed", "1", "--out", "-", "--format", "json"
    ).stdout.splitlines()
    assert [json.loads(record)["temperature"] for record in records] == [0.15, 0.4]
    for args, tau in (([], "0.15"), (["--temperature", "0.3"], "0.3")):
        drawn("-c", "star", "--seed", "1", *args, "--out", "a.svg")
        assert f"star, seed 1, sketch 0, temperature {tau}, drawn by" in Path("a.svg").read_text()
        assert f"temperature {tau}:" in drawn("--refine", "-c", "star", *args).stdout


def test_a_page_is_that_of_the_single_drawings(folder):
    """Sketch by sketch, with temperatures mixed on it."""
    drawn("-c", "star", "-c", "cat", "--count", "5", "--seed", "1", "--out", "page.json")
    records = [json.loads(line) for line in Path("page.json").read_text().splitlines()]
    for record in records[3:8]:
        single = ["-c", record["word"], "--index", str(record["index"]), "--seed", "1", "--out", "one.json"]
        drawn(*single, "--temperature", str(record["temperature"]))
        assert json.loads(Path("one.json").read_text()) == record
    assert {record["temperature"] for record in records} == {0.15, 0.4}
