"""SVG files: what a pen would draw of them, and nothing that XML could do."""

import contextlib
import gzip
import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("svgelements", reason="svgelements comes with the train extra")

from sketch_edge.runtime.errors import DataError
from sketch_edge.train.prepare import PrepareOptions, prepare
from sketch_edge.train.readers import DrawingReader
from sketch_edge.train.readers.svg import MOST_PATH_DATA, read_svg, read_svg_lines
from sketch_edge.train.readers.svg_shapes import flatten
from sketch_edge.train.readers.xml_tree import MOST_DEPTH

SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
INK = 'fill="none" stroke="black"'


def lines(body: str, attributes: str = 'viewBox="0 0 100 100"') -> list[list[list[float]]]:
    """Lines of a document, rounded to a tenth."""
    found = read_svg(f"{SVG} {attributes}>{body}</svg>".encode(), "x.svg").lines
    return [line.round(1).tolist() for line in found]


def refused(content: str | bytes) -> str:
    with pytest.raises(DataError) as caught:
        read_svg(content.encode() if isinstance(content, str) else content, "x.svg")
    message = str(caught.value)
    assert message.startswith("x.svg")
    assert "; " in message
    return message.removeprefix("x.svg")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('<path d="M1 2 3 4h5v-6H0V1l1,1z"/>', [[[1, 2], [3, 4], [8, 4], [8, -2], [0, -2], [0, 1], [1, 2]]]),
        ('<path d="m1 2l1 1m5 5l1 1zm1 0l2 2"/>', [[[1, 2], [2, 3]], [[7, 8], [8, 9], [7, 8]], [[8, 8], [10, 10]]]),
        ('<path d="M0 0H9zL5 5"/>', [[[0, 0], [9, 0], [0, 0]], [[0, 0], [5, 5]]]),
        ('<line x1="1" y1="2" x2="50%" y2="25%"/>'.replace("<line", '<line stroke="red"'), [[[1, 2], [50, 25]]]),
        ('<polyline points="1,2 3,4, 5 6 7"/>', [[[1, 2], [3, 4], [5, 6]]]),
        ('<polygon points="1,2 3,4 5e0 6"/>', [[[1, 2], [3, 4], [5, 6], [1, 2]]]),
        ('<rect x="1" y="2" width="3" height="4"/>', [[[1, 2], [4, 2], [4, 6], [1, 6], [1, 2]]]),
        ('<path d="M0 0 A 0 5 0 0 1 3 4"/>', [[[0, 0], [3, 4]]]),
        ('<path d="M0 0 3 3 garbage"/>', [[[0, 0], [3, 3]]]),
        ('<rect width="-3" height="4"/><circle r="0"/><path d=""/><polygon points="1 2"/><path/>', []),
    ],
)
def test_straight_shapes(body, expected):
    """Every command and shape without curves gives exactly its corners, in the order of drawing."""
    assert lines(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        '<circle cx="50" cy="40" r="30"/>',
        '<ellipse cx="50" cy="40" rx="30" ry="30"/>',
        '<path d="M80 40A30 30 0 0 1 20 40A30 30 0 0 1 80 40"/>',
        '<path d="M80 40a30 30 0 1 1-60 0 30 30 0 1 1 60 0"/>',
        '<rect x="20" y="10" width="60" height="60" rx="30"/>',
        '<g transform="translate(50 40) scale(2 0.5)"><ellipse rx="15" ry="60"/></g>',
        '<circle cx="-40" cy="50" r="30" transform="rotate(-90)"/>',
    ],
)
def test_curves_stay_within_the_tolerance(body):
    """Every way to a circle of radius 30 around (50, 40): each point and chord is within a thousandth of its size."""
    (line,) = read_svg(f'{SVG} viewBox="0 0 100 100">{body}</svg>'.encode(), "x").lines
    if "rotate" in body:
        line = np.stack([100 - line[:, 0], line[:, 1]], axis=1) if line[0, 0] < 0 else line
    center = (line.max(axis=0) + line.min(axis=0)) / 2
    assert center == pytest.approx([50, 40], abs=0.1)
    middles = (line[1:] + line[:-1]) / 2
    for points in (line, middles):
        assert np.hypot(*(points - center).T) == pytest.approx(30, abs=30 * 2 / 1000)
    assert len(line) < 80


