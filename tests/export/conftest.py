"""A checkpoint with seeded random weights, large enough that its matrices are quantised, and its two bundles."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from sketch_edge.export import pack  # noqa: E402
from sketch_edge.export.graphs import trace  # noqa: E402
from sketch_edge.export.pack import export_bundle  # noqa: E402
from sketch_edge.train.checkpoint import About, Checkpoint, load_checkpoint, save_checkpoint  # noqa: E402
from sketch_edge.train.config import Config, ModelConfig  # noqa: E402
from sketch_edge.train.models.vae import SketchVAE  # noqa: E402
from tests.traces import remembered  # noqa: E402

SIZES = ModelConfig(encoder_hidden=24, decoder_hidden=48, latent=10, class_embedding=12, mixtures=5)


@pytest.fixture(scope="session")
def checkpoint_file(tmp_path_factory):
    torch.manual_seed(3)
    model = SketchVAE(SIZES, 3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    about = About(classes=("cat", "moon", "star"), scale=30.0, max_points=60, drawings=9, synthetic=2, step=5)
    path = tmp_path_factory.mktemp("model") / "model.pt"
    save_checkpoint(path, Checkpoint(Config(model=SIZES), about, model.state_dict()))
    return path


@pytest.fixture(scope="session")
def checkpoint(checkpoint_file):
    return load_checkpoint(checkpoint_file)


@pytest.fixture(scope="session")
def model(checkpoint):
    return checkpoint.model()


@pytest.fixture(scope="session")
def whole(checkpoint, tmp_path_factory):
    """What the export of a float32 bundle reports."""
    path = tmp_path_factory.mktemp("none") / "none.sketch.zip"
    return export_bundle(checkpoint, path, quantize="none", temperature=0.7)


@pytest.fixture(scope="session")
def rounded(checkpoint, tmp_path_factory):
    """What the export of a w8 bundle reports."""
    path = tmp_path_factory.mktemp("w8") / "w8.sketch.zip"
    return export_bundle(checkpoint, path, quantize="w8", temperature=0.7)


@pytest.fixture(scope="session")
def coarse(checkpoint, tmp_path_factory):
    """What the export of an int8 bundle reports."""
    return export_bundle(checkpoint, tmp_path_factory.mktemp("int8") / "int8.sketch.zip", quantize="int8")


@pytest.fixture(params=["whole", "rounded"])
def exported(request):
    return request.getfixturevalue(request.param)


REMEMBERED = remembered(trace)


@pytest.fixture
def traced_once(monkeypatch):
    """Exports of a model that was exported so before trace nothing; most of their time is torch's."""
    monkeypatch.setattr(pack, "trace", REMEMBERED)
