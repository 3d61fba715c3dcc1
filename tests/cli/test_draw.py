"""sketch-draw: what it writes, what it says, what it refuses."""

import json
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sketch_edge.cli import draw as module
from sketch_edge.cli.draw import main
from sketch_edge.runtime.artist import load
from sketch_edge.runtime.errors import InputError, UnfinishedError
from sketch_edge.runtime.layout import LAYOUTS
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.plot.order import ORDERS
from sketch_edge.runtime.provider import CHOICES
from sketch_edge.runtime.scenes.composition import SIZES
from sketch_edge.runtime.writers import FORMATS, render, write_standard_output
from tests.cli.drawing import TINY, draw, drawn

STAR = ("--class", "star", "--seed", "12")
pytestmark = pytest.mark.usefixtures("folder")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- what it writes -----------------------------------------------------------------------------------------------


def test_it_writes_what_the_library_draws(folder):
    """One class, one seed: the bytes of Artist.draw and render."""
    drawn(*STAR, "--out", "star.svg")
    sketch = load(TINY).draw("star", seed=12)
    assert (folder / "star.svg").read_bytes() == render(sketch, "svg", page="100x100mm")


@pytest.mark.parametrize("suffix", ["svg", "png", "json"])
def test_the_suffix_picks_the_format_and_equal_runs_give_equal_bytes(folder, suffix):
    """Twice the same command, twice the same file."""
    layout = [] if suffix == "json" else ["--layout", "scatter"]
    for name in ("one", "two"):
        drawn(*STAR, "--count", "3", *layout, "--out", f"{name}.{suffix}")
    one, two = ((folder / f"{name}.{suffix}").read_bytes() for name in ("one", "two"))
    assert one == two
    assert one.startswith({"svg": b"<?xml", "png": b"\x89PNG", "json": b'{"word": "star"'}[suffix])


def test_standard_output(folder):
    """- writes the file to standard output and nothing but the file."""
    result = drawn(*STAR, "--format", "json", "--out", "-")
    assert json.loads(result.stdout)["seed"] == 12
    assert names(folder) == []
    assert drawn(*STAR, "--out", "-").stdout.startswith("<?xml")


def test_format_is_stronger_than_the_suffix(folder):
    """--format png writes a PNG, whatever the file is called."""
    drawn(*STAR, "--format", "png", "--out", "star.data")
    assert (folder / "star.data").read_bytes().startswith(b"\x89PNG")


def test_classes_and_count_make_one_page(folder):
    """Two classes, three of each, class after class, with one index after the other."""
    drawn("-c", "cat", "-c", "Palm-Tree", "--count", "3", "--seed", "5", "-o", "all.json")
    records = [json.loads(line) for line in (folder / "all.json").read_text().splitlines()]
    assert [record["word"] for record in records] == ["cat"] * 3 + ["palm tree"] * 3
    assert [record["index"] for record in records] == list(range(6))


def test_index_picks_one_of_many(folder):
    """Sketch 4 of a sheet can be had alone."""
    drawn("-c", "cat", "--count", "6", "--seed", "5", "-o", "all.json")
    drawn("-c", "cat", "--index", "4", "--seed", "5", "-o", "one.json")
    assert (folder / "one.json").read_text() == (folder / "all.json").read_text().splitlines(keepends=True)[4]


def test_a_file_for_each_sketch(folder):
    """{i} is the number, as wide as the last one, {class} the class in plain letters."""
    drawn("-c", "PALM tree", "-c", "cat", "--count", "6", "--seed", "5", "-o", "{class}-{i}.svg")
    assert names(folder) == [f"cat-{i:02}.svg" for i in range(6, 12)] + [f"palm_tree-{i:02}.svg" for i in range(6)]
    sketch = load(TINY).draw("cat", seed=5, index=7)
    assert (folder / "cat-07.svg").read_bytes() == render(sketch, "svg", page="100x100mm")


