"""SVG: literal output, places, layers, and text from hostile hands."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.layout import LAYOUTS, arrange, sheet
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Pen, Placed, Scene
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.writers import render
from sketch_edge.runtime.writers.png import paint


def lines(*each: Any) -> tuple[Any, ...]:
    """Lines as a sketch takes them, of plain lists."""
    return each


SVG = "{http://www.w3.org/2000/svg}"
INKSCAPE = "{http://www.inkscape.org/namespaces/inkscape}"

GOLDEN = """\
<?xml version="1.0" encoding="utf-8"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" version="1.1" \
width="62.5mm" height="40mm" viewBox="0 0 62.5 40">
 <title>cat &amp; dog, dot</title>
 <desc>Drawn by sketch-edge.</desc>
 <g id="layer1" inkscape:groupmode="layer" inkscape:label="1 black" fill="none" stroke="#000000" stroke-width="0.3" \
stroke-linecap="round" stroke-linejoin="round">
  <g>
   <title>cat &amp; dog</title>
   <desc>cat &amp; dog, seed 7, sketch 2, temperature 0.4, drawn by quickdraw</desc>
   <path d="M10,20 L10.5,20.123 0,40" />
   <path d="M30.333,5 L30.334,6" />
  </g>
 </g>
 <g id="layer3" inkscape:groupmode="layer" inkscape:label="3 fine red" fill="none" stroke="#d62728" \
stroke-width="0.1" stroke-linecap="round" stroke-linejoin="round">
  <g>
   <title>dot</title>
   <desc>dot</desc>
   <path d="M5,6 L5.01,6" />
  </g>
 </g>
</svg>
"""


def golden_scene() -> Scene:
    pens = (Pen("black", "black", 0.3), Pen("unused"), Pen("fine red", "red", 0.1))
    drawn = lines(
        [[10, 20], [10.5, 20.1234], [10.5, 20.1231], [-0.0001, 40]],  # the third point is the second when rounded
        [[30.3333, 5], [30.3337, 6]],
    )
    cat = Placed(drawn, "cat & dog", 0, 7, 2, 0.4, "quickdraw")
    return Scene(Page(62.5, 40, 0), pens, (cat, Placed(lines([[5, 6]]), "dot", 2)))


def path_points(root: ET.Element) -> list[np.ndarray]:
    """The points of every path, read with nothing but the closed grammar that the writer promises."""
    number = r"(?:0|-?(?:[1-9][0-9]*|0)(?:\.[0-9]{0,2}[1-9])?)"
    lines = []
    for path in root.iter(f"{SVG}path"):
        data = path.attrib["d"]
        assert re.fullmatch(rf"M{number},{number} L{number},{number}(?: {number},{number})*", data), data
        pairs = data[1:].replace("L", "").split(" ")
        lines.append(np.array([[float(value) for value in pair.split(",")] for pair in pairs]))
    return lines


def test_a_small_scene_is_written_literally():
    """Millimetres, a layer per pen that draws, a path per line, names and recipes; nothing else."""
    assert render(golden_scene(), "svg").decode() == GOLDEN


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_points_are_where_the_layout_put_them(layout):
    """The paths are the lines of the scene within half a thousandth of a millimetre, all within the margins."""
    random = np.random.default_rng(4)
    scene = arrange([Sketch(tuple(random.normal(0, 90, (3, 9, 2))), "x") for _ in range(7)], "a5", layout=layout)
    lines = path_points(ET.fromstring(render(scene, "svg")))
    expected = [line for each in scene.objects for line in each.lines]
    assert len(lines) == len(expected)
    inside = scene.page.inside
    for line, other in zip(lines, expected, strict=True):
        np.testing.assert_allclose(line, other, atol=0.000501)
        assert (line >= [inside.left, inside.top]).all()
        assert (line <= [inside.right, inside.bottom]).all()


def test_the_drawing_is_as_large_as_the_page():
    """Width and height are in mm, and one unit of the drawing is one millimetre."""
    root = ET.fromstring(render(Sketch(lines([[0, 0], [1, 1]])), "svg", page="letter-landscape"))
    assert (root.attrib["width"], root.attrib["height"]) == ("279.4mm", "215.9mm")
    assert root.attrib["viewBox"] == "0 0 279.4 215.9"


def test_no_transforms_and_no_fills():
    """Plotter programs get plain lines: nothing to be moved, nothing filled, no text, no background."""
    content = render([Sketch(lines([[0, 0], [255, 255]]), "a")] * 3, "svg")
    assert b"transform" not in content
    tags = {element.tag.removeprefix(SVG) for element in ET.fromstring(content).iter()}
    assert tags == {"svg", "title", "desc", "g", "path"}


def test_a_background_is_drawn_when_asked_for():
    """The page is covered by one rectangle in that colour, before all else."""
    root = ET.fromstring(render(golden_scene(), "svg", background="white"))
    (rectangle,) = root.iter(f"{SVG}rect")
    assert (rectangle.attrib["width"], rectangle.attrib["height"]) == ("62.5", "40")
    assert rectangle.attrib["fill"] == "#ffffff"
    drawn = [child for child in root if child.tag in (f"{SVG}rect", f"{SVG}g")]
    assert drawn[0] is rectangle


@pytest.mark.parametrize("color", ["mauve", 'white" onload="alert(1)'])
def test_a_background_that_is_no_colour_is_refused(color):
    """Nothing but #rrggbb reaches the file."""
    with pytest.raises(InputError, match="is unknown"):
        render(golden_scene(), "svg", background=color)


