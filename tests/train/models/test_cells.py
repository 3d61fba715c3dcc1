"""The cells of our own: what they compute, what they drop, and the parts that are cut from them."""

import pytest

torch = pytest.importorskip("torch")

from sketch_edge.runtime.errors import InputError  # noqa: E402
from sketch_edge.train.config import PRESETS, ModelConfig  # noqa: E402
from sketch_edge.train.models import check_settings  # noqa: E402
from sketch_edge.train.models.cells import EPSILON  # noqa: E402
from sketch_edge.train.models.vae import SketchVAE  # noqa: E402

SIZES = {"encoder_hidden": 6, "decoder_hidden": 10, "mixtures": 2, "hyper_hidden": 7, "hyper_embedding": 3}
CONDITIONS = [(4, 3), (4, 0), (0, 3), (0, 0)]


def _model(cell, latent=4, classes=3, **changes):
    torch.manual_seed(0)
    config = ModelConfig(**SIZES | {"cell": cell, "latent": latent, "class_embedding": classes} | changes)
    model = SketchVAE(config, 3 if classes else 1).double().eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
    return model


def _rows(length, batch):
    rows = torch.zeros(length, batch, 5, dtype=torch.float64)
    rows[:, :, :2] = torch.randn(length, batch, 2, generator=torch.Generator().manual_seed(1))
    rows[:, :, 2] = 1.0
    return rows


@pytest.mark.parametrize(("latent", "classes"), CONDITIONS)
@pytest.mark.parametrize("cell", ["lstm", "layernorm", "hyper"])
def test_the_cut_parts_compute_what_the_network_computes(cell, latent, classes):
    """Start and step, carried over a sketch, with z, a class input, both or neither."""
    model = _model(cell, latent, classes)
    rows, z, ids = _rows(12, 2), torch.randn(2, latent, dtype=torch.float64), torch.tensor([0, 2 if classes else 0])
    start, step = (part.double() for part in model.cut())
    with torch.no_grad():
        state = model.first_state(z, ids)
        expected, after = model.advance(rows, z, ids, state)
        gate, h, c = start(z, ids)
        assert (gate.shape, h.shape, c.shape) == ((2, model.constant), (2, model.state), (2, model.state))
        torch.testing.assert_close((h, c), state)
        for t in range(12):
            y, h, c = step(rows[t], gate, h, c)
            torch.testing.assert_close(y, expected[t])
    torch.testing.assert_close((h, c), after)


@pytest.mark.parametrize(("latent", "classes"), CONDITIONS)
@pytest.mark.parametrize("cell", ["lstm", "layernorm", "hyper"])
def test_the_shapes_of_the_weights_are_told_without_a_model(cell, latent, classes):
    """Names, order and shapes are those of the state dict."""
    model = _model(cell, latent, classes)
    found = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    assert SketchVAE.weight_shapes(model.config, model.classes) == found


def _normed(values, gain, bias):
    """Layer normalisation by its formula (Ba et al. 2016, eq. 4)."""
    centred = values - values.mean()
    return centred / torch.sqrt((centred**2).mean() + EPSILON) * gain + bias


def test_a_step_of_the_normed_cell_is_that_of_the_formulas():
    """Each gate's sum and the memory are normalised over the units, one sketch at a time."""
    model = _model("layernorm", 0, 0)
    cell, (row,) = model.decoder, _rows(1, 1)[0]
    generator = torch.Generator().manual_seed(2)
    h, c = (torch.randn(1, 10, dtype=torch.float64, generator=generator) for _ in range(2))
    with torch.no_grad():
        _, (h_next, c_next) = cell(row.view(1, 1, 5), cell.gate(h[:, :0]), (h, c))
        sums = (cell.row_weight @ row + cell.hidden_weight @ h[0]).view(4, 10)
        i, f, o, g = (_normed(sums[k], cell.norm.gain[k], cell.norm.bias[k]) for k in range(4))
        memory = torch.sigmoid(f) * c[0] + torch.sigmoid(i) * torch.tanh(g)
        out = torch.sigmoid(o) * torch.tanh(_normed(memory, cell.norm.memory_gain, cell.norm.memory_bias))
    torch.testing.assert_close(c_next[0], memory)
    torch.testing.assert_close(h_next[0], out)