def test_page_margin_landscape_and_layout_reach_the_file(folder):
    """The page has the size and direction that was asked for, the sketches stand in a row."""
    drawn(
        *STAR,
        "--count",
        "2",
        "--page",
        "a5",
        "--landscape",
        "--margin",
        "1cm",
        "--layout",
        "row",
        "--sizes",
        "equal",
        "-o",
        "a.svg",
    )
    root = ET.parse(folder / "a.svg").getroot()
    assert (root.get("width"), root.get("height")) == ("210mm", "148mm")
    sketches = [load(TINY).draw("star", seed=12, index=i) for i in (0, 1)]
    page = Page(210, 148, 10)
    assert (folder / "a.svg").read_bytes() == render(sketches, "svg", page=page, layout="row")


def test_background_and_width_reach_the_picture(folder):
    """A PNG as wide as asked for, on the colour asked for."""
    from PIL import Image

    drawn(*STAR, "--width-px", "64", "--background", "#ff0000", "-o", "red.png")
    with Image.open(folder / "red.png") as picture:
        assert picture.size == (64, 64)
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 0, 0)
    drawn(*STAR, "--background", "transparent", "-o", "clear.png")
    with Image.open(folder / "clear.png") as picture:
        assert picture.mode == "RGBA"
    drawn(*STAR, "--background", "yellow", "-o", "yellow.svg")
    assert b"<rect" in (folder / "yellow.svg").read_bytes()


def test_temperature_and_most_points_reach_the_sketch(folder):
    """As in the library."""
    drawn(*STAR, "--temperature", "0.9", "--max-points", "5", "-o", "a.json")
    sketch = load(TINY).draw("star", seed=12, temperature=0.9, max_points=5)
    assert (folder / "a.json").read_bytes() == render(sketch, "json")


@pytest.mark.parametrize("option", [("--threads", "2"), ("--provider", "cpu"), ("--provider", "auto")])
def test_where_it_is_computed_changes_nothing(folder, option):
    """The same bytes with two threads, or with the CPU asked for by name."""
    drawn(*STAR, "-o", "one.svg")
    drawn(*STAR, *option, "-o", "two.svg")
    assert (folder / "one.svg").read_bytes() == (folder / "two.svg").read_bytes()


def test_an_old_file_is_replaced(folder):
    """The new file takes its place, nothing else is left."""
    (folder / "star.svg").write_text("old")
    drawn(*STAR, "-o", "star.svg")
    assert names(folder) == ["star.svg"]
    assert (folder / "star.svg").read_bytes().startswith(b"<?xml")


# --- what it says -------------------------------------------------------------------------------------------------


def test_list_names_the_classes():
    """One a line, on standard output."""
    result = drawn("--list")
    assert result.stdout == "cat\npalm tree\nstar\n"
    assert result.stderr == ""


def test_a_random_seed_is_printed_with_the_command_that_uses_it(folder):
    """Without --seed: the printed command, typed again, gives the same file."""
    result = drawn("-c", "palm tree", "--count", "2", "--landscape", "-o", "one.svg")
    one = (folder / "one.svg").read_bytes()
    (folder / "one.svg").unlink()
    said, again = result.stderr.splitlines()[-1].split("; again: ")
    words = shlex.split(again)
    assert words[0] == "sketch-draw"
    assert said == f"seed {words[-1]}"
    assert CliRunner().invoke(main, words[1:]).exit_code == 0
    assert (folder / "one.svg").read_bytes() == one


def test_it_says_what_drew_and_where():
    """Name and hash of the bundle, and the provider that auto took."""
    assert f"a.svg: 1 sketch by {load(TINY).source} on cpu\n" in drawn(*STAR, "-o", "a.svg").stderr
    assert "b.svg: 2 sketches by tiny" in drawn(*STAR, "--count", "2", "-o", "b.svg").stderr


