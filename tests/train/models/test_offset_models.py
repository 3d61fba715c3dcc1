"""The kinds of model with the head "offset": what they learn from, what is cut out of them, what they refuse."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sketch_edge.runtime.manifest import OFFSET  # noqa: E402
from sketch_edge.train.batches import pad, to_batch  # noqa: E402
from sketch_edge.train.config import ModelConfig, TrainConfig  # noqa: E402
from sketch_edge.train.dataset import TRAIN  # noqa: E402
from sketch_edge.train.models.attention import POSITIONS, AttentionSeq2Seq, attend, own_row, teacher_share  # noqa: E402
from sketch_edge.train.models.base import Task  # noqa: E402
from sketch_edge.train.models.lstm import ClassLSTM  # noqa: E402
from sketch_edge.train.models.lstm_xy import PlaceLSTM  # noqa: E402
from sketch_edge.train.models.offsets import PEN_FLOOR, pen_logits, row_means, squared_costs  # noqa: E402
from tests.train.conftest import make_shapes  # noqa: E402

SMALL = ModelConfig(class_embedding=3, encoder_hidden=4, decoder_hidden=10, dropout=0.3)
KINDS = (ClassLSTM, PlaceLSTM, AttentionSeq2Seq)


@pytest.fixture(scope="module")
def data():
    return make_shapes(20)


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def model(request, data):
    torch.manual_seed(0)
    made = request.param(SMALL, 3)
    made.fit(data, data.scale)
    return made.eval()


@pytest.fixture
def batch(data):
    chosen = data.indices(TRAIN)[:6]
    return to_batch(pad(data, chosen), data.class_ids[chosen], data.scale)


def _task(training=False, **settings):
    return Task(TrainConfig(**settings), 30, sketches=6, training=training)


def _rows(length, batch, seed=0):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.zeros(length, batch, 5)
    rows[:, :, :2] = torch.randn(length, batch, 2, generator=generator)
    lift = torch.rand(length, batch, generator=generator) < 0.3
    rows[:, :, 2], rows[:, :, 3] = (~lift).float(), lift.float()
    rows[0] = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0])
    return rows


def test_the_weights_are_those_that_are_told(model):
    """Names and shapes, buffers too, can be told without making a model."""
    found = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert found == model.weight_shapes(SMALL, 3)


def test_the_sizes_are_those_of_a_bundle(model):
    """No latent vector, no mixture, five outputs, and the widths that the cut-up parts have."""
    assert (model.HEAD, model.latent, model.mixtures) == (OFFSET, 0, 0)
    start, _ = model.cut()
    gate, h, c = start(torch.zeros(2, 0), torch.tensor([0, 2]))
    assert model.sizes(30).outputs == 5
    assert (gate.shape[1], h.shape[1], c.shape[1]) == (model.constant, model.state, model.state)


def test_the_start_is_the_networks(model):
    """What the cut-up start gives as the first state is what the network starts from."""
    start, _ = model.cut()
    z, ids = torch.zeros(3, 0), torch.tensor([2, 0, 1])
    with torch.no_grad():
        _, h, c = start(z, ids)
        for found, expected in zip((h, c), model.first_state(z, ids), strict=True):
            torch.testing.assert_close(found, expected)


def test_step_by_step_is_teacher_forced_unrolling(model):
    """Start and step, carried over a sketch, give the outputs and the state of the network over the whole of it."""
    rows, z, ids = _rows(25, 3), torch.zeros(3, 0), torch.tensor([2, 0, 1])
    start, step = model.cut()
    with torch.no_grad():
        expected, last = model.advance(rows, z, ids, model.first_state(z, ids))
        gate, h, c = start(z, ids)
        for t in range(25):
            y, h, c = step(rows[t], gate, h, c)
            torch.testing.assert_close(y, expected[t], atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(h, last[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(c, last[1], atol=1e-5, rtol=1e-5)


def test_advancing_in_two_parts_is_advancing_at_once(model):
    """The state holds all that the rows before it leave behind."""
    rows, z, ids = _rows(12, 2), torch.zeros(2, 0), torch.tensor([1, 2])
    with torch.no_grad():
        first = model.first_state(z, ids)
        whole, _ = model.advance(rows, z, ids, first)
        early, state = model.advance(rows[:5], z, ids, first)
        late, _ = model.advance(rows[5:], z, ids, state)
    torch.testing.assert_close(torch.cat([early, late]), whole, atol=1e-4, rtol=1e-5)


def test_the_loss_is_of_what_the_step_gives(model, batch):
    """Offsets that the exported step would draw have the error that the loss counts, in the network's own units."""
    rows, z = batch.rows[:-1], torch.zeros(6, 0)
    with torch.no_grad():
        y, _ = model.advance(rows, z, batch.class_ids, model.first_state(z, batch.class_ids))
        found = model.costs(batch, _task())
    inside = batch.counted & (batch.rows[1:, :, 4] == 0) if isinstance(model, ClassLSTM) else batch.counted
    unit = model.offset_std if isinstance(model, ClassLSTM) else model.box
    share = 1 / 2 if isinstance(model, ClassLSTM) else 1 / 5
    expected = row_means((((y[..., 3:] - batch.rows[1:, :, :2]) / unit) ** 2).sum(dim=2) * share, inside)
    torch.testing.assert_close(found.offset, expected, atol=1e-5, rtol=1e-4)