def test_a_step_of_the_hyper_cell_is_that_of_the_formulas():
    """The steering state, through its embeddings, scales both products of each gate and adds to its bias."""
    model = _model("hyper", 0, 0)
    cell, (row,), N = model.decoder, _rows(1, 1)[0], 3
    generator = torch.Generator().manual_seed(2)
    h, c = (torch.randn(1, 17, dtype=torch.float64, generator=generator) for _ in range(2))
    with torch.no_grad():
        _, (h_next, c_next) = cell(row.view(1, 1, 5), cell.gate(h[:, :0]), (h, c))
        given = cell.row_weight @ row
        sums = (given[40:] + cell.steering_weight @ h[0]).view(4, 7)
        norm = cell.steering_norm
        i, f, o, g = (_normed(sums[k], norm.gain[k], norm.bias[k]) for k in range(4))
        memory = torch.sigmoid(f) * c[0, 10:] + torch.sigmoid(i) * torch.tanh(g)
        steering = torch.sigmoid(o) * torch.tanh(_normed(memory, norm.memory_gain, norm.memory_bias))
        z = (cell.embed_weight @ steering + cell.embed_bias).view(12, N)
        from_h, from_x = (cell.hidden_weight @ h[0, :10]).view(4, 10), given[:40].view(4, 10)
        gates = []
        for k in range(4):
            d_h, d_x, b = (cell.scale_weight[part * 4 + k] @ z[part * 4 + k] for part in range(3))
            total = d_h * from_h[k] + d_x * from_x[k] + b + cell.base[k]
            gates.append(_normed(total, cell.norm.gain[k], cell.norm.bias[k]))
        main = torch.sigmoid(gates[1]) * c[0, :10] + torch.sigmoid(gates[0]) * torch.tanh(gates[3])
    torch.testing.assert_close(h_next[0, 10:], steering)
    torch.testing.assert_close(c_next[0], torch.cat([main, memory]))


@pytest.mark.parametrize("cell", ["layernorm", "hyper"])
def test_recurrent_dropout_leaves_drawing_alone_and_the_memory_whole(cell):
    """In training candidates are dropped, so that the memory changes less; otherwise nothing is."""
    model = _model(cell, recurrent_dropout=0.9)
    rows, z, ids = _rows(1, 50), torch.zeros(50, 4, dtype=torch.float64), torch.zeros(50, dtype=torch.int64)
    with torch.no_grad():
        h, c = model.first_state(z, ids)
        once, again = (model.advance(rows, z, ids, (h, c))[1][1] for _ in range(2))
        assert torch.equal(once, again)
        _, (_, dropped) = model.train().advance(rows, z, ids, (h, c))
        ratio = dropped[:, :10] / c[:, :10]
    alone = ((ratio > 0) & (ratio < 1)).double().mean()  # where the candidate is 0, c' = f * c with f in (0, 1)
    assert alone > 0.85


def test_settings_of_a_cell_that_is_not_chosen_are_refused():
    """The message names the setting and the way out."""
    start = PRESETS["vae-gmm"].config
    with pytest.raises(InputError, match=r"recurrent_dropout=0.1: cell lstm .* choose --set cell=layernorm"):
        check_settings(start.replace({"recurrent_dropout": 0.1}))
    with pytest.raises(InputError, match=r"hyper_hidden=8: is for --set cell=hyper alone"):
        check_settings(start.replace({"hyper_hidden": 8, "cell": "layernorm"}))
    check_settings(start.replace({"recurrent_dropout": 0.1, "cell": "hyper", "hyper_hidden": 8}))
