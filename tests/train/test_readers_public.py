"""The readers on real public files; skipped where SKETCH_DATA does not name a folder of them.

SKETCH_DATA holds ``quickdraw/simplified/*.ndjson`` with ``quickdraw/counts.json`` (drawings of each class),
``raw/*.ndjson`` and ``sketchrnn/*.npz``.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sketch_edge.train.readers import Drawing, DrawingReader

DATA = Path(os.environ.get("SKETCH_DATA", "/nowhere"))

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="SKETCH_DATA names no folder of public drawings")


def test_all_classes_are_prepared_within_time_and_memory(tmp_path):
    """345 files in one go: every drawing read or the error says why; under 2 minutes and 2 GB."""
    code = (
        "import resource, sys, json, time; from pathlib import Path\n"
        "from sketch_edge.train.prepare import prepare\n"
        "start = time.monotonic()\n"
        "prepared = prepare([Path(sys.argv[1])]); prepared.data.save(sys.argv[2])\n"
        "print(json.dumps({'read': {k: v.read for k, v in prepared.counts.items()}, 'kept': len(prepared.data),\n"
        "  'dropped': sum(v.unrecognised + v.too_long + v.empty + v.duplicate for v in prepared.counts.values()),\n"
        "  'seconds': time.monotonic() - start,\n"
        "  'megabytes': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))\n"
    )
    argv = [sys.executable, "-c", code, str(DATA / "quickdraw" / "simplified"), str(tmp_path / "data.npz")]
    found = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    counts = json.loads((DATA / "quickdraw" / "counts.json").read_text())
    assert found["read"] == counts
    assert found["kept"] + found["dropped"] == sum(counts.values())
    assert found["seconds"] < 120
    assert found["megabytes"] < 2000


@pytest.mark.parametrize(
    ("name", "train", "valid", "test"),
    [
        ("aaron_sheep.npz", 7400, 300, 300),
        ("kanji.rdp200.npz", 10358, 600, 500),
        ("omniglot.npz", 30000, 1000, 1000),
        ("short_kanji.npz", 10000, 600, 500),
    ],
)
def test_sketchrnn_files_have_the_right_counts(name, train, valid, test):
    """Both pickle dialects, every array."""
    drawings = list(DrawingReader(DATA / "sketchrnn" / name))
    splits = [drawing.split for drawing in drawings]
    assert [splits.count(split) for split in range(3)] == [train, valid, test]
    assert {drawing.word for drawing in drawings} == {name.split(".")[0]}
    assert all((drawing.points[-1, 2] == 1) for drawing in drawings)


def files(folder: str) -> list[Path]:
    return sorted((DATA / folder).glob("*.ndjson"))


@pytest.mark.parametrize("path", files("raw"), ids=lambda path: path.stem)
def test_raw_drawings_come_out_like_the_official_simplification(path):
    """The same drawing, by its key, has nearly as many points as in the simplified file of its class."""
    ours = keyed(path)
    official = keyed(DATA / "quickdraw" / "simplified" / path.name)
    both = [(len(ours[key].points), len(official[key].points)) for key in ours.keys() & official.keys()]
    assert len(both) >= 20
    difference = np.array([abs(one - two) for one, two in both])
    assert np.median(difference) <= 1
    assert difference.max() <= 6
    medians = np.median(both, axis=0)
    assert abs(medians[0] - medians[1]) <= 2


def keyed(path: Path) -> dict[str, Drawing]:
    """Read the drawings of a file under their keys."""
    keys = [json.loads(line).get("key_id") for line in path.read_text().splitlines()]
    return dict(zip(keys, DrawingReader(path), strict=True))
