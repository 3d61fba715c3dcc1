"""Each cell, and models without a class or z: trained, gone on with, exported, drawn."""

import dataclasses

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from sketch_edge.export.pack import export_bundle  # noqa: E402
from sketch_edge.runtime.artist import load  # noqa: E402
from sketch_edge.runtime.errors import InputError  # noqa: E402
from sketch_edge.train.checkpoint import load_checkpoint  # noqa: E402
from sketch_edge.train.config import PRESETS  # noqa: E402
from sketch_edge.train.loop import Trainer  # noqa: E402
from tests.train.conftest import make_shapes  # noqa: E402

SIZES = {"encoder_hidden": 8, "decoder_hidden": 40, "mixtures": 3}
RUN = {
    "steps": 20,
    "batch": 16,
    "warmup": 1,
    "valid_every": 10,
    "save_every": 10,
    "sheet_every": 0,
    "learning_rate": 1e-2,
    "precision": "fp32",
    "ema": 0.5,
}
KINDS: dict[str, tuple[str, dict[str, object]]] = {
    "layernorm": ("vae-gmm", {"cell": "layernorm", "latent": 4, "class_embedding": 4, "recurrent_dropout": 0.1}),
    "hyper": ("vae-gmm", {"cell": "hyper", "latent": 4, "hyper_hidden": 16, "hyper_embedding": 4}),
    "sketch-rnn": ("sketch-rnn", {"latent": 4, "input_dropout": 0.1}),
    "decoder-alone": ("sketch-rnn", {"latent": 0, "optimizer": "rmsprop"}),
}
CPU = torch.device("cpu")


def _trainer(kind, path, **changes):
    preset, settings = KINDS[kind]
    return Trainer(make_shapes(), PRESETS[preset].config.replace({**SIZES, **RUN, **settings, **changes}), path, CPU)


@pytest.fixture(scope="module", params=KINDS)
def trained(request, tmp_path_factory):
    """The kind, its trainer when all steps are done, and the losses on the way."""
    trainer = _trainer(request.param, tmp_path_factory.mktemp(request.param) / "model.pt")
    losses = []

    class Noted:
        def on_step(self, step, found, points, rates):
            losses.append(found.total)

        def on_valid(self, *what):
            pass

    trainer.observers = (Noted(),)
    trainer.run()
    return request.param, trainer, losses


def test_it_learns(trained):
    """The loss falls."""
    _, _, losses = trained
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])


def test_it_goes_on_bit_for_bit(trained, tmp_path):
    """Stopped half-way, saved, read and gone on with: the weights of a straight training."""
    kind, straight, _ = trained
    first = _trainer(kind, tmp_path / "model.pt")
    first.run(lambda: first.state.step == 10)
    second = _trainer(kind, tmp_path / "model.pt")
    assert second.resume(load_checkpoint(tmp_path / "model.pt")) == []
    second.run()
    for name, weight in straight.model.state_dict().items():
        assert torch.equal(weight, second.model.state_dict()[name]), name


def test_it_is_exported_with_parity_and_draws_the_same_everywhere(trained, tmp_path):
    """The gates pass, rounded too; with and without draw.onnx, onnxruntime and numpy draw one sketch alike."""
    kind, trainer, _ = trained
    report = export_bundle(load_checkpoint(trainer.out), tmp_path / "b.sketch.zip", quantize="w8")
    assert max(report.measured.step.share, report.measured.drift.share) <= 1
    assert (report.measured.encode is None) == (kind == "decoder-alone")
    artist = load(tmp_path / "b.sketch.zip")
    assert artist.classes == (("sketch",) if trainer.config.preset == "sketch-rnn" else ("circle", "cross", "square"))
    drawn = artist.draw(artist.classes[0], seed=3)
    assert len(drawn.lines) > 0
    points = [point.tolist() for line in drawn.lines for point in line]
    slow = load(tmp_path / "b.sketch.zip", provider="numpy").draw(artist.classes[0], seed=3)
    assert [point.tolist() for line in slow.lines for point in line] == points


def test_variant_int8_is_refused_where_the_cell_is_another(trained, tmp_path):
    """With what to choose instead; a sketch-rnn has the cell that int8 is for."""
    kind, trainer, _ = trained
    if kind not in ("layernorm", "hyper"):
        pytest.skip("has the cell lstm")
    with pytest.raises(InputError, match=r"quantize 'int8': is made for .* the cell lstm; choose w8 or none"):
        export_bundle(load_checkpoint(trainer.out), tmp_path / "b.sketch.zip", quantize="int8")


def test_several_classes_without_a_class_input_are_one(tmp_path):
    """It is called sketch; where the data has one class alone, it keeps its name."""
    mixed = _trainer("sketch-rnn", tmp_path / "model.pt")
    assert mixed.about.classes == ("sketch",)
    assert (mixed.about.drawings, mixed.mixed) == (96, 3)
    data = make_shapes()
    alone = dataclasses.replace(data, class_ids=data.class_ids * 0, class_names=("shape",))
    other = Trainer(alone, mixed.config, tmp_path / "other.pt", CPU)
    assert (other.about.classes, other.mixed) == (("shape",), 0)