@given(st.lists(st.floats(-100, 100), min_size=8, max_size=8), st.floats(0.01, 5))
@settings(max_examples=60, deadline=None)
def test_flattening_keeps_the_tolerance(numbers, tolerance):
    """Of any cubic curve no point is further from the line than asked for."""
    curve = np.array(numbers).reshape(1, 4, 2)
    line = flatten(curve, tolerance)
    t = np.linspace(0, 1, 200)[:, None]
    p = curve[0]
    exact = (1 - t) ** 3 * p[0] + 3 * (1 - t) ** 2 * t * p[1] + 3 * (1 - t) * t**2 * p[2] + t**3 * p[3]
    start, chord = line[:-1], np.diff(line, axis=0)
    square = np.maximum((chord**2).sum(axis=1), 1e-300)
    along = np.clip(((exact[:, None] - start) * chord).sum(axis=2) / square, 0, 1)
    away = np.hypot(*np.moveaxis(start + along[..., None] * chord - exact[:, None], 2, 0)).min(axis=1)
    assert away.max() <= tolerance * 1.0001
    assert (line[0] == p[0]).all()
    assert np.allclose(line[-1], p[3], atol=1e-9)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('<g transform="translate(10,20)"><g transform="scale(2)"><path d="M0 0 1 2"/></g></g>', [[10, 20], [12, 24]]),
        ('<path transform="rotate(90)" d="M0 0 10 0"/>', [[0, 0], [0, 10]]),
        ('<path transform="rotate(90 10 0) translate(1 2)" d="M0 0 10 0"/>', [[8, -9], [8, 1]]),
        ('<path transform="matrix(1 2 3 4 5 6)" d="M0 0 1 1"/>', [[5, 6], [9, 12]]),
        ('<path transform="skewX(45)" d="M0 0 0 10"/>', [[0, 0], [10, 10]]),
        ('<defs><path id="a" d="M0 0 1 1"/></defs><use xlink:href="#a" x="5" y="6"/>', [[5, 6], [6, 7]]),
        ('<defs><path id="a" d="M0 0 1 1"/></defs><use href="#a" transform="scale(2)" x="5"/>', [[10, 0], [12, 2]]),
        (
            '<symbol id="s" viewBox="0 0 10 10"><path d="M0 0 10 10"/></symbol><use href="#s" width="50" height="20"/>',
            [[15, 0], [35, 20]],
        ),
        (
            '<svg x="10" y="10" width="20" height="20" viewBox="0 0 2 2"><path d="M0 0 1 2"/></svg>',
            [[10, 10], [20, 30]],
        ),
        ('<a><switch><path d="M0 0 1 2"/></switch></a>', [[0, 0], [1, 2]]),
    ],
)
def test_transforms_and_uses(body, expected):
    """Nested, in order, around points; what is used stands where it is used."""
    assert lines(body) == [expected]


@pytest.mark.parametrize(
    "body",
    [
        '<path d="M0 0 1 1" style="display:none"/>',
        '<g display="none"><path d="M0 0 1 1"/></g>',
        '<g visibility="hidden"><path d="M0 0 1 1"/></g>',
        '<path d="M0 0 1 1" fill="none"/>',
        '<g style="stroke:none; fill : none !important"><path d="M0 0 1 1"/></g>',
        '<g opacity="0"><path d="M0 0 1 1"/></g>',
        '<style>/* .x */ .b, .off { display: none }</style><path class="on off" d="M0 0 1 1"/>',
        "<style>path { fill: none }</style><path d='M0 0 1 1'/>",
        '<defs><path d="M0 0 1 1"/></defs><clipPath><path d="M0 0 1 1"/></clipPath><mask><path d="M0 0 1 1"/></mask>',
        '<marker><path d="M0 0 1 1"/></marker><pattern><path d="M0 0 1 1"/></pattern>',
        '<symbol><path d="M0 0 1 1"/></symbol>',
        '<rect width="100%" height="100%" fill="white"/>',
        '<other xmlns="http://example.org"><path xmlns="http://www.w3.org/2000/svg" d="M0 0 1 1"/></other>',
        '<use href="other.svg#a"/><use href="#nothing"/><script>draw()</script>',
    ],
)
def test_what_is_not_seen_is_not_drawn(body):
    """Hidden, unpainted, only for others, paper, foreign, or elsewhere."""
    assert lines(body) == []


