"""Drawings as text: simplified, raw and json, and every way in which such a file can be damaged."""

import gzip
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime import drawings
from sketch_edge.runtime.drawings import NAME_LIMIT
from sketch_edge.runtime.errors import DataError
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.strokes import lines_to_stroke3
from sketch_edge.runtime.writers.json import render
from sketch_edge.train.readers import Drawing, DrawingReader
from sketch_edge.train.readers.drawing import encode_lines

CAT = {"word": "cat", "key_id": "1", "recognized": True, "drawing": [[[0, 255, 255], [0, 0, 9]], [[3], [4]]]}
CAT_ROWS = [[255, 0, 0], [0, 9, 1], [-252, -5, 1]]


def write(path: Path, *records: object, end: str = "\n") -> Path:
    """Write records as ndjson."""
    path.write_text("".join(json.dumps(record) + end for record in records))
    return path


def read(path: Path, **settings: object) -> list[Drawing]:
    """Read all drawings of a file."""
    return list(DrawingReader(path, **settings))  # type: ignore[arg-type]


def refused(path: Path) -> str:
    """Return the message with which a file is refused."""
    with pytest.raises(DataError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "; " in message
    return message.removeprefix(str(path))


def test_a_simplified_record_is_taken_as_it_is(tmp_path):
    """Whole numbers in the box become offsets, unscaled."""
    (drawing,) = read(write(tmp_path / "x.ndjson", CAT))
    assert drawing.points.tolist() == CAT_ROWS
    assert drawing.points.dtype == np.int16
    assert (drawing.word, drawing.recognized, drawing.split, drawing.synthetic) == ("cat", True, None, False)
    assert drawing.side == 255


def test_a_small_drawing_inside_the_box_keeps_its_size(tmp_path):
    """The official simplification leaves some drawings smaller than 255."""
    (drawing,) = read(write(tmp_path / "x.ndjson", CAT | {"drawing": [[[0, 40], [0, 100]]]}))
    assert drawing.points.tolist() == [[40, 100, 1]]


@pytest.mark.parametrize("drawing", [[[[-10, 90], [0, 50]]], [[[0, 510], [0, 255]]], [[[0.0, 1.0], [0.25, 0.75]]]])
def test_what_is_not_in_the_box_is_scaled_to_it(tmp_path, drawing):
    """Other units and fractions: the larger side becomes 255."""
    (found,) = read(write(tmp_path / "x.ndjson", CAT | {"drawing": drawing}))
    (row,) = found.points.tolist()
    assert row[0] == 255
    assert row[1] == 128 or row[1] == 127


def test_a_raw_record_is_scaled_and_simplified(tmp_path):
    """Times make a record raw: the points on a straight edge go, its corners stay."""
    xs = [*np.linspace(100, 610, 52).tolist(), 610.0]
    ys = [*[20.0] * 52, 275.0]
    reader = DrawingReader(write(tmp_path / "x.ndjson", CAT | {"drawing": [[xs, ys, list(range(53))]]}))
    (drawing,) = reader
    assert drawing.points.tolist() == [[255, 0, 0], [0, 128, 1]]
    assert drawing.side == 510
    assert reader.kinds == {"raw"}


def test_missing_flags_mean_recognised_and_drawn_by_hand(tmp_path):
    """Only a record that says so is unrecognised or synthetic."""
    plain = {"word": "cat", "drawing": CAT["drawing"]}
    flagged = plain | {"recognized": False, "synthetic": True}
    one, two = read(write(tmp_path / "x.ndjson", plain, flagged))
    assert (one.recognized, one.synthetic) == (True, False)
    assert (two.recognized, two.synthetic) == (False, True)


def test_a_drawing_without_ink_has_no_rows(tmp_path):
    """An empty list, and lines without points."""
    empty, hollow = read(write(tmp_path / "x.ndjson", CAT | {"drawing": []}, CAT | {"drawing": [[[], []]]}))
    assert len(empty.points) == len(hollow.points) == 0


def test_lines_without_points_are_passed_over(tmp_path):
    """They are no pen-down."""
    (drawing,) = read(write(tmp_path / "x.ndjson", CAT | {"drawing": [[[], []], [[0, 255], [0, 9]], [[], []]]}))
    assert drawing.points.tolist() == [[255, 9, 1]]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(CAT),
        json.dumps([CAT]),
        json.dumps(CAT, indent=2),
        json.dumps([CAT], indent=1) + "\n",
        "\n \n" + json.dumps(CAT) + "\r\n\n",
        "\ufeff" + json.dumps(CAT),
    ],
)
def test_one_object_a_list_and_lines_are_all_read(tmp_path, text):
    """The json that `sketch-draw` writes may be one record or several, on one line or on many."""
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    (drawing,) = read(path)
    assert drawing.points.tolist() == CAT_ROWS


