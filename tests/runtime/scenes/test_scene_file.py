"""Scene files: every key read, everything else refused with file, object and key."""

import contextlib
import json
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.errors import InputError, SketchError
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Pen
from sketch_edge.runtime.scenes.composition import Composition, Thing
from sketch_edge.runtime.scenes.scene_file import MOST_BYTES, parse_composition, read_composition

WHOLE = """
format = 1
seed = 12
temperature = 0.3
layout = "grid"
hidden = false

[page]
size = "a5-landscape"
margin = "1cm"

[sizes]
cat = 2.5

[[pen]]
name = "red"

[[pen]]
name = "fine"
color = "#123456"
width = 0.2

[[object]]
class = "house"

[[object]]
class = "cat"
name = "tom"
seed = 3
index = 4
temperature = 0.5
scale = 1.5
rotate = -20
flip = true
pen = "fine"
depth = 2.5
count = 2
gap = "3mm"
left-of = "house"
above = ["house", "sun"]

[[object]]
class = "sun"
at = ["80%", 20]
size = "25%"
behind = "house"
"""


def parse(text):
    return parse_composition(text.encode(), "s.toml")


def one(line, before=""):
    """A scene file of one cat and a house, and a line about the cat."""
    return f'format = 1\n{before}\n[[object]]\nclass = "house"\n[[object]]\nclass = "cat"\n{line}\n'


def test_every_key_is_read():
    """A file that says everything gives the composition that Python would."""
    expected = Composition(
        [
            Thing("house"),
            Thing(
                "cat",
                name="tom",
                seed=3,
                index=4,
                temperature=0.5,
                scale=1.5,
                rotate=-20,
                flip=True,
                pen="fine",
                depth=2.5,
                count=2,
                gap="3mm",
                left_of="house",
                above=("house", "sun"),
            ),
            Thing("sun", at=("80%", 20), size="25%", behind="house"),
        ],
        Page(210, 148, 10),
        [Pen("red", "red"), Pen("fine", "#123456", 0.2)],
        seed=12,
        temperature=0.3,
        layout="grid",
        sizes={"cat": 2.5},
        hidden=False,
        file="s.toml",
    )
    assert parse(WHOLE) == expected


def test_little_has_to_be_said():
    """One class is a scene; a mark of the byte order and Windows line ends do no harm."""
    assert parse_composition(b'\xef\xbb\xbfformat = 1\r\n[[object]]\r\nclass = "cat"\r\n') == Composition(
        ["cat"], file="scene"
    )