def test_captions_are_text_on_a_layer_of_their_own():
    """A contact sheet's labels can be switched off, and lie where the layout put them."""
    scene = sheet([[Sketch(lines([[0, 0], [255, 255]]), "cat <3")]])
    root = ET.fromstring(render(scene, "svg"))
    (layer,) = [each for each in root.iter(f"{SVG}g") if each.get(f"{INKSCAPE}label") == "captions"]
    (text,) = layer
    assert text.text == "cat <3"
    assert float(text.attrib["x"]) == pytest.approx(scene.captions[0].x_mm, abs=0.001)


HOSTILE = [
    "\x00\x01\x08\x0b\x1f\x7f\x85\x9f",
    "]]>",
    "--><!-- -- >",
    "<script>alert('x')</script>",
    "&amp;&#0;&unknown;",
    "\ud800\udfff",
    "\ufffe\uffff\U0001ffff\ufdd0",
    'x" onload="y',
    "line\r\nends\tand\u2028others",
    "é 漢字 \U0001f600",
    "x" * 10_000,
    "",
]


def assert_well_formed(content: bytes) -> ET.Element:
    root = ET.fromstring(content)  # expat refuses what is not well-formed
    text = content.decode("utf-8")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\ufffe\uffff]", text)
    return root


@pytest.mark.parametrize("text", HOSTILE, ids=[ascii(text[:12]) for text in HOSTILE])
def test_hostile_text_stays_text(text):
    """Whatever a class, a pen or a bundle is called, the file is well-formed and holds no element but ours."""
    scene = Scene(
        pens=(Pen(text),),
        objects=(Placed(lines([[1, 1], [2, 2]]), text, 0, 7, 0, 0.4, text),),
        captions=sheet([[Sketch(lines([[0, 0]]), text)]]).captions,
    )
    root = assert_well_formed(render(scene, "svg"))
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg",
        "title",
        "desc",
        "defs",
        "g",
        "path",
        "text",
    }
    assert len(path_points(root)) == 1


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=()), max_size=30))
def test_any_text_stays_text(text):
    """A title can be any string of Python; visible letters come through."""
    root = assert_well_formed(render(Placed(lines([[1, 1]]), text).sketch(), "svg"))
    visible = "".join(letter for letter in text if letter.isascii() and letter.isprintable() and letter != " ")
    (title,) = [each.text or "" for each in root.findall(f"{SVG}title")]
    assert "".join(letter for letter in title if letter.isascii() and letter != " ") == (
        visible if title != "sketch" else visible or "sketch"
    )


def test_nan_never_reaches_a_file():
    """Even past the checks of a scene, a coordinate that is no number is an error."""
    placed = Placed(lines([[1.0, 1.0], [2.0, 2.0]]), "cat")
    broken = placed.lines[0].copy()
    broken[1, 1] = float("nan")
    object.__setattr__(placed, "lines", (broken,))
    with pytest.raises(InputError, match=r"^cat: "):
        render(Scene(objects=(placed,)), "svg")


@pytest.mark.skipif(shutil.which("xmllint") is None, reason="xmllint is not installed")
@pytest.mark.skipif(not Path("/usr/share/xml/w3c-sgml-lib").exists(), reason="the SVG 1.1 DTD is not installed")
def test_the_svg_1_1_dtd_accepts_it():
    """Less Inkscape's own attributes, the file is valid SVG 1.1."""
    scene = arrange([Sketch(lines([[0, 0], [9, 9]], [[3, 3]]), label, seed=1) for label in HOSTILE], layout="scatter")
    for content in (render(scene, "svg", background="white"), render(sheet([scene.sketches()]), "svg")):
        plain = re.sub(rb' (?:xmlns:)?inkscape(?::[a-z]+)?="[^"]*"', b"", content)
        command = [
            "xmllint",
            "--noout",
            "--nonet",
            "--dtdvalid",
            "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd",
            "-",
        ]
        done = subprocess.run(command, input=plain, capture_output=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(shutil.which("rsvg-convert") is None, reason="rsvg-convert is not installed")
def test_another_renderer_draws_the_same_picture(tmp_path):
    """librsvg puts ink where our own picture has it: dots, lines, round ends and pens."""
    random = np.random.default_rng(9)
    sketches = [Sketch(lines(*random.normal(0, 90, (2, 6, 2)), random.normal(0, 90, (1, 2))), "x") for _ in range(6)]
    scene = arrange(sketches, "a6", pens=[Pen("black", width_mm=1.5), Pen("red", "red", 0.8)])
    (tmp_path / "scene.svg").write_bytes(render(scene, "svg", background="white"))
    command = ["rsvg-convert", "-w", "400", "-o", tmp_path / "scene.png", tmp_path / "scene.svg"]
    subprocess.run(command, check=True, timeout=60)
    with Image.open(tmp_path / "scene.png") as picture:
        theirs = np.asarray(picture.convert("RGB"), np.float64)
    ours = np.asarray(paint(scene, width_px=400), np.float64)
    rows = min(len(theirs), len(ours))  # the two round the height differently
    difference = np.abs(theirs[:rows] - ours[:rows]).max(axis=2)
    inked = (ours[:rows] < 250).any(axis=2)
    assert difference.mean() < 0.02 * 255 * inked.mean() + 1.0
    assert (difference > 128).mean() < 0.001
    assert inked.mean() > 0.02