def test_padding_costs_nothing(model, data):
    """A short drawing costs the same beside a long one."""
    lengths = data.lengths[data.indices(TRAIN)]
    chosen = data.indices(TRAIN)[[int(lengths.argmin()), int(lengths.argmax())]]
    with torch.no_grad():
        both = model.costs(to_batch(pad(data, chosen), data.class_ids[chosen], data.scale), _task())
        alone = model.costs(to_batch(pad(data, chosen[:1]), data.class_ids[chosen[:1]], data.scale), _task())
    for one, other in zip(alone, both, strict=True):
        torch.testing.assert_close(one[0], other[0])


def test_parts_are_means_over_sketches(model, batch):
    """The loss is the mean of what each sketch costs, and there is no KL term."""
    with torch.no_grad():
        costs, parts = model.costs(batch, _task()), model.parts(batch, _task())
    torch.testing.assert_close(parts, torch.stack([costs.offset.mean(), costs.pen.mean(), torch.tensor(0.0)]))


def test_pen_accuracy_is_a_share(model, batch):
    """It is reported with each validation."""
    with torch.no_grad():
        assert 0 <= model.figures(batch, _task())["pen_accuracy"] <= 1


def test_every_weight_learns(model, batch):
    """The loss reaches every parameter."""
    model.train()
    model.loss(batch, _task(training=True))[0].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_rounding_matrices_in_place_rounds_the_step(model):
    """Each matrix that is told is a view of a weight that a graph multiplies with."""
    matrices = model.matrices()
    buffers = {"start.onnx": model.cut()[0].state_dict(), "step.onnx": model.cut()[1].state_dict()}
    for graph, told in matrices.items():
        products = [tensor for name, tensor in buffers[graph].items() if name.endswith("_weight")]
        assert sorted(tensor.t().shape for tensor in products) == sorted(matrix.shape for matrix in told)
        for matrix in told:
            matrix.fill_(0.5)
    for graph, module in zip(matrices, model.cut(), strict=True):
        for name, tensor in module.state_dict().items():
            assert not name.endswith("_weight") or bool((tensor == 0.5).all()), (graph, name)