def test_it_says_when_sketches_were_cut():
    """A sketch that the model would have gone on with."""
    assert (
        "note: 1 of 1 cut at 5 points, where the model would have gone on"
        in drawn(*STAR, "--max-points", "5", "-o", "a.svg").stderr
    )
    assert "cut" not in drawn(*STAR, "-o", "a.svg").stderr


def test_the_help_has_an_example_and_every_option():
    """Every option has a sentence; examples keep their lines."""
    text = CliRunner().invoke(main, ["--help"]).stdout
    assert "\n      sketch-draw --class star --out star.svg\n" in text
    for option in main.params:
        assert isinstance(option, click.Option)
        assert option.help
        assert option.opts[-1] in text


def test_choices_are_those_of_the_library():
    """They are written out so that the help needs no numpy; this keeps them equal."""
    choices = {
        option.name: list(option.type.choices) for option in main.params if isinstance(option.type, click.Choice)
    }
    assert sorted(choices["format"]) == sorted(FORMATS)
    assert choices["order"] == list(ORDERS)
    assert choices["sizes"] == list(SIZES)
    assert choices["provider"] == list(CHOICES)
    assert sorted(choices["layout"]) == sorted(LAYOUTS)


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["--list", "--model", str(TINY)]])
def test_help_and_list_are_quick(args):
    """Neither needs numpy or onnxruntime."""
    code = (
        "import sys\nfrom sketch_edge.cli.draw import main\n"
        f"try:\n    main({args!r}, prog_name='sketch-draw')\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('numpy', 'onnxruntime', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.endswith("[]\n")


def test_the_bar_shows_on_a_terminal_only(monkeypatch):
    """Many sketches and somebody who watches."""
    assert "drawing" not in drawn(*STAR, "--count", "16", "-o", "a.json").stderr
    monkeypatch.setattr(module, "BAR_FROM", 2)
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True, raising=False)
    assert "drawing" in drawn(*STAR, "--count", "2", "-o", "a.json").stderr


# --- what it refuses ----------------------------------------------------------------------------------------------

