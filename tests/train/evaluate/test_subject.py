"""Checkpoints and bundles behind one face: the same drawings and losses, and those of the training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("PIL")

from sketch_edge.export.pack import export_bundle  # noqa: E402
from sketch_edge.runtime.artist import load  # noqa: E402
from sketch_edge.runtime.errors import BundleError, CheckpointError, InputError  # noqa: E402
from sketch_edge.train.checkpoint import load_checkpoint  # noqa: E402
from sketch_edge.train.config import Config  # noqa: E402
from sketch_edge.train.dataset import TEST, TRAIN  # noqa: E402
from sketch_edge.train.evaluate.classifier import ClassifierSettings  # noqa: E402
from sketch_edge.train.evaluate.drawing import Drawing  # noqa: E402
from sketch_edge.train.evaluate.evaluation import evaluate  # noqa: E402
from sketch_edge.train.evaluate.figures import Options  # noqa: E402
from sketch_edge.train.evaluate.likelihood import likelihoods  # noqa: E402
from sketch_edge.train.evaluate.report import render  # noqa: E402
from sketch_edge.train.evaluate.subject import open_subject  # noqa: E402
from sketch_edge.train.loop import Trainer  # noqa: E402
from tests.train.evaluate.toys import CLASSES, toy_data  # noqa: E402

SMALL = {
    "encoder_hidden": 8,
    "decoder_hidden": 16,
    "latent": 4,
    "class_embedding": 4,
    "mixtures": 3,
    "batch": 16,
    "steps": 20,
    "valid_every": 10,
    "sheet_every": 0,
    "precision": "fp32",
    "keep": "last",
}


@pytest.fixture(scope="module")
def data():
    """With some valid drawings, which training wants."""
    data = toy_data(train=30, test=10)
    splits = data.split_ids.copy()
    splits[np.flatnonzero(splits == TRAIN)[::10]] = 1
    return type(data)(**{**vars(data), "split_ids": splits})


@pytest.fixture(scope="module")
def trainer(data, tmp_path_factory):
    trainer = Trainer(data, Config.from_dict(SMALL), tmp_path_factory.mktemp("model") / "toy.pt", torch.device("cpu"))
    trainer.run()
    return trainer


@pytest.fixture(scope="module")
def bundle(trainer):
    path = trainer.out.with_suffix(".sketch.zip")
    export_bundle(load_checkpoint(trainer.out), path, quantize="none", name="toy", classes=[], temperature=0.4)
    return path


def test_losses_are_those_of_the_training(trainer, data, bundle):
    """Through the step, row by row, as through the whole network at once; of a bundle as of a checkpoint."""
    expected = trainer.evaluate(TEST)
    indices = data.indices(TEST)
    drawings = [Drawing.from_stroke3(data.drawing(int(i))) for i in indices]
    for path in (trainer.out, bundle):
        network = open_subject(path).network
        assert network is not None
        found = likelihoods(network, drawings, data.class_ids[indices].tolist())
        assert found.offset.mean() == pytest.approx(expected.offset, rel=1e-4)
        assert found.pen.mean() == pytest.approx(expected.pen, rel=1e-4)
        assert found.kl.mean() == pytest.approx(expected.kl, rel=1e-4, abs=1e-6)


def test_likelihood_a_point_does_not_know_the_unit(trainer, data):
    """A model of drawings twice as large, scale and all, finds them as likely, less the stretched plane."""
    subject = open_subject(trainer.out)
    drawings = [Drawing.from_stroke3(data.drawing(int(i))) for i in data.indices(TEST)[:5]]
    ids = data.class_ids[data.indices(TEST)[:5]].tolist()
    network = subject.network
    assert network is not None
    before = likelihoods(network, drawings, ids)
    subject.manifest = replace(subject.manifest, scale=2 * subject.manifest.scale)
    after = likelihoods(network, [Drawing(2 * each.points, each.ends) for each in drawings], ids)
    np.testing.assert_allclose(after.offset, before.offset)
    lengths = np.array([len(each.stroke3()) for each in drawings])
    np.testing.assert_allclose(after.per_point - before.per_point, 2 * np.log(2) * lengths / (lengths + 1))


def test_bundle_and_checkpoint_draw_alike(trainer, bundle):
    """And as sketch-draw does with the same seed."""
    for name in CLASSES[:2]:
        first = open_subject(trainer.out).draw(name, 3, 7, 0.4)
        second = open_subject(bundle).draw(name, 3, 7, 0.4)
        third = load(bundle).draw_many([name] * 3, seed=7)
        for one, two, three in zip(first, second, third, strict=True):
            np.testing.assert_allclose(one.points, two.points, atol=0.2)
            np.testing.assert_array_equal(two.points, np.concatenate(three.lines))
            assert one.ends == two.ends
            assert two.complete == three.complete


def test_a_class_is_measured_at_its_own_temperature(trainer, data, tmp_path):
    """The figures say which; one that is asked for counts more, for all."""
    path = tmp_path / "own.sketch.zip"
    own = {CLASSES[0]: 0.05}
    export_bundle(load_checkpoint(trainer.out), path, quantize="none", temperature=0.4, temperatures=own)
    drawn = open_subject(path).draw(CLASSES[0], 3, 7, None)
    for one, other in zip(drawn, load(path).draw_many([CLASSES[0]] * 3, seed=7), strict=True):
        assert other.temperature == 0.05
        np.testing.assert_array_equal(one.points, np.concatenate(other.lines))
    options = Options(count=4, bootstrap=20, repeats=2, classifier=ClassifierSettings(steps=3, batch=8), losses=False)
    report = evaluate([path], data, options)
    assert [each.temperature for each in report.models[0].classes] == [own.get(each.name, 0.4) for each in report.real]
    assert report.models[0].temperature is None
    assert "temperature 0.05 to 0.4, by class" in render(report)
    asked = evaluate([path], data, replace(options, temperature=0.3)).models[0]
    assert {asked.temperature, *(each.temperature for each in asked.classes)} == {0.3}


def test_both_kinds_stand_side_by_side(trainer, bundle, data):
    """With names, temperatures and losses of their own."""
    options = Options(count=4, bootstrap=20, repeats=2, classifier=ClassifierSettings(steps=3, batch=8))
    report = evaluate([trainer.out, bundle, bundle], data, options)
    assert [model.name for model in report.models] == ["toy", "toy (2)", "toy (3)"]
    assert [model.about["kind"] for model in report.models] == ["checkpoint", "bundle", "bundle"]
    assert [model.temperature for model in report.models][1:] == [0.4, 0.4]
    assert report.models[1].classes == report.models[2].classes
    first, second, _ = (dict(model.losses or {})["reconstruction"].value for model in report.models)
    assert first == pytest.approx(second, rel=1e-4)
    assert set(report.models[0].classes[0].losses or {}) == {"offset", "pen", "reconstruction", "kl", "per_point"}


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("model.pt", None, CheckpointError),
        ("model.pt", b"nothing", CheckpointError),
        ("model.sketch.zip", None, BundleError),
        ("model.sketch.zip", b"PK\x03\x04", BundleError),
        ("drawings.ndjson", b"{}", BundleError),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, name, content, kind):
    """By the reader that the file looks like."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(kind) as error:
        open_subject(path)
    assert str(path) in str(error.value)
    assert isinstance(error.value, InputError)


def test_a_bundle_without_encoder_or_density_has_no_losses():
    """It is drawn and judged by its drawings alone."""
    subject = open_subject(str(Path(__file__).parents[2] / "data" / "tiny-offset.sketch.zip"))
    assert subject.network is None
    assert len(subject.draw("cat", 3, 1, None)) == 3
