"""The official simplified form."""

import json
from typing import Any

import numpy as np

from sketch_edge.runtime.layout import arrange
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.strokes import simplified_to_lines
from sketch_edge.runtime.writers import render, save
from sketch_edge.train.readers import DrawingReader


def lines(*each: Any) -> tuple[Any, ...]:
    """Lines as a sketch takes them, of plain lists."""
    return each


HOUSE = lines([[10, 20], [30, 20], [30, 50]], [[15, 60]])


def test_a_drawn_sketch_says_how_to_have_it_again():
    """The record has the official keys, and ours that say that no person drew it."""
    sketch = Sketch(HOUSE, "house", seed=7, index=2, temperature=0.4, source="quickdraw")
    assert render(sketch, "json") == (
        b'{"word": "house", "synthetic": true, "seed": 7, "index": 2, "temperature": 0.4, "source": "quickdraw", '
        b'"drawing": [[[0, 128, 128], [0, 0, 191]], [[32], [255]]]}\n'
    )


def test_a_sketch_of_unknown_origin_is_not_called_synthetic():
    """Without a seed there is no claim about who drew it."""
    assert render(Sketch(HOUSE, "house"), "json") == (
        b'{"word": "house", "drawing": [[[0, 128, 128], [0, 0, 191]], [[32], [255]]]}\n'
    )


def test_each_sketch_is_one_line():
    """The file is ndjson: one object a line, in order, also where a label has line ends and other letters."""
    labels = ["cat", "line\nend \u2028 é \ud800 \x00", ""]
    content = render([Sketch(HOUSE, label) for label in labels], "json")
    assert content.isascii()
    assert content.endswith(b"\n")
    assert [json.loads(line)["word"] for line in content[:-1].split(b"\n")] == labels


def test_the_lines_can_be_read_back():
    """Reading the record gives the drawing in its 255 box, dots and order of lines kept."""
    sketch = Sketch(lines([[-100, 0], [410, 51]], [[155, 20]]), "line")
    record = json.loads(render(sketch, "json"))
    read = simplified_to_lines(record["drawing"])
    np.testing.assert_array_equal(read[0], [[0, 0], [255, 26]])
    np.testing.assert_array_equal(read[1], [[128, 10]])


def test_a_scene_is_written_object_by_object():
    """Places on a page are not part of the form: each object fills its own box again."""
    sketch = Sketch(HOUSE, "house", seed=7)
    assert render(arrange([sketch, sketch], layout="row"), "json") == 2 * render(sketch, "json")


def test_our_own_reader_takes_it(tmp_path):
    """What is drawn can be trained on: word, strokes and the mark of a synthetic drawing come through."""
    house = Sketch(HOUSE, "house", seed=7, temperature=0.4)
    save([house, Sketch(lines([[5, 5]]), "dot")], tmp_path / "drawn.json")
    first, second = DrawingReader(tmp_path / "drawn.json")
    assert (first.word, first.synthetic, second.word, second.synthetic) == ("house", True, "dot", False)
    np.testing.assert_array_equal(first.points, [[128, 0, 0], [0, 191, 1], [-96, 64, 1]])
    np.testing.assert_array_equal(second.points, [[0, 0, 1]])