def test_given_strokes(tmp_path):
    """Strokes come from a file beside the scene, by record, or stand in it."""
    records = [{"word": "dog", "drawing": [[[0, 1], [2, 3]]]}, {"word": "cow", "drawing": [[[5, 6], [7, 8]]]}]
    (tmp_path / "d.ndjson").write_text("\n".join(map(json.dumps, records)))
    scene = tmp_path / "scene.toml"
    scene.write_text(
        'format = 1\n[[object]]\ndrawing = "d.ndjson"\nrecord = 1\n[[object]]\ndrawing = "d.ndjson"\nclass = "wolf"\n'
        '[[object]]\nlines = [[[0, 0], [10, 5.5]], [[1, 1]]]\nname = "mine"\n'
    )
    cow, wolf, mine = (each.thing for each in read_composition(scene).members)
    assert [each.kind for each in (cow, wolf, mine)] == ["cow", "wolf", "mine"]
    assert cow.sketch is not None
    assert mine.sketch is not None
    assert cow.sketch.lines[0].tolist() == [[5, 7], [6, 8]]
    assert [line.tolist() for line in mine.sketch.lines] == [[[0, 0], [10, 5.5]], [[1, 1]]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "s.toml:format: is missing (expected 1)"),
        ("format = 2", "s.toml:format: is 2 (expected 1)"),
        ("format = true", "s.toml:format: is True (expected 1)"),
        ("format = 1", "s.toml:object: there are none"),
        ("format = 1\nseed = ", "s.toml:2: is no TOML (Invalid value"),
        ("format = 1\nseed = 1\nseed = 2", "s.toml:3: is no TOML (Cannot overwrite a value"),
        ("format = 1\nlayuot = 'row'", "s.toml:layuot: is no key of this; the nearest is 'layout'"),
        (one("leftof = 'house'"), "s.toml:object 2:leftof: is no key of this; the nearest is 'left-of'"),
        (one("left_of = 'house'"), "s.toml:object 2:left_of: is no key of this; the nearest is 'left-of'"),
        (one("label = 'house'"), "s.toml:object 2:label: is no key of this"),
        (one("", "page = 'a4'"), "s.toml:page: is 'a4' (expected a table)"),
        (one("", "[page]\nsize = 'a9'"), "s.toml:page 'a9': is unknown"),
        (one("", "[page]\nsize = 4"), "s.toml:page:size: is 4"),
        (one("", "[page]\nwidth = 4"), "s.toml:page:width: is no key of this"),
        (one("", "[page]\nmargin = inf"), "s.toml:page: the margin is inf mm"),
        (one("", "[page]\nmargin = [1]"), "s.toml:page:margin: is a list"),
        (one("", "[[pen]]\ncolor = 'red'"), "s.toml:pen 1:name: is missing"),
        (one("", "[[pen]]\nname = 'a'\ncolor = 'reddish'"), "s.toml:pen 1: colour 'reddish': is unknown"),
        (one("", "[[pen]]\nname = 'a'\nwidth = 'thick'"), "s.toml:pen 1: width 'thick': is no length"),
        (one("", "[[pen]]\nname = 'a'\nwidth = nan"), "s.toml:pen 1: pen 'a': the width is nan"),
        (one("", "[[pen]]\nname = 'a'\n[[pen]]\nname = 'a'"), "s.toml:pen: there are 2, or two of one name"),
        (one("", "pen = 3"), "s.toml:pen: is no list of tables"),
        (one("", "seed = -1"), "s.toml:seed: is -1 (expected a whole number"),
        (one("", "seed = 1.0"), "s.toml:seed: is 1.0"),
        (one("", "temperature = 11"), "s.toml:temperature: is 11"),
        (one("", "layout = 'heap'"), "s.toml:layout: is 'heap'; choose one of row"),
        (one("", "layout = 3"), "s.toml:layout: is 3"),
        (one("", "layout = ['row']"), "s.toml:layout: is a list"),
        (one("", "sizes = 'huge'"), "s.toml:sizes: is 'huge'; choose one of natural, equal"),
        (one("", "sizes = 3"), "s.toml:sizes: is 3"),
        (
            one("", "[sizes]\nhuose = 3"),
            "s.toml:sizes.'huose': is no class that is known or drawn here; the near",
        ),
        (one("", "[sizes]\nhouse = 0"), "s.toml:sizes.'house': is 0 (expected metres"),
        (one("", "[sizes]\nhouse = '3m'"), "s.toml:sizes.'house': is '3m'"),
        (one("", "hidden = 1"), "s.toml:hidden: is 1"),
        ("format = 1\nobject = 3", "s.toml:object: is no list of tables"),
        ("format = 1\n[object]\nclass = 'cat'", "s.toml:object: is no list of tables"),
        ("format = 1\n[[object]]", "s.toml:object 1 drawing:class: is missing"),
        ("format = 1\n[[object]]\nclass = ''", "s.toml:object 1:class: is empty"),
        ("format = 1\n[[object]]\nclass = 3", "s.toml:object 1:class: is int"),
        ('format = 1\n[[object]]\nclass = "c\\u001b"', "s.toml:object 1:class: 'c\\x1b' is no class name"),
        (one("seed = 'a'"), "s.toml:object 2 cat:seed: is 'a'"),
        (one("seed = 18446744073709551616"), "s.toml:object 2 cat:seed: is 18446744073709551616"),
        (one("index = -1"), "s.toml:object 2 cat:index: is -1"),
        (one("temperature = nan"), "s.toml:object 2 cat:temperature: is nan"),
        (one("at = 3"), "s.toml:object 2 cat:at: is 3 (expected two lengths"),
        (one("at = ['50%']"), "s.toml:object 2 cat:at: is a list (expected two lengths"),
        (one("at = ['50%', 'middle']"), "s.toml:object 2 cat:at: length 'middle': is no length"),
        (one("at = ['50%', true]"), "s.toml:object 2 cat:at: is True"),
        (one("at = [inf, 3]"), "s.toml:object 2 cat:at: is inf"),
        (one("at = ['nan%', 3]"), "s.toml:object 2 cat:at: is 'nan%'"),
        (one("size = 0"), "s.toml:object 2 cat:size: is 0"),
        (one("size = -5"), "s.toml:object 2 cat:size: is -5"),
        (one("size = 5\nscale = 2"), "s.toml:object 2 cat:scale: goes with no size"),
        (one("scale = 0"), "s.toml:object 2 cat:scale: is 0"),
        (one("rotate = inf"), "s.toml:object 2 cat:rotate: is inf"),
        (one("flip = 1"), "s.toml:object 2 cat:flip: is 1"),
        (one("pen = 'red'"), "s.toml:object 2 cat:pen: 'red' is no pen of this page; choose one of 'black'"),
        (one("depth = 'far'"), "s.toml:object 2 cat:depth: is 'far'"),
        (one("depth = 1e300"), "s.toml:object 2 cat:depth: is 1e+300"),
        (one("count = 0"), "s.toml:object 2 cat:count: is 0"),
        (one("count = 100000000000"), "s.toml:object 2 cat:count: is 100000000000"),
        (one("count = 10000"), "s.toml:object: there are 10001 (at most 10000)"),
        (one("count = 400", "layout = 'scatter'"), "s.toml:layout: scatter is for at most 300 objects"),
        (one("at = [1, 1]\ncount = 2"), "s.toml:object 2 cat:at: is one place for 2 objects"),
        (one("gap = 1"), "s.toml:object 2 cat:gap: belongs to left-of"),
        (one("left-of = 3"), "s.toml:object 2 cat:left-of: is 3 (expected the name"),
        (one("left-of = ['house', 3]"), "s.toml:object 2 cat:left-of: is a list (expected the name"),
        (one("left-of = ''"), "s.toml:object 2 cat:left-of: '' is no class name"),
        (one("at = [1, 1]\non = 'house'"), "s.toml:object 2 cat:on: goes with no at"),
        (one("drawing = 'no.ndjson'"), "no.ndjson: does not exist"),
        (one("drawing = 3"), "s.toml:object 2:drawing: is 3"),
        (one("drawing = 'a'\nlines = []"), "s.toml:object 2:lines: goes with no drawing"),
        (one("record = 1"), "s.toml:object 2:record: goes with drawing"),
        (one("drawing = 'a'\nrecord = -1"), "s.toml:object 2:record: is -1"),
        (one("lines = []"), "s.toml:object 2:lines: is a list"),
        (one("lines = [[]]"), "s.toml:object 2:lines[0]: is a list"),
        (one("lines = [[[1, 2, 3]]]"), "s.toml:object 2:lines[0]: holds a list (expected points [x, y])"),
        (one("lines = [[[1, true]]]"), "s.toml:object 2:lines[0]: holds a list"),
        (one("lines = [[[1, nan]]]"), "s.toml:object 2:lines: sketch: line 0 holds the coordinate"),
        (one("name = 'x'\n[[object]]\nclass = 'cat'\nname = 'x'"), "s.toml:object 3 x:name: another object has it"),
        ("a = " + "[" * 10_000, "s.toml: is no TOML that can be read (nested too deep)"),
        ("a = " + "1" * 10_000, "s.toml: is no TOML that can be read (a number is too long)"),
        ("a." * 100_000 + "a = 1", "s.toml:1: a key has more than 5 parts"),
        ("\n[" + "'a' . " * 100_000 + "a]", "s.toml:2: a key has more than 5 parts"),
    ],
)
def test_bad_scenes_are_refused(text, message):
    """One line that says where and what, quickly."""
    began = time.monotonic()
    with pytest.raises(InputError) as caught:
        assert parse(text).names
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert time.monotonic() - began < 5


