"""A bundle's drawings as training data."""

import dataclasses
import json
from pathlib import Path

import pytest

from sketch_edge.runtime.artist import load
from sketch_edge.runtime.bundle import read_bundle, write_bundle
from sketch_edge.runtime.errors import InputError, UnfinishedError
from sketch_edge.train.prepare import prepare
from sketch_edge.train.sample import plan_samples, sample_class

TINY = Path(__file__).parents[1] / "data" / "tiny.sketch.zip"


def _teacher(path, **changes):
    """A bundle like the tiny one, but for its manifest."""
    bundle = read_bundle(TINY)
    write_bundle(path, dataclasses.replace(bundle.manifest, **changes), dict(bundle.members))
    return path


def _records(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_each_record_can_be_had_again(tmp_path):
    """Marked synthetic, with the seed, index and temperature that draw it, and whose drawings the model learnt from."""
    plan = plan_samples([TINY], ["palm_tree"])
    assert list(plan) == ["palm tree"]
    done = sample_class("palm tree", plan["palm tree"], tmp_path, count=7, seed=3)
    records = _records(done.path)
    assert (done.path.name, done.drawings, len(records)) == ("palm tree.ndjson", 7, 7)
    artist = load(TINY)
    for record in records:
        sketch = artist.draw("palm tree", seed=record["seed"], index=record["index"], temperature=record["temperature"])
        assert sketch.to_simplified() == record["drawing"]
        assert sketch.complete
        assert record["synthetic"] is True
        assert (record["source"], record["credit"], record["licence"]) == (artist.source, "nobody", "MIT")


def test_a_class_is_sampled_at_its_own_temperature(tmp_path):
    """Which its records say; a second run finds them to be its own."""
    defaults = dataclasses.replace(read_bundle(TINY).manifest.defaults, temperatures={"star": 0.15})
    plan = plan_samples([_teacher(tmp_path / "own.sketch.zip", defaults=defaults)])
    for name, tau in (("star", 0.15), ("cat", 0.4)):
        done = sample_class(name, plan[name], tmp_path, count=3, seed=3)
        assert {record["temperature"] for record in _records(done.path)} == {tau}
        assert sample_class(name, plan[name], tmp_path, count=3, seed=3).kept


def test_hidden_classes_teach_only_where_they_are_asked_to(tmp_path):
    """What a model draws poorly is no example."""
    path = _teacher(tmp_path / "hiding.sketch.zip", hidden=("cat",))
    assert list(plan_samples([path])) == ["palm tree", "star"]
    assert list(plan_samples([path], ["Cat"])) == ["cat"]


def test_drawings_that_are_cut_are_replaced(tmp_path):
    """Whoever learnt from them would learn not to end."""
    sizes = dataclasses.replace(read_bundle(TINY).manifest.sizes, max_points=30)
    path = _teacher(tmp_path / "short.sketch.zip", sizes=sizes)
    done = sample_class("cat", plan_samples([path])["cat"], tmp_path, count=20, seed=1)
    assert done.cut > 0
    assert len(_records(done.path)) == 20
    assert [record["index"] for record in _records(done.path)] != list(range(20))
    again = sample_class("cat", plan_samples([path])["cat"], tmp_path, count=20, seed=1)
    assert again.kept


def test_a_model_that_does_not_end_teaches_nothing(tmp_path):
    """It is said so instead of drawing for ever, and nothing is left behind."""
    sizes = dataclasses.replace(read_bundle(TINY).manifest.sizes, max_points=1)
    path = _teacher(tmp_path / "one.sketch.zip", sizes=sizes)
    with pytest.raises(UnfinishedError, match="come to an end within 1 points"):
        sample_class("cat", plan_samples([path])["cat"], tmp_path, count=20, seed=1)
    assert [each.name for each in tmp_path.iterdir()] == ["one.sketch.zip"]


def test_the_same_arguments_keep_the_file_and_others_are_refused(tmp_path):
    """Nothing that took hours is replaced by mistake; a damaged file is not taken for the right one."""
    plan = plan_samples([TINY])
    first = sample_class("cat", plan["cat"], tmp_path, count=5, seed=3)
    content = first.path.read_bytes()
    assert sample_class("cat", plan["cat"], tmp_path, count=5, seed=3).kept
    for count, seed, temperature in ((6, 3, None), (4, 3, None), (5, 4, None), (5, 3, 0.9)):
        with pytest.raises(InputError, match="holds other drawings"):
            sample_class("cat", plan["cat"], tmp_path, count=count, seed=seed, temperature=temperature)
    assert first.path.read_bytes() == content
    first.path.write_bytes(content[:-20])
    with pytest.raises(InputError, match="holds other drawings"):
        sample_class("cat", plan["cat"], tmp_path, count=5, seed=3)
    first.path.unlink()
    assert sample_class("cat", plan["cat"], tmp_path, count=5, seed=3).path.read_bytes() == content


def test_several_teachers_of_one_class_share_its_file(tmp_path):
    """Names match however they are written; each gives its share; all credits reach the data set."""
    bundle = read_bundle(TINY).manifest
    data = dataclasses.replace(bundle.data, credit="Ada", licence="CC0")
    other = _teacher(tmp_path / "b.sketch.zip", name="other", classes=("Cat", "moon", "Palm_Tree"), data=data)
    plan = plan_samples([TINY, other, TINY])
    assert {name: len(teachers) for name, teachers in plan.items()} == {"cat": 2, "moon": 1, "palm tree": 2, "star": 1}
    folder = tmp_path / "out"
    folder.mkdir()
    for name, teachers in plan.items():
        sample_class(name, teachers, folder, count=4, seed=3)
    assert {record["word"] for record in _records(folder / "cat.ndjson")} == {"cat"}
    prepared = prepare([folder])
    assert prepared.data.synthetic.all()
    assert (prepared.data.split_ids == 0).all()
    assert prepared.data.credit == "Ada; nobody"
    assert prepared.data.licence == "CC0; MIT"


def test_unknown_classes_and_names_that_no_file_can_have(tmp_path):
    """A bundle's class name must not lead out of the folder."""
    with pytest.raises(InputError, match="'cow' is in none of the bundles"):
        plan_samples([TINY], ["cow"])
    for name in ("../cat", "a/b", ".hidden", "a\\b", "con:"):
        path = _teacher(tmp_path / "x.sketch.zip", classes=(name, "moon", "star"))
        with pytest.raises(InputError, match="cannot be the name of a file"):
            plan_samples([path])
        assert list(plan_samples([path], ["moon"])) == ["moon"]


@pytest.mark.parametrize("count", [0, -1, 10**7])
def test_counts_out_of_range(tmp_path, count):
    """Refused before anything is drawn."""
    with pytest.raises(InputError, match="choose a whole number"):
        sample_class("cat", plan_samples([TINY])["cat"], tmp_path, count=count, seed=1)
