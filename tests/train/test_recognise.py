"""The judge that chooses among a model's drawings before another one learns from them."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.train import recognise, sample
from sketch_edge.train.prepare import prepare
from sketch_edge.train.sample import Choice, plan_samples, sample_class
from tests.train.evaluate.toys import CLASSES, toy_data, toy_drawings

TINY = Path(__file__).parents[1] / "data" / "tiny.sketch.zip"


class LongOnes:
    """A judge that wants long drawings: how many rows of sixty."""

    name = "rows"

    def look(self, name, sketches):
        return np.array([min(len(np.concatenate(sketch.lines)) / 60, 1.0) for sketch in sketches])


class Nothing:
    """A judge that is never content."""

    name = "nothing"

    def look(self, name, sketches):
        return np.zeros(len(sketches))


def _records(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_the_judge_learns_from_real_drawings_and_tells_classes_apart(tmp_path, monkeypatch):
    """Unseen drawings of a class are surely of it, those of the next one are not; the second one is the kept one."""
    monkeypatch.setattr(recognise, "STEPS", 120)
    toy_data(train=60, test=5).save(tmp_path / "toys.npz")
    steps = []
    judge = recognise.Recogniser(tmp_path / "toys.npz", ["Circle", "square"], lambda done, total: steps.append(done))
    assert steps[-1] == 120
    for name, other in zip(CLASSES, (*CLASSES[1:], CLASSES[0]), strict=True):
        sketches = [Sketch(tuple(each.lines)) for each in toy_drawings(name, 20, seed=5)]
        assert (judge.look(name, sketches) > 0.5).mean() > 0.8
        assert (judge.look(other, sketches) > 0.5).mean() < 0.2
    steps.clear()
    assert recognise.Recogniser(tmp_path / "toys.npz", []).name == judge.name
    assert not steps


def test_a_class_without_real_drawings_is_refused_before_anything_is_learnt(tmp_path):
    """Drawings that models made do not count."""
    data = toy_data(train=6, test=2)
    made = dataclasses.replace(data, synthetic=(data.class_ids == 1) & (data.split_ids == 0))
    made.save(tmp_path / "toys.npz")
    for name in ("cow", "ladder"):
        with pytest.raises(InputError, match=f"toys.npz: has no real drawings to recognise '{name}'"):
            recognise.Recogniser(tmp_path / "toys.npz", [name])


def test_only_recognised_drawings_are_kept_and_say_so(tmp_path):
    """Each can be had again, tells how surely it was recognised, and is good to train on."""
    choice = Choice(LongOnes(), 0.25)
    done = sample_class("cat", plan_samples([TINY])["cat"], tmp_path, count=9, seed=3, choice=choice)
    records = _records(done.path)
    assert (done.drawings, len(records)) == (9, 9)
    assert done.unrecognised > 0
    for record in records:
        assert (record["judge"], record["least"]) == ("rows", 0.25)
        points = sum(len(xs) for xs, _ in record["drawing"])
        assert record["certainty"] == pytest.approx(min(points / 60, 1), abs=1e-4)
        assert record["certainty"] >= 0.25
    assert prepare([tmp_path]).data.synthetic.all()


def test_the_same_choice_keeps_the_file_and_another_is_refused(tmp_path):
    """As without a judge; who judged and how strictly are part of what was asked for."""
    plan = plan_samples([TINY])
    choice = Choice(LongOnes(), 0.25)
    first = sample_class("cat", plan["cat"], tmp_path, count=5, seed=3, choice=choice)
    again = sample_class("cat", plan["cat"], tmp_path, count=5, seed=3, choice=choice)
    assert (again.kept, again.drawings) == (True, first.drawings)
    for other in (None, Choice(LongOnes(), 0.3), Choice(Nothing(), 0.25)):
        with pytest.raises(InputError, match="holds other drawings"):
            sample_class("cat", plan["cat"], tmp_path, count=5, seed=3, choice=other)


def test_a_class_that_is_never_recognised_leaves_no_file(tmp_path, monkeypatch):
    """It ends after a number of tries; the other classes go on."""
    monkeypatch.setattr(sample, "AT_ONCE", 16)
    done = sample_class("cat", plan_samples([TINY])["cat"], tmp_path, count=2, seed=3, choice=Choice(Nothing(), 0.5))
    assert (done.drawings, list(tmp_path.iterdir())) == (0, [])
    assert 24 <= done.unrecognised + done.cut <= 40
