"""What a file holds, in figures."""

import json

import numpy as np
import pytest

from sketch_edge.runtime.errors import DataError
from sketch_edge.train.dataset import file_sha256
from sketch_edge.train.describe import describe
from sketch_edge.train.prepare import prepare

RECORDS = [
    {"word": "cat", "drawing": [[[0, 255], [0, 9]]]},
    {"word": "cat", "drawing": [[[0, 100, 50], [0, 9, 30]]], "recognized": False},
    {"word": "bee", "drawing": [[[0, 200, 9, 3], [0, 9, 7, 8]]], "synthetic": True},
]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "x.ndjson"
    path.write_text("".join(json.dumps(record) + "\n" for record in RECORDS))
    return path


def test_a_drawing_file_is_described(path):
    """Classes, points, sides, flags."""
    found = describe(path)
    assert found.kind == "simplified"
    assert found.drawings == 3
    assert found.classes == {"bee": 1, "cat": 2}
    assert found.points == (1, 2, 3)
    assert found.sides == (100, 200, 255)
    assert (found.unrecognised, found.synthetic, found.splits, found.bad) == (1, 1, {}, 0)
    assert found.sha256 == file_sha256(path)


def test_the_splits_of_a_sketchrnn_file_are_counted(tmp_path):
    """As it gives them."""
    arrays = np.empty(2, object)
    arrays[:] = [np.array([[250, 0, 1]], np.int16)] * 2
    np.savez(tmp_path / "cat.npz", allow_pickle=True, train=arrays, test=arrays)
    found = describe(tmp_path / "cat.npz")
    assert (found.kind, found.splits) == ("sketchrnn", {"train": 2, "valid": 0, "test": 2})


def test_a_data_set_is_described(path, tmp_path):
    """Its sides are those of its drawings, the origin included."""
    prepare([path]).data.save(tmp_path / "data.npz")
    found = describe(tmp_path / "data.npz")
    assert (found.kind, found.drawings, found.classes) == ("data set", 2, {"bee": 1, "cat": 1})
    assert found.sides == (200, 227.5, 255)
    assert found.splits == {"train": 2, "valid": 0, "test": 0}
    assert found.synthetic == 1
    assert [source.name for source in found.sources] == ["x.ndjson", "x.ndjson"]


def test_bad_records_are_counted_where_asked(path):
    """The first is told."""
    path.write_text(path.read_text() + "{}\n")
    with pytest.raises(DataError, match=":4: has no 'word'"):
        describe(path)
    found = describe(path, skip_bad=True)
    assert (found.drawings, found.bad) == (3, 1)
    assert ":4: has no 'word'" in found.first_bad


def test_a_file_of_bad_records_only_is_refused(path):
    """There is nothing to describe."""
    path.write_text("{}\n{}\n")
    with pytest.raises(DataError, match=r"holds no drawings .* the first bad record: .*:1: has no 'word'"):
        describe(path, skip_bad=True)
