"""Choosing a writer, and putting its bytes where they belong."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sketch_edge.runtime.errors import InputError, UnfinishedError
from sketch_edge.runtime.layout import arrange
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Pen
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.writers import FORMATS, format_of, render, save


def names(folder: Path) -> list[str]:
    """What is in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())


def lines(*each: Any) -> tuple[Any, ...]:
    """Lines as a sketch takes them, of plain lists."""
    return each


STAR = Sketch(lines([[0, 0], [100, 40]]), "star", seed=7)
every_format = pytest.mark.parametrize("name", FORMATS)

NEEDED: dict[str, dict[str, Any]] = {name: {} for name in FORMATS} | {"gcode": {"machine": "grbl-z"}}
"""Options that a format cannot be written without."""


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("star.svg", "svg"),
        ("a.b/star.PNG", "png"),
        ("star.json", "json"),
        ("star.ndjson", "json"),
        ("star.svg.png", "png"),
        ("-", "svg"),
    ],
)
def test_the_suffix_picks_the_format(path, name):
    """Upper and lower case are alike; standard output has no suffix and is SVG."""
    assert format_of(path) == name


def test_a_name_wins_over_the_suffix():
    """A format asked for by name is used whatever the file is called."""
    assert format_of("star.txt", "png") == "png"
    assert format_of("-", "json") == "json"


@pytest.mark.parametrize("path", ["star.bmp", "star", "star.", ".svg", "star.svg.zip"])
def test_an_unknown_suffix_is_refused(path, tmp_path):
    """The error names the suffixes there are, and nothing is written."""
    with pytest.raises(InputError, match=r"end the name in one of \.svg, \.png, \.json"):
        save(STAR, tmp_path / path)
    assert names(tmp_path) == []


def test_an_unknown_format_is_refused(tmp_path):
    """The error names the formats there are."""
    for call in (lambda: save(STAR, tmp_path / "star.svg", format="bmp"), lambda: render(STAR, "bmp")):
        with pytest.raises(InputError, match="format 'bmp': is unknown; choose one of svg, png, json"):
            call()


def test_an_option_of_another_format_is_refused():
    """The error names the options that the format has."""
    with pytest.raises(InputError, match="svg: has no option 'width_px'; it takes background"):
        render(STAR, "svg", width_px=100)
    with pytest.raises(InputError, match="json: has no option 'background'; it takes none"):
        render(STAR, "json", background="white")


@every_format
def test_a_file_holds_what_render_gives(name, tmp_path):
    """Saving writes the rendered bytes, no more and no less."""
    path = tmp_path / f"star{FORMATS[name].suffixes[0]}"
    save(STAR, path, page="a6", **NEEDED[name])
    assert path.read_bytes() == render(STAR, name, page="a6", **NEEDED[name])


@every_format
def test_equal_drawings_give_equal_bytes(name):
    """Nothing but the drawing goes into a file: no time, no counter."""
    sketches = [STAR, Sketch(lines([[3, 3]]), "dot")]
    again = [Sketch(each.lines, each.label, each.seed) for each in sketches]
    assert render(sketches, name, **NEEDED[name]) == render(again, name, **NEEDED[name])


@every_format
def test_a_sketch_a_list_and_a_scene_are_all_drawings(name):
    """One sketch is a list of one, and a list is laid out as `arrange` does it."""
    needed = NEEDED[name]
    assert render(STAR, name, **needed) == render([STAR], name, **needed) == render((STAR,), name, **needed)
    assert render([STAR, STAR], name, **needed) == render(arrange([STAR, STAR]), name, **needed)


@every_format
def test_a_sketch_without_lines_can_be_written(name):
    """A model that ended at once gives an empty page, not an error."""
    assert render(Sketch((), "star"), name, **NEEDED[name])


@every_format
@pytest.mark.parametrize("drawing", [[], ["star"], [STAR, None]])
def test_what_is_no_drawing_is_refused(name, drawing):
    """No sketches, and things that are none, are bad input."""
    with pytest.raises(InputError, match=r"^sketches: "):
        render(drawing, name, **NEEDED[name])


def test_a_scene_keeps_its_own_page():
    """Page, layout and pens cannot be given beside a scene."""
    for override in ({"page": "a4"}, {"layout": "row"}, {"pens": [Pen()]}):
        with pytest.raises(InputError, match=r"^scene: has its own"):
            render(arrange([STAR]), "svg", **override)


def test_page_layout_and_pens_reach_the_layout():
    """The arguments mean what they mean in `arrange`."""
    pens = [Pen("red", "red", 2.0)]
    expected = render(arrange([STAR, STAR], Page.parse("a5"), layout="row", pens=pens), "svg")
    assert render([STAR, STAR], "svg", page="a5", layout="row", pens=pens) == expected


def test_a_path_that_cannot_be_written_is_refused_before_the_work(tmp_path, monkeypatch):
    """Drawing a large picture for a folder that is not there would be in vain."""
    monkeypatch.setattr("sketch_edge.runtime.writers.render", lambda *args, **options: pytest.fail("did the work"))
    with pytest.raises(InputError, match="does not exist"):
        save(STAR, tmp_path / "absent" / "star.svg")


@every_format
def test_a_dash_is_standard_output(name, tmp_path):
    """The bytes arrive unchanged, picture or text, and no file called - is made."""
    code = (
        "import sys; from sketch_edge.runtime.sketch import Sketch; from sketch_edge.runtime.writers import save\n"
        "print('before')\n"
        f"save(Sketch(([[0, 0], [100, 40]],), 'star', seed=7), '-', format={name!r}, **{NEEDED[name]!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=tmp_path, timeout=60)
    assert done.stderr == b""
    assert done.stdout == b"before\n" + render(STAR, name, **NEEDED[name])
    assert names(tmp_path) == []


def test_a_reader_that_goes_away_is_no_error():
    """`sketch-draw --out - | head -c 0` ends quietly."""
    code = (
        "from sketch_edge.runtime.sketch import Sketch; from sketch_edge.runtime.writers import save\n"
        "lines = [[[x, y] for x in range(100)] for y in range(100)]\n"
        "input()\n"  # wait until the reader has gone
        "save(Sketch(lines), '-')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_standard_output_is_an_error(monkeypatch):
    """When the system refuses the bytes, the library says so."""
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(full, write_through=True))
        with pytest.raises(UnfinishedError, match="standard output: could not be written"):
            save(STAR, "-")