def test_what_our_writer_writes_is_read_as_synthetic(tmp_path):
    """A model's drawing keeps its strokes, its class and the mark that no person made it."""
    lines = (np.array([[10.0, 10], [265, 10], [265, 19]]), np.array([[13.0, 14]]))
    drawn = [Sketch(lines, "palm tree"), Sketch(lines, "cat", seed=7)]
    path = tmp_path / "x.json"
    path.write_bytes(render(drawn))
    person, model = read(path)
    assert person.points.tolist() == model.points.tolist() == CAT_ROWS
    assert [(one.word, one.synthetic) for one in (person, model)] == [("palm tree", False), ("cat", True)]


def test_a_gzip_file_is_read(tmp_path):
    """The name does not matter, the content does."""
    path = tmp_path / "cat.ndjson.gz"
    path.write_bytes(gzip.compress((json.dumps(CAT) + "\n").encode() * 3))
    reader = DrawingReader(path)
    assert len(list(reader)) == 3
    assert len(reader.sha256) == 64


def test_the_hash_is_that_of_the_file(tmp_path):
    """It is taken from the bytes that were read."""
    path = write(tmp_path / "x.ndjson", CAT, CAT)
    reader = DrawingReader(path)
    list(reader)
    import hashlib

    assert reader.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert reader.count == path.stat().st_size


def test_unwanted_classes_of_a_mixed_file_are_passed_over(tmp_path):
    """Even where their records are damaged: nobody asked for them."""
    path = write(tmp_path / "x.ndjson", CAT, {"word": "dog", "drawing": 3}, CAT)
    reader = DrawingReader(path, classes={"cat"})
    assert len(list(reader)) == 2
    assert reader.words == {"cat", "dog"}


def test_a_file_named_after_an_unwanted_class_is_left_after_its_first_record(tmp_path):
    """A folder of 345 files is no burden for one class."""
    path = write(tmp_path / "cat.ndjson", CAT, {"word": "dog", "drawing": []})
    reader = DrawingReader(path, classes={"dog"})
    assert list(reader) == []
    assert (reader.words, reader.sha256) == ({"cat"}, "")


def test_bad_records_are_passed_on_where_somebody_takes_them(tmp_path):
    """The good ones around them are read."""
    errors: list[DataError] = []
    path = write(tmp_path / "x.ndjson", CAT, {"word": "cat"}, CAT, [1], CAT)
    assert len(read(path, on_bad=errors.append)) == 3
    assert [str(error).split(":")[1] for error in errors] == ["2", "4"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"word": None}, ":word: is NoneType (expected a class name)"),
        ({"word": ""}, ":word: '' is no class name"),
        ({"word": " cat"}, ":word: ' cat' is no class name"),
        ({"word": "c\nt"}, ":word: 'c\\nt' is no class name"),
        ({"word": "\ud800"}, ":word: "),
        ({"word": "x" * (NAME_LIMIT + 1)}, ":word: is a class name of 101 characters (at most 100)"),
        ({"drawing": {}}, ":drawing: is dict (expected a list of lines)"),
        ({"drawing": [3]}, ":drawing[0]: is no line"),
        ({"drawing": [[[0], [0]], [[0]]]}, ":drawing[1]: is no line"),
        ({"drawing": [[[0], [0], [0], [0]]]}, ":drawing[0]: is no line"),
        ({"drawing": [[[0, 1], 5]]}, ":drawing[0]: is no line"),
        ({"drawing": [[[0, 1], [0]]]}, ":drawing[0]: coordinates differ in number (got 2, 1)"),
        ({"drawing": [[[0, 1], [0, 1], [0]]]}, ":drawing[0]: coordinates differ in number (got 2, 2, 1)"),
        ({"drawing": [[[0, "1"], [0, 1]]]}, ":drawing: a coordinate is no number"),
        ({"drawing": [[[0, True], [0, 1]]]}, ":drawing: a coordinate is no number"),
        ({"drawing": [[[0, None], [0, 1]]]}, ":drawing: a coordinate is no number"),
        ({"drawing": [[[0, [1]], [0, 1]]]}, ":drawing: a coordinate is no number"),
        ({"drawing": [[[0, 1e9], [0, 1]]]}, ":drawing: a coordinate is beyond +-10000000"),
        ({"drawing": [[[0, 10**400], [0, 1]]]}, ":drawing: a coordinate is beyond all limits"),
        ({"drawing": [[[0, 1] * 10_001] * 3]}, ":drawing: has 20002 raw points (at most 20000)"),
        ({"recognized": 1}, ":recognized: is int (expected true or false)"),
        ({"synthetic": "yes"}, ":synthetic: is str (expected true or false)"),
    ],
)
def test_a_wrong_value_is_named_with_line_and_key(tmp_path, change, what):
    """The message says where, what came and what was expected."""
    message = refused(write(tmp_path / "x.ndjson", CAT, CAT | change))
    assert message.startswith(":2" + what)


