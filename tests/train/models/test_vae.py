"""The network: shapes, padding, conditioning, and the cell that is cut from it."""

import pytest

torch = pytest.importorskip("torch")

from sketch_edge.train.config import ModelConfig  # noqa: E402
from sketch_edge.train.models.cut import Start, Step  # noqa: E402
from sketch_edge.train.models.vae import SketchVAE  # noqa: E402

SMALL = ModelConfig(encoder_hidden=6, decoder_hidden=10, latent=4, class_embedding=3, mixtures=2)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return SketchVAE(SMALL, classes=3).eval()


def _rows(length, batch, seed=0):
    rows = torch.zeros(length, batch, 5)
    rows[:, :, :2] = torch.randn(length, batch, 2, generator=torch.Generator().manual_seed(seed))
    rows[:, :, 2] = 1.0
    return rows


def test_forward_gives_one_output_for_each_counted_row(model):
    """y has 6M + 3 columns and as many rows as were asked for."""
    rows, lengths = _rows(9, 4), torch.tensor([7, 3, 5, 1])
    counted = torch.arange(8).unsqueeze(1) <= lengths
    found = model(rows, lengths, torch.tensor([0, 1, 2, 0]), torch.zeros(4, 4), counted)
    assert found.output.shape == (int(counted.sum()), 15)
    assert found.mu.shape == found.log_variance.shape == (4, 4)


def test_encoding_does_not_see_the_padding(model):
    """Whatever stands behind a sketch's length, forward and backward direction give the same posterior."""
    label = model.embedding(torch.tensor([1]))
    short = _rows(5, 1)
    padded = torch.cat([short, torch.full((4, 1, 5), 7.0)])
    with torch.no_grad():
        expected, found = (model.encode(x, torch.tensor([5]), label) for x in (short, padded))
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(one, other)


def test_encoding_reads_the_order_of_rows(model):
    """A reversed sketch has another posterior."""
    label, rows = model.embedding(torch.tensor([1])), _rows(5, 1)
    with torch.no_grad():
        assert not torch.allclose(
            model.encode(rows, torch.tensor([5]), label)[0], model.encode(rows.flip(0), torch.tensor([5]), label)[0]
        )


@pytest.mark.parametrize("change", ["class", "z"])
def test_decoding_depends_on_class_and_z(model, change):
    """Both conditions reach the output of the first step."""
    rows, counted = _rows(3, 2), torch.ones(3, 2, dtype=torch.bool)
    z = torch.zeros(2, 4)
    ids = torch.tensor([0, 1 if change == "class" else 0])
    if change == "z":
        z[1] = 1.0
    rows[:, 1] = rows[:, 0]
    with torch.no_grad():
        y = model.decode(rows, z, model.embedding(ids), counted).view(3, 2, -1)
    assert not torch.allclose(y[0, 0], y[0, 1])


def test_cell_computes_what_the_network_computes(model):
    """Start and Step, carried over a sketch, give the outputs of the LSTM over the whole sketch."""
    rows, z, ids = _rows(20, 3), torch.randn(3, 4), torch.tensor([2, 0, 1])
    start, step = Start(model), Step(model)
    with torch.no_grad():
        expected = model.decode(rows, z, model.embedding(ids), torch.ones(20, 3, dtype=torch.bool)).view(20, 3, -1)
        gate, h, c = start(z, ids)
        for t in range(20):
            y, h, c = step(rows[t], gate, h, c)
            torch.testing.assert_close(y, expected[t], atol=1e-5, rtol=1e-5)
