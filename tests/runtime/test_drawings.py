"""Given strokes: records of ndjson and json, read as sketches or refused."""

import json
import os

import numpy as np
import pytest

from sketch_edge.runtime.drawings import MOST_POINTS, read_sketches
from sketch_edge.runtime.errors import DataError
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.writers.json import render

CAT = {"word": "cat", "drawing": [[[0, 10, 255], [5, 0, 9]], [[3], [4]]]}


def write(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_a_record_is_read_as_it_stands(tmp_path):
    """Label and coordinates, unscaled; a dot is a line of one point."""
    sketch = read_sketches(write(tmp_path / "x.ndjson", CAT), [0])[0]
    assert sketch.label == "cat"
    assert [line.tolist() for line in sketch.lines] == [[[0, 5], [10, 0], [255, 9]], [[3, 4]]]


def test_records_by_number(tmp_path):
    """Several of one file, in any order; others are not even parsed."""
    path = tmp_path / "x.ndjson"
    path.write_text(
        '{"word": "a", "drawing": [[[1], [1]]]}\n{"word": nonsense}\n\n{"word": "c", "drawing": [[[3], [3]]]}\n'
    )
    assert {number: sketch.label for number, sketch in read_sketches(path, [2, 0]).items()} == {0: "a", 2: "c"}


def test_what_the_json_writer_writes_is_read(tmp_path):
    """A sketch comes back as its simplified form."""
    sketch = Sketch((np.array([[0, 0], [255, 100]]),), "star", 7)
    path = tmp_path / "star.json"
    path.write_bytes(render([sketch, sketch]))
    assert np.array_equal(read_sketches(path, [1])[1].lines[0], sketch.lines[0])


def test_a_list_of_records_is_read(tmp_path):
    """A json array works like ndjson."""
    path = tmp_path / "x.json"
    path.write_text(json.dumps([CAT, CAT | {"word": "dog"}], indent=1))
    assert read_sketches(path, [1])[1].label == "dog"


def test_raw_points_are_kept(tmp_path):
    """Times are passed over, points stay as the pen reported them."""
    record = {"word": "cat", "drawing": [[[0.5, 700, 1], [1, 2, 3], [0, 10, 20]]]}
    assert read_sketches(write(tmp_path / "x.ndjson", record), [0])[0].point_count == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ": holds nothing but blanks"),
        (b"<html>", ": is a web page or XML"),
        (b"{}\n{}\n", ":1: has no 'word'"),
        (b'{"word": "cat"}\n', ":1: has no 'drawing'"),
        (b'{"word": "cat", "drawing": []}\n', ":1:drawing: has 0 points"),
        (b'{"word": "cat", "drawing": [[[1, 2], [3]]]}\n', ":1:drawing[0]: coordinates differ in number"),
        (b'{"word": "cat", "drawing": [[[NaN], [3]]]}\n', ":1: is no JSON"),
        (b'{"word": "cat", "drawing": [[[1e999], [3]]]}\n', ":1:drawing: a coordinate is beyond"),
        (b'{"word": "cat", "drawing": [[["a"], [3]]]}\n', ":1:drawing: a coordinate is no number"),
        (b'{"word": "c\\u001b", "drawing": [[[1], [3]]]}\n', ":1:word: "),
        (b"\xff\xfe{}\n", ": starts with"),
        (b"[" * 100_000, ":1: is no JSON"),
    ],
)
def test_bad_records_are_refused(tmp_path, content, message):
    """The error says file and line."""
    path = tmp_path / "x.ndjson"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_sketches(path, [0])
    assert str(caught.value).startswith(f"{path}{message}")


def test_a_number_too_large_for_any_float_is_refused(tmp_path):
    """A coordinate of 400 digits, which json reads as a whole number."""
    path = tmp_path / "x.ndjson"
    path.write_text('{"word": "cat", "drawing": [[[0, 1%s], [1, 2]]]}' % ("0" * 400))
    with pytest.raises(DataError, match=r"x\.ndjson:1:drawing: a coordinate is beyond"):
        read_sketches(path, [0])


def test_a_record_that_is_not_there_is_refused(tmp_path):
    """The error says which there are."""
    with pytest.raises(DataError, match=r"x.ndjson: has no record 5 \(expected 0 to 1\)"):
        read_sketches(write(tmp_path / "x.ndjson", CAT, CAT), [1, 5])


def test_too_many_points_are_refused(tmp_path):
    """A drawing of that size is a data dump."""
    record = {"word": "cat", "drawing": [[[1] * (MOST_POINTS + 1), [1] * (MOST_POINTS + 1)]]}
    with pytest.raises(DataError, match=f"has {MOST_POINTS + 1} points"):
        read_sketches(write(tmp_path / "x.ndjson", record), [0])


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_what_is_no_plain_file_is_refused(tmp_path, kind):
    """None of them is waited for."""
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(DataError, match="does not exist" if kind == "missing" else "is no plain file"):
        read_sketches(path, [0])