@pytest.mark.parametrize("key", ["word", "drawing"])
def test_a_missing_key_is_named(tmp_path, key):
    """Both keys are needed."""
    record = {name: value for name, value in CAT.items() if name != key}
    assert refused(write(tmp_path / "x.ndjson", CAT, record)).startswith(f":2: has no '{key}'")


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b'{"word": "cat", "drawing": [[[0,1],[0,1]]}', "is no JSON (Expecting ',' delimiter at character 42)"),
        (b'{"word": "cat", "drawing": [[[0,NaN],[0,1]]]}', "is no JSON that can be read (NaN is no JSON number)"),
        (b'{"word": "cat", "drawing": [[[0,-Infinity],[0,1]]]}', "is no JSON that can be read (-Infinity is no"),
        (b'{"word": "cat", "drawing": [[[0,1e999],[0,1]]]}', None),
        (b'{"word": "cat", "word": "dog", "drawing": []}', "is no JSON that can be read (a key is given twice)"),
        (b'{"word": "c\xff", "drawing": []}', "is no UTF-8 text (byte 12 of the line)"),
        (b"[1, 2]", "is list (expected an object"),
        (b"7", "is int (expected an object"),
        (b"[" * 100_000, "is no JSON that can be read (nested too deep)"),
        (b'{"a":' * 100_000, "is no JSON that can be read (nested too deep)"),
        (
            b'{"word": "cat", "drawing": [[[' + b"9" * 5000 + b"],[1]]]}",
            "is no JSON that can be read (Exceeds the limit",
        ),
    ],
)
def test_a_damaged_line_is_named(tmp_path, line, what):
    """In a file that starts well, the second line is the bad one."""
    path = tmp_path / "x.ndjson"
    path.write_bytes(json.dumps(CAT).encode() + b"\n" + line + b"\n")
    expected = ":2: " + what if what else ":2:drawing: a coordinate is beyond"
    assert refused(path).startswith(expected)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", ": is empty (expected drawings)"),
        (b" \n\n", ": holds nothing but blanks"),
        (b"<!DOCTYPE html><html>", ": is a web page or XML"),
        (b"\n  <html>", ": is a web page or XML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", ": is a Git LFS pointer"),
        (b"\x80\x02]q\x00.", ": is a pickle or a bare array"),
        (b"\x93NUMPY\x01\x00", ": is a pickle or a bare array"),
        (b"word,drawing\n", ": starts with b'word,dra', not with a JSON object or list"),
        (b"\xff\xfe{\x00", ": starts with b'\\xff\\xfe{\\x00'"),
        (b'{"word": "cat",\n', ":2: is no JSON (Expecting property name"),
        (b'[\n{"word": "cat",\n"drawing": []},\n}', ":4: is no JSON ("),
        (b'[{"word": "cat", "drawing": []}, 3]', ":[1]: is int (expected an object"),
        (b'[\n"\xff"]', ":2: is no UTF-8 text (byte 4 of the file)"),
        (b"[" * 50_000, ":1: is no JSON that can be read (nested too deep)"),
        (b"PK\x03\x04 no zip", ": is a damaged or cut zip"),
        (b"\x1f\x8b no gzip", ": is a damaged or cut gzip file"),
        (b"\n" * 2000 + b"{}", ":"),
    ],
)
def test_a_foreign_or_damaged_file_is_named_for_what_it_is(tmp_path, content, what):
    """A web page saved under the name of a download is told from a cut one."""
    path = tmp_path / "cat.ndjson"
    path.write_bytes(content)
    assert refused(path).startswith(what)