REFUSED = [
    ([], "--class: missing; name what to draw"),
    (["-c", "star"], "--out: missing; name the file to write"),
    (["-c", "stra", "-o", "a.svg"], "class 'stra': is not among the 3 classes of tiny; the nearest: star"),
    (["-c", "", "-o", "a.svg"], "class '': is not among"),
    (["-c", "a\nb\x1b[2J", "-o", "a.svg"], "class 'a\\nb\\x1b[2J': is not among"),
    ([*STAR, "-o", "a.xyz"], "a.xyz: the suffix '.xyz' is unknown; end the name in one of .svg"),
    ([*STAR, "-o", "a"], "a: there is no suffix"),
    ([*STAR, "-o", ""], ": there is no suffix"),
    ([*STAR, "-o", "no/a.svg"], "no/a.svg: the folder "),
    ([*STAR, "-o", ".", "--format", "svg"], ".: is a folder"),
    ([*STAR, "-o", "x" * 300 + ".svg"], "x.svg: cannot be used as a file name"),
    ([*STAR, "-o", "{i}/a.svg"], "0/a.svg: the folder "),
    ([*STAR, "--count", "2", "-o", "{class}.svg"], "--out: several sketches would be written to star.svg"),
    ([*STAR, "-o", "a.svg", "--format", "bmp"], "--format: 'bmp' is not one of"),
    ([*STAR, "-o", "a.svg", "--count", "0"], "--count: 0 is not in the range"),
    ([*STAR, "-o", "a.svg", "--count", "10001"], "--count: 10001 is not in the range"),
    (["-c", "star", *STAR, "-o", "a.svg", "--count", "6000"], "--count: would make 12000 sketches (at most 10000)"),
    ([*STAR, "-o", "a.svg", "--seed", "-1"], "--seed: -1 is not in the range"),
    ([*STAR, "-o", "a.svg", "--seed", "18446744073709551616"], "--seed: 18446744073709551616 is not in the range"),
    ([*STAR, "-o", "a.svg", "--seed", "x"], "--seed: 'x' is no whole number; try"),
    ([*STAR, "-o", "a.svg", "--index", "-1"], "--index: -1 is not in the range"),
    ([*STAR, "-o", "a.svg", "--index", str(2**64 - 1), "--count", "2"], "--index: 18446744073709551615 leaves no room"),
    ([*STAR, "-o", "a.svg", "--temperature", "10.1"], "--temperature: 10.1 is not in the range"),
    ([*STAR, "-o", "a.svg", "--temperature", "nan"], "--temperature: nan is no finite number"),
    ([*STAR, "-o", "a.svg", "--temperature", "warm"], "--temperature: 'warm' is no number; try"),
    ([*STAR, "-o", "a.svg", "--max-points", "0"], "--max-points: 0 is not in the range"),
    ([*STAR, "-o", "a.svg", "--layout", "heap"], "--layout: 'heap' is not one of"),
    ([*STAR, "-o", "a.svg", "--layout", "scatter", "--count", "301"], "--layout: scatter is for at most 300"),
    ([*STAR, "-o", "a.svg", "--page", "a9"], "page 'a9': is unknown"),
    ([*STAR, "-o", "a.svg", "--page", "99999x1mm"], "page: the width is 99999 mm"),
    ([*STAR, "-o", "a.svg", "--margin", "5"], "margin '5': is no length"),
    ([*STAR, "-o", "a.svg", "--margin", "60mm"], "page: the margin is 60 mm"),
    ([*STAR, "-o", "a.svg", "--background", "sky"], "colour 'sky': is unknown"),
    ([*STAR, "-o", "a.svg", "--background", "transparent"], "colour 'transparent': is unknown"),
    ([*STAR, "-o", "a.svg", "--width-px", "100"], "--width-px: does not go with svg"),
    ([*STAR, "-o", "a.png", "--width-px", "20001"], "--width-px: 20001 is not in the range"),
    ([*STAR, "-o", "a.png", "--width-px", "20000"], "png: would be 20000 x 20000 pixels"),
    ([*STAR, "-o", "a.json", "--page", "a4"], "--page: does not go with json"),
    ([*STAR, "-o", "a.json", "--landscape"], "--landscape: does not go with json"),
    ([*STAR, "-o", "a.json", "--layout", "row"], "--layout: does not go with json"),
    ([*STAR, "-o", "a.json", "--margin", "1mm"], "--margin: does not go with json"),
    ([*STAR, "-o", "a.json", "--background", "red"], "--background: does not go with json"),
    ([*STAR, "-o", "a.svg", "--provider", "tpu"], "--provider: 'tpu' is not one of"),
    ([*STAR, "-o", "a.svg", "--threads", "0"], "--threads: 0 is not in the range"),
    ([*STAR, "-o", "a.svg", "--threads", "65"], "--threads: 65 is not in the range"),
    ([*STAR, "-o", "a.svg", "--colour", "red"], "--colour: no such option"),
    (["star", "-o", "a.svg"], "star: belongs to no option; to draw it write --class star; a name of several words is"),
    (["-c", "palm", "tree", "-o", "a.svg"], "tree: belongs to no option; to draw it write --class tree; a name of"),
    (["list"], "list: belongs to no option; write --list\n"),
    (["\N{EM DASH}class", "star", "-o", "a.svg"], "\N{EM DASH}class: belongs to no option; an option begins with two"),
    (
        ["-c", "star,Cat", "-o", "a.svg"],
        "class 'star,Cat': is not among the 3 classes of tiny; name one class at a time",
    ),
    (["-c", "star,owl", "-o", "a.svg"], "class 'star,owl': is not among the 3 classes of tiny; the nearest: star"),
    ([*STAR, "-o", "{i}.svg", "--layout", "row"], "--layout: each sketch gets a file of its own"),
]