def test_hidden_is_undone_within():
    """visibility and paint are inherited and may be set again; display is not."""
    body = '<g visibility="hidden" fill="none"><path visibility="visible" stroke="red" d="M0 0 1 1"/></g>'
    assert lines(body) == [[[0, 0], [1, 1]]]
    assert lines('<rect width="100%" height="100%" fill="none" stroke="black"/>')[0][2] == [100, 100]


def test_a_style_sheet_may_hold_fonts():
    """Whiteboards write the whole fonts of their texts into it."""
    font = f'@font-face {{ src: url("data:font/woff2;base64,{"Q" * 400_000}"); }} .a {{ fill: none; stroke: red }}'
    assert lines(f'<defs><style>{font}</style></defs><path class="a" d="M0 0 100 100"/>') == [[[0, 0], [100, 100]]]


def test_text_and_pictures_are_counted():
    """A user may miss them."""
    found = read_svg(f"{SVG}><text>a</text><g><text>b</text></g><image/><text display='none'/></svg>".encode(), "x")
    assert found.notes == ("1 picture passed over", "2 texts passed over")


def test_a_drawing_of_nothing_but_unpainted_shapes_is_told_of():
    """A style sheet that is not understood may have painted them."""
    shape = "<path d='M0 0 1 1' fill='none'/>"
    assert read_svg(f"{SVG}>{shape}{shape}</svg>".encode(), "x").notes == ("2 unpainted shapes passed over",)
    assert read_svg(f"{SVG}>{shape}<circle r='1'/></svg>".encode(), "x").notes == ()


def test_units_do_not_change_the_drawing():
    """Millimetres and pixels of one drawing have one shape: only the scale differs."""
    body = '<path d="M0 0 10 20 30 5"/>'
    plain = read_svg(f"{SVG}>{body}</svg>".encode(), "x").lines[0]
    scaled = read_svg(f'{SVG} width="100mm" height="50mm" viewBox="0 0 100 50">{body}</svg>'.encode(), "x").lines[0]
    assert scaled == pytest.approx(plain * 96 / 25.4)


def laughs() -> str:
    entities = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    return f'<!DOCTYPE svg [<!ENTITY l0 "ha">{entities}]>{SVG}><title>&l9;</title></svg>'


def nested_uses(depth: int) -> str:
    """2 to the power of `depth` lines in a few hundred bytes."""
    groups = "".join(f'<g id="a{i}"><use href="#a{i - 1}"/><use href="#a{i - 1}"/></g>' for i in range(1, depth))
    return f'{SVG}><path id="a0" d="M0 0 1 1"/>{groups}<use href="#a{depth - 1}"/></svg>'


