"""sketch-draw with drawings that are given: what it writes and what it refuses."""

import json
import shlex
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from sketch_edge.cli.draw import main
from sketch_edge.runtime.artist import load
from sketch_edge.runtime.drawings import read_sketches
from sketch_edge.runtime.together.redraw import LATENTS
from sketch_edge.runtime.writers import render
from tests.cli.drawing import TINY, draw, drawn

SVG = "{http://www.w3.org/2000/svg}"
ROOF = [[[10, 15, 20], [20, 10, 20]], [[30], [20]], [[10, 30], [40, 40]]]
WAVE = [[[0, 60, 120, 255], [0, 80, 10, 90]]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a folder that holds drawings: two in a.ndjson, one in b.json, none.json without a known class."""
    monkeypatch.chdir(tmp_path)
    records = [{"word": "star", "drawing": ROOF}, {"word": "cat", "drawing": WAVE}]
    (tmp_path / "a.ndjson").write_text("".join(json.dumps(each) + "\n" for each in records))
    (tmp_path / "b.json").write_text(json.dumps(records[1]))
    (tmp_path / "owl.json").write_text(json.dumps({"word": "owl", "drawing": ROOF}))
    return tmp_path


def paths(svg: Path) -> dict[str, int]:
    """How many paths each layer has, by its stroke colour; captions by "captions"."""
    root = ET.parse(svg).getroot()
    layers = root.findall(f"{SVG}g")
    return {
        each.get("stroke") or "captions": len(each.findall(f".//{SVG}path")) or len(each.findall(f"{SVG}text"))
        for each in layers
    }


def given_sketch(number: int = 0):
    return read_sketches(Path("a.ndjson"), {number})[number]


# --- what it writes -----------------------------------------------------------------------------------------------


def test_json_has_what_the_library_draws(folder):
    """Each way of drawing together, the same bytes as from Python."""
    artist, roof, wave = load(TINY), given_sketch(0), given_sketch(1)
    for args, sketches in (
        (["--reconstruct", "a.ndjson"], [artist.reconstruct(roof, seed=5)]),
        (["--between", "a.ndjson", "a.ndjson:1"], artist.between(roof, wave, 7, seed=5)),
        (["--finish", "a.ndjson", "--count", "2"], artist.finish(roof, count=2, seed=5)),
        (["--vary", "a.ndjson:1", "--amount", "0.5"], artist.vary(wave, 6, 0.5, seed=5)),
    ):
        drawn(*args, "--seed", "5", "-o", "out.json")
        assert (folder / "out.json").read_bytes() == render(sketches, "json")


def test_reconstruct_shows_both_with_captions(folder):
    """Black what was given, blue what the model drew, a word below each."""
    drawn("--reconstruct", "a.ndjson", "--seed", "5", "-o", "out.svg")
    again = load(TINY).reconstruct(given_sketch(), seed=5)
    assert paths(folder / "out.svg") == {"#000000": 3, "#1f5fb4": len(again.lines), "captions": 2}
    texts = [each.text for each in ET.parse(folder / "out.svg").getroot().iter(f"{SVG}text")]
    assert texts == ["given", "drawn again"]
    assert "seed 5, sketch 0, temperature 0.4, drawn again, drawn by tiny" in (folder / "out.svg").read_text()


def test_between_shows_the_ends(folder):
    """The two given drawings stand at the ends of one row."""
    drawn("--between", "a.ndjson", "b.json", "--count", "3", "--seed", "5", "-o", "out.svg")
    way = load(TINY).between(given_sketch(0), given_sketch(1), 3, seed=5)
    assert paths(folder / "out.svg") == {"#000000": 4, "#1f5fb4": sum(len(each.lines) for each in way)}
    root = ET.parse(folder / "out.svg").getroot()
    assert float(root.get("width", "")[:-2]) > 4 * float(root.get("height", "")[:-2])


def test_finish_draws_given_strokes_in_one_pen_and_the_rest_in_another(folder):
    """Three strokes in each of four cells; --pen names the two."""
    drawn("--finish", "a.ndjson", "--count", "4", "--seed", "5", "-o", "out.svg")
    own = sum(len(each.lines) - 3 for each in load(TINY).finish(given_sketch(), count=4, seed=5))
    assert paths(folder / "out.svg") == {"#000000": 12, "#1f5fb4": own}
    drawn("--finish", "a.ndjson", "--count", "4", "--seed", "5", "--pen", "red", "--pen", "green", "-o", "out.svg")
    assert paths(folder / "out.svg") == {"#d62728": 12, "#2ca02c": own}
    drawn("--finish", "a.ndjson", "--count", "4", "--seed", "5", "--pen", "red", "-o", "out.svg")
    assert paths(folder / "out.svg") == {"#d62728": 12 + own}


def test_given_strokes_have_one_size_in_all_endings(folder):
    """However far an ending goes: the cells have one scale."""
    drawn("--finish", "a.ndjson", "--count", "9", "--temperature", "1", "--seed", "5", "-o", "out.svg")
    layer = ET.parse(folder / "out.svg").getroot().findall(f"{SVG}g")[0]
    sizes = []
    for roof in layer.findall(f"{SVG}g"):
        data = roof.findall(f"{SVG}path")[0].get("d", "")[1:].replace("L", "")
        points = np.array([pair.split(",") for pair in data.split()], np.float64)
        sizes.append(np.ptp(points, axis=0))
    assert len(sizes) == 9
    np.testing.assert_allclose(sizes, sizes[:1] * 9, atol=0.003)  # numbers have three places


def test_every_ending_in_a_file_of_its_own(folder):
    """{i} counts them; each still shows the given strokes."""
    drawn("--finish", "a.ndjson", "--count", "3", "--seed", "5", "-o", "{class}-{i}.svg")
    for number in range(3):
        assert paths(folder / f"star-{number}.svg")["#000000"] == 3
    drawn("--vary", "a.ndjson", "--count", "2", "--seed", "5", "-o", "v{i}.json")
    assert json.loads((folder / "v1.json").read_text())["index"] == 1


@pytest.mark.parametrize("suffix", ["png", "gif", "apng", "webp", "gcode"])
@pytest.mark.parametrize("way", ["--reconstruct", "--finish"])
def test_every_writer_takes_it(folder, suffix, way):
    """Pictures, films, programs; equal runs give equal bytes."""
    machine = ("--machine", "grbl-servo") if suffix == "gcode" else ()
    for name in ("one", "two"):
        drawn(way, "a.ndjson", "--seed", "5", *machine, "-o", f"{name}.{suffix}")
    one, two = ((folder / f"{name}.{suffix}").read_bytes() for name in ("one", "two"))
    assert one == two


def test_an_svg_is_a_drawing_too(folder):
    """What sketch-draw wrote can be given back; its class is named on the command line."""
    pytest.importorskip("svgelements")
    drawn("--class", "star", "--seed", "12", "-o", "star.svg")
    drawn("--finish", "star.svg", "--class", "star", "--seed", "5", "--count", "1", "-o", "out.svg")
    assert paths(folder / "out.svg")["#000000"] == len(load(TINY).draw("star", seed=12).lines)


def test_a_page_and_a_layout_are_kept(folder):
    """The page that was asked for, and cells side by side on it."""
    drawn("--vary", "a.ndjson", "--page", "a5-landscape", "--layout", "row", "--seed", "5", "-o", "out.svg")
    root = ET.parse(folder / "out.svg").getroot()
    assert (root.get("width"), root.get("height")) == ("210mm", "148mm")
    heights = {each.get("y") for each in root.iter(f"{SVG}text")}
    assert len(heights) == 1


def test_the_printed_command_draws_the_same(folder):
    """Also with an option that takes two files."""
    result = drawn("--between", "a.ndjson", "a.ndjson:1", "--count", "3", "--top-k", "2", "-o", "out.svg")
    one = (folder / "out.svg").read_bytes()
    words = shlex.split(result.stderr.splitlines()[-1].split("; again: ")[1])
    (folder / "out.svg").unlink()
    assert CliRunner().invoke(main, words[1:]).exit_code == 0
    assert (folder / "out.svg").read_bytes() == one


def test_knobs_reach_plain_sketches(folder):
    """--pen-temperature, --top-k and --end-bias, for classes as well; 0 is a value too."""
    drawn("-c", "star", "--seed", "3", "--pen-temperature", "0", "--top-k", "1", "--end-bias", "2", "-o", "out.json")
    sketch = load(TINY).draw("star", seed=3, pen_temperature=0, top_k=1, end_bias=2)
    assert (folder / "out.json").read_bytes() == render(sketch, "json")


def test_knobs_as_they_are_change_no_byte(folder):
    """A bias of 0 draws what no bias does."""
    drawn("-c", "star", "--seed", "3", "-o", "one.svg")
    drawn("-c", "star", "--seed", "3", "--end-bias", "0", "-o", "two.svg")
    assert (folder / "one.svg").read_bytes() == (folder / "two.svg").read_bytes()


def test_a_file_whose_name_ends_in_a_number(folder):
    """A file called "a.ndjson:1" comes before record 1 of a.ndjson."""
    (folder / "a.ndjson:1").write_text(json.dumps({"word": "palm tree", "drawing": ROOF}))
    drawn("--vary", "a.ndjson:1", "--seed", "5", "-o", "out.json")
    assert json.loads((folder / "out.json").read_text().splitlines()[0])["word"] == "palm tree"


def test_choices_are_those_of_the_library():
    """Written out, so that the help needs no numpy."""
    option = next(each for each in main.params if each.name == "latent")
    assert tuple(option.type.choices) == LATENTS  # type: ignore[attr-defined]


# --- what it refuses ----------------------------------------------------------------------------------------------

OUT = ("-o", "out.svg")
REFUSED = [
    (["--finish", "no.json", *OUT], "no.json: does not exist; check the name"),
    (["--finish", "a.ndjson:2", *OUT], "a.ndjson: has no record 2 (expected 0 to 1)"),
    (["--finish", "a.ndjson:x", *OUT], "a.ndjson:x: does not exist"),
    (["--finish", ".", *OUT], ".: is no plain file"),
    (["--finish", "bad.json", *OUT], "bad.json:1: is no JSON"),
    (["--finish", "empty.json", *OUT], "empty.json: holds nothing but blanks"),
    (["--finish", "blank.json", *OUT], "blank.json:1:drawing: has 0 points"),
    (["--finish", "a\nb.json", *OUT], "a\\nb.json: does not exist"),
    (["--finish", "x" * 300 + ":1", *OUT], "cannot be read"),
    (["--reconstruct", "owl.json", *OUT], "owl.json: class 'owl': is not among the 3 classes"),
    (["--reconstruct", "a.ndjson", "-c", "owl", *OUT], "a.ndjson: class 'owl': is not among"),
    (["--reconstruct", "a.ndjson", "-c", "cat", "-c", "star", *OUT], "--class: is given 2 times"),
    (["--reconstruct", "a.ndjson", "--vary", "a.ndjson", *OUT], "--vary: goes instead of --reconstruct"),
    (["--between", "a.ndjson", "a.ndjson", "--count", "1", *OUT], "--count: is 1 (expected 2 to 1000 with --between)"),
    (["--vary", "a.ndjson", "--count", "2000", *OUT], "--count: is 2000 (expected 1 to 1000 with --vary)"),
    (["--amount", "0.5", *OUT], "--reconstruct, --between, --finish, --vary: missing"),
    (["--finish", "a.ndjson", "--amount", "0.5", *OUT], "--amount: is for --vary (got --finish)"),
    (["--vary", "a.ndjson", "--amount", "1.5", *OUT], "--amount: 1.5 is not in the range"),
    (["--vary", "a.ndjson", "--joined", *OUT], "--joined: is for --finish (got --vary)"),
    (["--finish", "a.ndjson", "--whole-size", "0", *OUT], "--whole-size: 0.0 is not in the range"),
    (["--reconstruct", "long.json", *OUT], "error: long.json: has 10998 points (expected 1 to 10000)"),
    (["--between", "a.ndjson", "long.json", *OUT], "error: a.ndjson, long.json: has 10998 points"),
    (["--finish", "a.ndjson", "--whole-size", "5", *OUT], "size 5: is less than the given part has"),
    (["--finish", "a.ndjson", "--latent", "luck", *OUT], "--latent: 'luck' is not one of"),
    (["--finish", "a.ndjson", "--max-points", "4", *OUT], "error: a.ndjson: has 5 points already"),
    (["--finish", "a.ndjson", "--labels", *OUT], "--labels: does not go with --finish"),
    (["--finish", "a.ndjson", "--steps", "2x2", *OUT], "--steps: does not go with --finish"),
    (["--finish", "a.ndjson", "--sizes", "equal", *OUT], "--sizes: does not go with --finish"),
    (["--finish", "a.ndjson", "--layout", "scatter", *OUT], "--layout: scatter does not go with --finish"),
    (["--finish", "a.ndjson", *["--pen", "red"] * 3, *OUT], "--pen: is given more than twice"),
    (["--finish", "a.ndjson", "--pen", "sky", *OUT], "pen 'sky': "),
    (["--finish", "a.ndjson", "--scene", "s.toml", *OUT], "--scene: does not go with --finish"),
    (["--finish", "a.ndjson"], "--out: missing"),
    (["--finish", "a.ndjson", "-o", "a.json", "--page", "a4"], "--page: does not go with json"),
    (["--finish", "a.ndjson", "--format", "svg", "-o", "a.ndjson"], "a.ndjson: is the drawing itself"),
    (["-c", "star", "--top-k", "0", *OUT], "--top-k: 0 is not in the range"),
    (["-c", "star", "--pen-temperature", "nan", *OUT], "--pen-temperature: nan is no finite number"),
    (["-c", "star", "--end-bias", "101", *OUT], "--end-bias: 101.0 is not in the range"),
    (["--scene", "s.toml", "--top-k", "3", *OUT], "--top-k: is not for scenes"),
]


@pytest.mark.parametrize(("args", "message"), REFUSED)
def test_bad_options_are_refused(folder, args, message):
    """Exit code 2, one error line, nothing written, an old file untouched."""
    (folder / "bad.json").write_text("{]}")
    (folder / "empty.json").write_text(" ")
    zigzag = [[number % 256 for number in range(10_999)], [number * 97 % 251 for number in range(10_999)]]
    (folder / "long.json").write_text(json.dumps({"word": "cat", "drawing": [zigzag]}))
    (folder / "blank.json").write_text('{"word": "cat", "drawing": []}')
    (folder / "out.svg").write_text("old")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = draw(*args)
    assert (result.exit_code, result.stdout) == (2, ""), result.stderr
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.splitlines()) == 1
    assert message in result.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("out", ["{class}.svg", "{i}.svg"])
def test_a_name_that_becomes_the_given_drawing_is_refused(out):
    """What {i} and {class} stand for is known late; the drawing is left as it was all the same."""
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M1 1 L9 9 L9 1" fill="none" stroke="#000"/></svg>'
    for name in ("star.svg", "0.svg"):
        Path(name).write_bytes(svg)
    name = out.replace("{i}", "0").replace("{class}", "star")
    result = draw("--finish", name, "--class", "star", "--count", "1", "-o", out)
    assert (result.exit_code, Path(name).read_bytes()) == (2, svg)
    assert "is the drawing itself" in result.stderr