def test_standardised_from_the_training_split_alone(data):
    """Means and deviations are those of dx and dy of the training drawings, each by itself."""
    model = ClassLSTM(SMALL, 3)
    model.fit(data, data.scale)
    train = np.concatenate([data.points[data.offsets[i] : data.offsets[i + 1], :2] for i in data.indices(TRAIN)])
    np.testing.assert_allclose(model.offset_mean, train.mean(axis=0) / data.scale, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(model.offset_std, train.std(axis=0) / data.scale, rtol=1e-5)
    assert not np.allclose(train.mean(axis=0), data.points[:, :2].mean(axis=0))


def test_places_are_carried_in_the_state():
    """The step of `lstm-xy` adds up the offsets that it was given in the last two columns of h, and leaves c's at 0."""
    model = PlaceLSTM(SMALL, 3).eval()
    start, step = model.cut()
    rows = _rows(9, 2)
    gate, h, c = start(torch.zeros(2, 0), torch.tensor([0, 1]))
    for row in rows:
        _, h, c = step(row, gate, h, c)
    torch.testing.assert_close(h[:, -2:], rows[:, :, :2].sum(dim=0))
    assert not c[:, -2:].any()


def test_attention_chooses_among_positions():
    """The memories of a class differ from place to place, and the weights from query to query."""
    torch.manual_seed(1)
    model = AttentionSeq2Seq(SMALL, 3)
    with torch.no_grad():
        memory = model.remember(torch.tensor([1]))
    assert memory.shape == (1, POSITIONS, 8)
    assert len({tuple(row) for row in memory[0].tolist()}) == POSITIONS
    towards = [attend(100 * memory[:, place], memory) for place in (0, POSITIONS - 1)]
    assert not torch.allclose(towards[0], towards[1])


def test_attention_is_a_mixture():
    """With a query of nothing all memories weigh alike."""
    memory = torch.randn(2, POSITIONS, 8)
    torch.testing.assert_close(attend(torch.zeros(2, 8), memory), memory.mean(dim=1))


def test_the_teacher_gives_less_from_epoch_to_epoch():
    """From `teacher_forcing` on, by a factor an epoch; and never when validating."""
    settings = TrainConfig(teacher_forcing=0.9, teacher_decay=0.5)
    assert [teacher_share(settings, epoch) for epoch in range(3)] == pytest.approx([0.9, 0.45, 0.225])


def test_without_a_teacher_the_network_goes_on_from_its_own_rows(batch):
    """Outputs are those of feeding back the offset and the likeliest pen of the row before."""
    torch.manual_seed(2)
    model = AttentionSeq2Seq(SMALL, 3).eval()
    rows = batch.rows[:-1]
    with torch.no_grad():
        found = model(rows, batch.class_ids, torch.zeros(rows.shape[:2], dtype=torch.bool))
        own = [rows[0]]
        for output in found[:-1]:
            own.append(own_row(output))
        fed = torch.stack(own)
        fed[..., :2] *= model.box
        torch.testing.assert_close(found, model(fed, batch.class_ids))
        assert not torch.allclose(found, model(rows, batch.class_ids))


def test_coins_are_thrown_in_training_alone(batch):
    """Two validations of a batch are equal; in training the teacher is missed."""
    model = AttentionSeq2Seq(SMALL, 3).eval()  # no dropout, so that the coins are the only chance
    with torch.no_grad():
        calm = [model.parts(batch, _task(teacher_forcing=0.5)).tolist() for _ in range(2)]
        shaken = [model.parts(batch, _task(training=True, teacher_forcing=0.5)).tolist() for _ in range(2)]
    assert calm[0] == calm[1]
    assert shaken[0] != shaken[1]


def test_pen_logits_give_the_chances_back():
    """Drawn by their softmax, pen states come as often as the columns say; nothing is impossible."""
    chances = torch.tensor([[0.7, 0.2, 0.1], [1.2, -0.1, 0.0]])
    found = torch.softmax(pen_logits(chances), dim=1)
    torch.testing.assert_close(found[0], chances[0])
    assert found[1].min() == pytest.approx(PEN_FLOOR / (1 + 2 * PEN_FLOOR))
    assert math.isclose(float(found[1].sum()), 1.0, rel_tol=1e-6)


def test_squared_costs_add_up_to_the_mean_squared_error():
    """Offset and pen together are the mean over rows and columns."""
    output, target = torch.randn(7, 3, 5), torch.randn(7, 3, 5)
    found = squared_costs(output, target, torch.ones(7, 3, dtype=torch.bool))
    torch.testing.assert_close(found.offset + found.pen, (output - target).square().mean(dim=(0, 2)))