HOSTILE = {
    "billion laughs": (laughs(), ": declares a document type of its own"),
    "external entity": (
        f'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>{SVG}><title>&x;</title></svg>',
        ": declares a document type",
    ),
    "parameter entity": (f'<!DOCTYPE svg [<!ENTITY % x SYSTEM "http://x/">%x;]>{SVG}/>', ": declares a document type"),
    "unknown entity": (f"{SVG}><title>&nbsp;</title></svg>", ":1: is no well-formed XML (undefined entity)"),
    "deep": ("<svg>" + "<g>" * (MOST_DEPTH + 1), ": nests elements over 128 deep"),
    "a million elements": (f"{SVG}>{'<g/>' * 1_000_000}</svg>", ": has over 50000 elements"),
    "nested uses": (nested_uses(40), ": has over 10000 curves"),
    "nested uses of nothing": (nested_uses(40).replace("path", "g"), ": draws over 50000 elements"),
    "a use of itself": (f'{SVG}><g id="a"><use href="#a"/></g></svg>', ": uses 'a' within itself"),
    "uses in a circle": (
        f'{SVG}><g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g></svg>',
        ": uses 'b' within itself",
    ),
    "huge": (f'{SVG}><path d="M0 0 1e300 1"/></svg>', ": a coordinate is beyond"),
    "infinite": (f'{SVG}><path d="M0 0 1e999 1"/></svg>', ": a coordinate is beyond"),
    "infinite points": (f'{SVG}><polyline points="0 0 1e999 -1e999"/></svg>', ": a coordinate is beyond"),
    "nan": (f'{SVG}><path d="M0 0 L nan 1 C"/></svg>', ": the path 'M0 0 L nan 1 C' cannot be read"),
    "infinite matrix": (f'{SVG}><path transform="scale(1e400)" d="M0 0 1 1"/></svg>', ": the transform"),
    "short matrix": (f'{SVG}><path transform="matrix(1 2)" d="M0 0 1 1"/></svg>', ": the transform"),
    "odd arc": (f'{SVG}><path d="M0 0 A 1e-300 5 0 0 1 1e300 0"/></svg>', ": "),
    "many arcs": (f'{SVG}><path d="M0 0{"a1 1 0 0 1 1 3" * 17_000}"/></svg>', ": a path has 17001 segments"),
    "many wiggles": (f'{SVG}><path d="M0 0{"q9 9 0 9q-9-9 0-9" * 4_900}"/></svg>', ": has"),
    "many paths": (SVG + ">" + '<path d="M0 0h1v1h-1z"/>' * 3_000 + "</svg>", ": has over 10000 curves"),
    "long data": (f'{SVG}><path d="M0 0{"h1" * MOST_PATH_DATA}"/></svg>', ": has over 524288 characters of paths"),
    "long transforms": (
        f"{SVG}>" + f'<g transform="{"rotate(1)" * 1000}"/>' * 100 + "</svg>",
        ": has over 524288 characters of paths",
    ),
    "transforms used again": (
        f"{SVG}><path id='a' d='M0 0 1 1' transform='{'rotate(1)' * 1000}'/>" + '<use href="#a"/>' * 9_999 + "</svg>",
        ": has 20000 points",
    ),
    "web page": ("<html><svg/></html>", ": starts with the element 'html'"),
    "cut": (f"{SVG}><path d=", ":1: is no well-formed XML"),
    "nothing": ("", ":1: is no well-formed XML (no element found)"),
    "odd encoding": ('<?xml version="1.0" encoding="klingon"?><svg/>', ""),
    "two of one": (f'{SVG}><path d="" d=""/></svg>', ":1: is no well-formed XML (duplicate attribute)"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_at_once(name):
    """In a second or two each, and by our own error."""
    content, what = HOSTILE[name]
    start = time.monotonic()
    assert refused(content).startswith(what)
    assert time.monotonic() - start < 8


@given(st.binary(max_size=60), st.integers(0, 400), st.integers(0, 40))
@settings(max_examples=150, deadline=None)
def test_damage_gives_lines_or_our_own_error(piece, place, cut):
    """Bytes thrown into a good file are read or refused, never anything else."""
    good = f'{SVG} viewBox="0 0 9 9"><g transform="rotate(9)"><path d="M0 0a1 2 3 0 1 4 5"/></g><circle r="3"/></svg>'
    content = good.encode()
    content = content[:place] + piece + content[place + cut :]
    try:
        found = read_svg(content, "x.svg").lines
    except DataError as error:
        assert str(error).startswith("x.svg")  # noqa: PT017
    else:
        assert all(np.isfinite(line).all() and line.shape[1] == 2 for line in found)


PATH_TEXT = st.text("MmLlHhVvCcSsQqTtAaZz0123456789.-+e ,", max_size=60)


@given(PATH_TEXT, st.text("rotatescalmxkwXYn()0123456789.-+e ,", max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_path_and_transform_gives_lines_or_our_own_error(data, matrix):
    """Whatever the arithmetic behind it does."""
    try:
        found = read_svg(f'{SVG}><path transform="{matrix}" d="{data}"/></svg>'.encode(), "x.svg").lines
    except DataError as error:
        assert str(error).startswith("x.svg")  # noqa: PT017
    else:
        assert all(np.isfinite(line).all() for line in found)


@pytest.fixture
def folder(tmp_path):
    """drawings/zigzag with two files, drawings/hill with one packed."""
    for name, word in (("a.svg", "zigzag"), ("B.SVG", "zigzag"), ("c.svgz", "hill")):
        target = tmp_path / "drawings" / word / name
        target.parent.mkdir(parents=True, exist_ok=True)
        size = 10 + len(name) * (ord(name[0]) % 3)
        content = f'{SVG}><path {INK} d="M0 0 {size} 30 60 10 90 40"/></svg>'.encode()
        target.write_bytes(gzip.compress(content) if name.endswith("z") else content)
    return tmp_path / "drawings"


def test_a_folder_of_folders_becomes_a_data_set(folder):
    """The folder is the class; drawings are fitted to the box, simplified, and their user's own."""
    data = prepare([folder], PrepareOptions(credit="Ada", licence="CC0")).data
    assert data.class_names == ("hill", "zigzag")
    assert data.counts().sum(axis=1).tolist() == [1, 2]
    assert (data.credit, data.licence) == ("Ada", "CC0")
    points = np.cumsum(data.drawing(0)[:, :2], axis=0)
    assert points.max() == 255
    assert {source.name for source in data.sources} == {"a.svg", "B.SVG", "c.svgz"}


def test_credit_says_own_drawings_where_nobody_says_more(folder):
    """But never Quick, Draw!."""
    data = prepare([folder / "zigzag"]).data
    assert (data.credit, data.licence) == ("own drawings", "not stated")
    assert data.class_names == ("zigzag",)


def test_the_class_may_be_named(folder, monkeypatch):
    """By an option; and a folder that is named by a dot has its real name."""
    assert prepare([folder], PrepareOptions(svg_class="line")).data.class_names == ("line",)
    monkeypatch.chdir(folder / "hill")
    assert prepare([Path()]).data.class_names == ("hill",)
    assert [drawing.word for drawing in DrawingReader(Path("c.svgz"))] == ["hill"]


def test_dense_curves_are_simplified(tmp_path):
    """A circle keeps some dozen points, as the official drawings have."""
    path = tmp_path / "ring" / "a.svg"
    path.parent.mkdir()
    path.write_text(f'{SVG}><circle cx="5" cy="5" r="4"/></svg>')
    (drawing,) = DrawingReader(path)
    assert 10 <= len(drawing.points) <= 24
    assert drawing.side == pytest.approx(8, rel=1e-2)
    assert len(read_svg_lines(path)[0]) > len(drawing.points)
    assert math.isclose(float(read_svg_lines(path)[0][:, 0].max()), 9, rel_tol=1e-3)


def test_a_file_without_lines_is_an_empty_drawing(tmp_path):
    """Counted when a data set is made, refused where its lines are wanted."""
    path = tmp_path / "letter" / "a.svg"
    path.parent.mkdir()
    path.write_text(f"{SVG}><text>A</text></svg>")
    reader = DrawingReader(path)
    assert [len(drawing.points) for drawing in reader] == [0]
    assert reader.notes == ["1 text passed over"]
    with pytest.raises(DataError, match="holds no lines"):
        read_svg_lines(path)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.svg", b"\x1f\x8b\x08damaged", "is damaged"),
        ("a.svgz", gzip.compress(b" " * (17 << 20)), "has over 16 MiB"),
        ("a.svg", b"{}", "is no well-formed XML"),
        ("a.svg", b"", "is empty"),
        ("a.txt", b"<!doctype html><html><svg/>", "web page"),
        ("missing.svg", None, "does not exist"),
    ],
)
def test_files_that_are_no_svg(tmp_path, name, content, what):
    """Named with what is wrong."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=what) as caught:
        read_svg_lines(path)
    assert str(caught.value).startswith(str(path))


def test_reading_svg_needs_no_torch():
    """The drawing program reads SVG where nothing for training is installed."""
    code = "import sys; import sketch_edge.train.readers.svg; assert not {'torch', 'svgelements'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)


def used(element: str, often: int = 8) -> str:
    """An element named "u0", and a use of uses of it: drawn so often to the fifth power."""
    groups = (f'<g id="u{k}">' + f'<use href="#u{k - 1}"/>' * often + "</g>" for k in range(1, 6))
    return f'<defs>{element}{"".join(groups)}</defs><use href="#u5"/>'


@pytest.mark.parametrize(
    "body",
    [
        f"<style>{'a' * 200_000}</style>",
        f"<style>{'/*' * 100_000}</style>",
        f"<style>{'a,' * 60_000}{{{';' * 60_000}}}</style>",
        used(f'<path id="u0" d="" style="{";" * 4_000_000}"/>'),
        used(f'<path id="u0" d="" fill="{" " * 4_000_000}"/>'),
        used(f'<symbol id="u0" viewBox="0 0 1 1" width="1" height="1" preserveAspectRatio="{"x" * 4_000_000}"/>', 6),
        used(f'<use id="u0" href="#{"x" * 4_000_000}"/>', 7),
        f'<path d="M0 0{"z" * 200_000}"/>',
        f'<path d="M0 0{"l1 1z" * 9000}"/>',
        f'<symbol id="s" viewBox="0 0 1 1"><path d="{"M0 0" * 9000}"/></symbol>'
        + "".join(f'<use href="#s" width="{k}"/>' for k in range(1, 2000)),
    ],
    ids=["rule", "comment", "selectors", "style", "fill", "ratio", "href", "closes", "lines", "sizes"],
)
def test_time_grows_with_the_file_alone(body):
    """A file whose parts call for work over and over again is read, or refused, in a second or two."""
    start = time.process_time()
    with contextlib.suppress(DataError):
        lines(body)
    assert time.process_time() - start < 5


def test_long_namespaces_take_no_memory():
    """The name of a namespace is not written out before each of the attributes that are in it."""
    code = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_AS, (3 << 29, 3 << 29))\n"
        "from sketch_edge.train.readers.svg import read_svg\n"
        f"start = '{SVG} xmlns:p=\"' + 'A' * (4 << 20) + '\" '\n"
        "names = ' '.join(f'p:a{k}=\"\"' for k in range(1000))\n"
        "print(len(read_svg(f'{start}{names}><path d=\"M0 0 5 5\"/></svg>'.encode(), 'x.svg').lines))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("1\n", 0), done.stderr


@pytest.mark.parametrize(
    ("document", "count"),
    [
        ('<s:svg xmlns:s="http://www.w3.org/2000/svg"><s:path d="M0 0 5 5"/><path d="M0 0 6 6"/></s:svg>', 2),
        ('<svg xmlns="http://www.w3.org/2000/svg"><g xmlns="urn:notes"><path d="M0 0 5 5"/></g></svg>', 0),
        ('<svg xmlns:x="http://www.w3.org/1999/xlink"><g id="a"><path d="M0 0 5 5"/></g><use x:href="#a"/></svg>', 2),
        ('<svg xmlns:x="urn:other"><g id="a"><path d="M0 0 5 5"/></g><use x:href="#a"/></svg>', 1),
        ('<svg><n:path d="M0 0 5 5"/><path xmlns:n="urn:notes" n:d="M0 0 5 5"/></svg>', 0),
    ],
)
def test_namespaces(document, count):
    """Prefixes mean what the elements around them declare, and what belongs to other namespaces is not drawn."""
    assert len(read_svg(document.encode(), "x.svg").lines) == count


def test_closes_without_moves_between():
    """What follows a close without a move starts where the closed line began, relative or not."""
    assert lines(f'<path d="M1 1h2v2zl4 4zL0 5 Z m1 1h1" {INK}/>') == [
        [[1, 1], [3, 1], [3, 3], [1, 1]],
        [[1, 1], [5, 5], [1, 1]],
        [[1, 1], [0, 5], [1, 1]],
        [[2, 2], [3, 2]],
    ]


def test_rules_within_others_and_comments():
    """Comments, also open ones, hide what is in them; rules within other rules count as ever."""
    style = "<style>/* .a{fill:red} /* */ @media all{.b{fill:none} .c{fill:none}} /* .d{fill:none}</style>"
    body = "".join(f'<path class="{name}" d="M0 0 5 5"/>' for name in "abcd")
    assert len(lines(style + body)) == 2