def test_bytes_that_are_no_text_are_refused():
    """With the line of the first bad byte."""
    with pytest.raises(InputError, match=r"s\.toml:2: is no UTF-8 text \(byte 12 of the file\)"):
        parse_composition(b"format = 1\n\xff", "s.toml")


def test_a_large_file_is_refused_unparsed():
    """However large it is, no more than the limit is read."""
    with pytest.raises(InputError, match=r"s\.toml: has over 1 MiB"):
        parse_composition(b"#" * (MOST_BYTES + 1), "s.toml")


def test_a_path_may_be_text(tmp_path):
    """As everywhere in the library."""
    scene = tmp_path / "scene.toml"
    scene.write_text('format = 1\n[[object]]\nclass = "cat"\n')
    assert read_composition(str(scene)) == read_composition(scene)


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_what_is_no_plain_file_is_refused(tmp_path, kind):
    """None of them is waited for."""
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(InputError, match="does not exist" if kind == "missing" else "is no plain file"):
        read_composition(path)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["cat", "house"]),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
KEYS = (
    "class",
    "name",
    "seed",
    "at",
    "size",
    "scale",
    "left-of",
    "on",
    "inside",
    "count",
    "lines",
    "depth",
    "gap",
    "pen",
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(KEYS), values, max_size=4), max_size=4))
def test_nothing_but_our_own_error_is_raised(objects):
    """Whatever the values are."""
    text = "format = 1\n"
    for each in objects:
        text += "[[object]]\n"
        for key, value in each.items():
            if value is not None:
                text += f"{key} = {json.dumps(value).replace('NaN', 'nan').replace('Infinity', 'inf')}\n"
    with contextlib.suppress(SketchError):
        assert parse(text).names