def test_a_missing_bundle_is_bad_input_also_where_the_drawing_exists(folder):
    """An old drawing under the name of --out changes nothing about the refusal, and stays."""
    (folder / "a.svg").write_text("old")
    result = draw(*STAR, "-o", "a.svg", model=folder / "nothing.sketch.zip")
    assert result.exit_code == 2
    assert "nothing.sketch.zip: no such file" in result.stderr
    assert (folder / "a.svg").read_text() == "old"


def test_a_drawing_does_not_replace_the_bundle_it_comes_from(folder):
    """The model that took a night to train is not lost to a slip of the hand."""
    own = folder / "mine.svg"
    own.write_bytes(TINY.read_bytes())
    result = CliRunner().invoke(main, ["--class", "star", "--model", str(own), "-o", "mine.svg"])
    assert result.exit_code == 2
    assert result.stderr == "error: mine.svg: is the bundle itself; choose another --out\n"
    assert own.read_bytes() == TINY.read_bytes()


@pytest.mark.parametrize(("args", "message"), REFUSED)
def test_bad_options_are_refused(folder, args, message):
    """Exit code 2, one error line, nothing written, an old file untouched."""
    (folder / "a.svg").write_text("old")
    result = draw(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert names(folder) == ["a.svg"]
    assert (folder / "a.svg").read_text() == "old"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "m.sketch.zip: no such file"),
        (b"", "m.sketch.zip: is empty"),
        (TINY.read_bytes()[:4000], "m.sketch.zip:step.onnx: is cut short"),
        (TINY.read_bytes().replace(b"star", b"stir", 1), "m.sketch.zip:manifest.json: is damaged"),
        (b"version https://git-lfs.github.com/spec/v1\n", "m.sketch.zip: is a Git LFS pointer"),
    ],
)
@pytest.mark.parametrize("args", [[*STAR, "-o", "a.svg"], ["--list"]])
def test_bad_models_are_refused(folder, args, content, message):
    """The same promise for the file behind --model."""
    if content is not None:
        (folder / "m.sketch.zip").write_bytes(content)
    before = names(folder)
    result = draw(*args, model=Path("m.sketch.zip"))
    assert result.exit_code == 2
    assert (result.stdout, len(result.stderr.splitlines())) == ("", 1)
    assert result.stderr.startswith(f"error: {message}")
    assert names(folder) == before


def test_refused_before_it_draws(monkeypatch):
    """A file that cannot be written is found before the model is even loaded."""
    monkeypatch.setattr("sketch_edge.runtime.artist.load", lambda *_, **__: pytest.fail("loaded"))
    assert draw(*STAR, "-o", "no/a.svg").exit_code == 2


def test_the_module_runs_as_the_command_does(folder):
    """As python -m it draws, and prints a command that can be typed."""
    words = [sys.executable, "-m", "sketch_edge.cli.draw", *STAR, "--seed", "5", "--model", str(TINY), "-o", "a.svg"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    assert (folder / "a.svg").is_file()
    assert "seed 5; again: sketch-draw --out a.svg" in done.stderr


def test_the_console_command_is_installed():
    """sketch-draw as a user calls it: a process, an exit code, one line."""
    command = [str(Path(sys.executable).with_name("sketch-draw")), "-c", "stra", "-o", "a.svg", "--model", str(TINY)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr == "error: class 'stra': is not among the 3 classes of tiny; the nearest: star\n"


def test_a_closed_standard_output_is_refused_before_it_is_drawn(monkeypatch):
    """There is nowhere to write to."""
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(InputError, match="--out: - is standard output, which is closed"):
        main.main(["-c", "star", "--model", "absent.zip", "-o", "-"], standalone_mode=False)
    with pytest.raises(UnfinishedError, match="standard output: is closed"):
        write_standard_output(b"")
