"""What a checkpoint says about its model, read strictly."""

import dataclasses
import json

import pytest

from sketch_edge.runtime.errors import CheckpointError, InputError
from sketch_edge.runtime.manifest import MAX_CLASSES, MAX_NAME_LENGTH, MAX_POINTS
from sketch_edge.train.about import MAX_SCALE, About, check_exportable, read_about, write_about
from sketch_edge.train.sheet import drawing_manifest

torch = pytest.importorskip("torch")

LOSSES = {"offset": -0.5, "pen": 0.1, "kl": 0.3, "total": -0.1}
ABOUT = About(("cat", "star"), 31.5, 80, "ab" * 32, 7, 2, {"cat": 3, "star": 4}, 9, LOSSES)


def test_round_trip():
    """What was written is read, classes as a tuple."""
    assert read_about(write_about(ABOUT), "m.pt:about") == ABOUT


def test_what_an_older_version_did_not_write_is_not_needed():
    """Classes, scale and max_points suffice."""
    text = json.dumps({"classes": ["cat"], "scale": 3, "max_points": 9})
    assert read_about(text, "about") == About(("cat",), 3.0, 9)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"classes": None}, r"\.classes: is None"),
        ({"classes": []}, r"\.classes: are 0"),
        ({"classes": ["cat", "cat"]}, r"\.classes: a name stands twice"),
        ({"classes": ["cat", ""]}, r"\.classes\[1\]: is ''"),
        ({"classes": ["a\x1b[2J"]}, r"\.classes\[0\]: is 'a\\x1b"),
        ({"classes": ["x" * 101]}, r"\.classes\[0\]: is 'xxx"),
        ({"classes": ["cat", 3]}, r"\.classes: is a list"),
        ({"scale": 0}, r"\.scale: is 0"),
        ({"scale": float("nan")}, "NaN is no JSON number"),
        ({"scale": float("inf")}, "Infinity is no JSON number"),
        ({"scale": True}, r"\.scale: is True"),
        ({"scale": "31"}, r"\.scale: is '31'"),
        ({"scale": 10**400}, r"\.scale: is a huge number"),
        ({"max_points": 10_001}, r"\.max_points: is 10001"),
        ({"max_points": 2.5}, r"\.max_points: is 2\.5"),
        ({"counts": {"cat": -1}}, r"\.counts: is -1"),
        ({"counts": {"dog": 1}}, r"\.counts: names a class"),
        ({"counts": [1]}, r"\.counts: is a list"),
        ({"losses": {"kl": 1.0}}, r"\.losses: has other names"),
        ({"losses": {**LOSSES, "kl": None}}, r"\.losses: is None"),
        ({"step": 1e3}, r"\.step: is 1000\.0"),
        ({"credit": "two\nlines"}, r"\.credit: is 'two\\nlines'"),
        ({"licence": ""}, r"\.licence: is empty"),
        ({"more": 1}, r"\.more: is unknown"),
    ],
)
def test_values_that_cannot_be_are_refused_by_name(change, what):
    """File, key, what is wrong; one line."""
    text = json.dumps({**json.loads(write_about(ABOUT)), **change})
    with pytest.raises(CheckpointError, match=r"^m\.pt:about.*" + what) as refused:
        read_about(text, "m.pt:about")
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("text", [None, b"{}", "", "[]", "3", "{", "[" * 10**5, '{"scale": 1, "max_points": 2}'])
def test_what_is_no_such_json_is_refused(text):
    """Whatever stands in its place."""
    with pytest.raises(CheckpointError, match=r"^about"):
        read_about(text, "about")


@pytest.mark.parametrize(
    "text",
    [
        '{"classes": ["cat"], "classes": ["dog"], "scale": 3, "max_points": 9}',
        '{"classes": ["cat"], "scale": 3, "max_points": 9, "counts": {"cat": 1, "cat": 2}}',
    ],
)
def test_a_key_that_stands_twice_is_refused(text):
    """At the top and below: it is open which of the two counts."""
    with pytest.raises(CheckpointError, match=r"^about: is no proper JSON \(a key stands twice\)"):
        read_about(text, "about")


def test_the_limits_are_those_of_a_bundle():
    """The largest of everything goes through the reader of the manifest; one more does not come as far."""
    from sketch_edge.runtime.manifest import Manifest
    from sketch_edge.train.config import ModelConfig
    from sketch_edge.train.models.vae import SketchVAE

    names = tuple(f"{number:x<{MAX_NAME_LENGTH}}" for number in range(MAX_CLASSES))
    largest = dataclasses.replace(ABOUT, classes=names, scale=MAX_SCALE, max_points=MAX_POINTS, counts={})
    check_exportable(largest)
    model = SketchVAE(ModelConfig(2, 2, 2, 2, 1), 1)
    text = drawing_manifest(model, largest).to_json()
    assert Manifest.from_json(text).classes == names
    for change in ({"classes": (*names, "more")}, {"scale": MAX_SCALE + 1}, {"max_points": MAX_POINTS + 1}):
        with pytest.raises(InputError, match="expected"):
            check_exportable(dataclasses.replace(largest, **change))