def test_a_cut_gzip_file_is_refused(tmp_path):
    """The drawings before the cut do not hide it."""
    path = tmp_path / "cat.ndjson.gz"
    packed = gzip.compress("".join(json.dumps(CAT | {"key_id": str(i)}) + "\n" for i in range(5000)).encode())
    path.write_bytes(packed[: len(packed) // 2])
    assert refused(path).startswith(": is a damaged or cut gzip file")


def test_a_gzip_header_without_end_is_refused(tmp_path):
    """Its name is read byte by byte, which would take a minute for these megabytes."""
    path = tmp_path / "cat.ndjson.gz"
    path.write_bytes(b"\x1f\x8b\x08\x08" + bytes(6) + b"x" * 20_000_000)
    start = time.monotonic()
    assert "a header without end" in refused(path)
    assert time.monotonic() - start < 2


def test_a_word_that_no_class_can_have_is_not_remembered(tmp_path):
    """Records of other classes are passed over, and so are their names where these have megabytes."""
    path = write(tmp_path / "x.ndjson", {"word": "a" * 1000, "drawing": []}, {"word": "dog", "drawing": []})
    reader = DrawingReader(path, classes={"cat"})
    assert list(reader) == []
    assert reader.words == {"dog"}


def test_a_gzip_bomb_is_refused(tmp_path):
    """5 MB of blanks in 5 kB: given up long before its end."""
    path = tmp_path / "cat.ndjson.gz"
    path.write_bytes(gzip.compress(json.dumps(CAT).encode() + b"\n" + (b" " * 999 + b"\n") * 5_000))
    message = refused(path)
    assert "inflates to over 50 times its size" in message or "empty lines in a row" in message


def test_a_gzip_bomb_of_records_is_refused(tmp_path):
    """Records that all look alike shrink a hundred times, real ones four times."""
    path = tmp_path / "cat.ndjson.gz"
    path.write_bytes(gzip.compress((json.dumps(CAT).encode() + b"\n") * 20_000))
    assert refused(path).startswith(": inflates to over 50 times its size")


def test_a_line_of_many_megabytes_is_refused(tmp_path, monkeypatch):
    """It is not even read to its end."""
    monkeypatch.setattr(drawings, "LONGEST_LINE", 1000)
    path = write(tmp_path / "x.ndjson", CAT, CAT | {"key_id": "1" * 2000})
    assert refused(path).startswith(":2: is a line of over")


def test_a_document_of_many_megabytes_is_refused(tmp_path, monkeypatch):
    """A list has to be read whole: large files have to be ndjson."""
    monkeypatch.setattr(drawings, "LARGEST_DOCUMENT", 1000)
    path = tmp_path / "x.json"
    path.write_text(json.dumps([CAT] * 20))
    assert refused(path).startswith(": is one JSON value of over")


@pytest.mark.parametrize("kind", ["missing", "folder", "device"])
def test_what_is_no_plain_file_is_refused(tmp_path, kind):
    """None of them is waited for."""
    path = {"missing": tmp_path / "no.ndjson", "folder": tmp_path, "device": Path("/dev/zero")}[kind]
    expected = ": does not exist" if kind == "missing" else ": is no plain file"
    assert refused(path).startswith(expected)


coordinates = st.integers(0, 255)
pen_lines = st.lists(st.lists(st.tuples(coordinates, coordinates), max_size=6), max_size=5)


@settings(max_examples=60, deadline=None)
@given(pen_lines)
def test_reading_gives_what_the_stroke_definition_says(tmp_path_factory, lines):
    """The fast encoder and `lines_to_stroke3` agree on any drawing in the box."""
    drawing = [[[x for x, _ in line], [y for _, y in line]] for line in lines]
    path = write(tmp_path_factory.mktemp("hyp") / "x.ndjson", {"word": "cat", "drawing": drawing})
    (found,) = read(path)
    expected = lines_to_stroke3([np.array(line, np.int64).reshape(-1, 2) for line in lines])
    assert found.points.tolist() == expected.tolist()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=6), min_size=1, max_size=5))
def test_the_encoder_agrees_with_the_stroke_definition(lines):
    """Dots, repeats and closed lines included."""
    points = np.array([point for line in lines for point in line], np.int64)
    rows = encode_lines(points, [len(line) for line in lines])
    assert rows.tolist() == lines_to_stroke3([np.array(line) for line in lines]).tolist()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_damage_is_a_data_error_or_harmless(tmp_path_factory, data):
    """A record with any bytes replaced or cut is read or refused, never a crash."""
    content = bytearray((json.dumps(CAT) + "\n").encode() * 2)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("hyp") / "x.ndjson"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        drawings = read(path)
    except DataError:
        return
    assert all(drawing.points.dtype == np.int16 for drawing in drawings)


def test_reading_needs_no_training_packages():
    """A Pi owner can prepare data."""
    code = "import sys, sketch_edge.train.prepare, sketch_edge.train.fetch, sketch_edge.train.describe; "
    code += "sys.exit(bool({'torch', 'onnx', 'tqdm', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
