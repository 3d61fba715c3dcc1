"""What is kept beside a training: TensorBoard log, loss plot, sample sheets."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tqdm")
pytest.importorskip("tensorboard")
pytest.importorskip("matplotlib")

from PIL import Image  # noqa: E402

from sketch_edge.train.about import About  # noqa: E402
from sketch_edge.train.config import Config, ModelConfig, TrainConfig  # noqa: E402
from sketch_edge.train.losses import Losses  # noqa: E402
from sketch_edge.train.models.vae import SketchVAE  # noqa: E402
from sketch_edge.train.resume import HISTORY, State  # noqa: E402
from sketch_edge.train.sheet import TorchDecoder, draw_sheet, sample  # noqa: E402
from sketch_edge.train.watch import LOG_EVERY, LogFolder, ProgressBar, plot_losses  # noqa: E402

MODEL = ModelConfig(encoder_hidden=4, decoder_hidden=8, latent=3, class_embedding=3, mixtures=2)
ABOUT = About(("cat", "moon", "star"), 30.0, 12)
LOSSES = Losses(1.0, 0.5, 0.25, 2.0)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return SketchVAE(MODEL, 3).eval()


def _size(path):
    with Image.open(path) as picture:
        return picture.size


def _scalars(folder, name):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_a_resumed_training_replaces_what_came_after_its_checkpoint(tmp_path):
    """Steps that were logged, lost in a crash and made again stand in TensorBoard once."""
    config = Config(model=MODEL)
    before = LogFolder(tmp_path / "log", config, ABOUT, State())
    for step in range(1, 4):
        before.on_step(step * LOG_EVERY, LOSSES, 9, {"learning_rate": 0.1})
    before.close()
    after = LogFolder(tmp_path / "log", config, ABOUT, State(step=LOG_EVERY))
    after.on_step(2 * LOG_EVERY, LOSSES, 9, {"learning_rate": 0.2})
    after.close()
    found = _scalars(tmp_path / "log", "rates/learning_rate")
    assert found == [(LOG_EVERY, pytest.approx(0.1)), (2 * LOG_EVERY, pytest.approx(0.2))]
    assert _scalars(tmp_path / "log", "train/reconstruction")[0] == (LOG_EVERY, 1.5)


def test_a_validation_is_logged_and_plotted(tmp_path):
    """loss.png shows the history of the state."""
    state = State(step=4, history=[dict.fromkeys(HISTORY, 1.0), dict.fromkeys(HISTORY, 0.5)])
    log = LogFolder(tmp_path / "log", Config(model=MODEL), ABOUT, state)
    log.on_valid(4, LOSSES, True)
    log.close()
    assert _scalars(tmp_path / "log", "valid/total") == [(4, 2.0)]
    assert _size(tmp_path / "log" / "loss.png")[0] > 500


def test_the_plot_has_training_and_validation_in_both_halves(tmp_path):
    """The picture changes with each of the four lines."""
    entries = [dict.fromkeys(HISTORY, 1.0) | {"step": step} for step in (1.0, 2.0)]
    pictures = []
    for name in ("step", "train_pen", "valid_offset", "train_kl", "valid_kl"):
        plot_losses([entries[0], entries[1] | {name: 3.0}], tmp_path / "loss.png")
        pictures.append((tmp_path / "loss.png").read_bytes())
    assert len(set(pictures)) == len(pictures)


def test_the_bar_says_the_losses_and_hides_when_asked(capfd):
    """On standard error, with points per second."""
    for hidden in (False, True):
        bar = ProgressBar(10, done=3, hidden=hidden)
        bar.on_valid(4, Losses(0.25, 0.5, 0.1, 1.0), True)
        bar.on_step(4, LOSSES, 100, {})
        bar.close()
        shown = capfd.readouterr().err
        assert ("4/10" in shown) == (not hidden)
        assert ("L_R +1.500 KL 0.250 valid +0.750*" in shown) == (not hidden)


def test_further_figures_are_told_and_logged(tmp_path, capfd):
    """A line for each validation stays on the screen, and TensorBoard has the numbers."""
    bar, log = ProgressBar(10), LogFolder(tmp_path / "log", Config(model=MODEL), ABOUT, State())
    for each in (bar, log):
        each.on_valid(4, LOSSES, True)
        each.on_figures(4, {"pen_accuracy": 0.875})
        each.close()
    assert "step 4: valid +1.500* pen accuracy 0.875" in capfd.readouterr().err
    assert _scalars(tmp_path / "log", "valid/pen_accuracy") == [(4, 0.875)]


def test_a_sheet_has_a_row_for_each_of_the_classes_asked_for(model, tmp_path):
    """More classes make a taller picture; the step is in the name."""
    heights = []
    for count in (1, 3):
        config = Config(model=MODEL, train=TrainConfig(sheet_classes=count))
        log = LogFolder(tmp_path / "log", config, ABOUT, State())
        log.on_sheet(count, model)
        log.close()
        heights.append(_size(tmp_path / "log" / f"sheet-{count:06d}.png")[1])
    assert heights[1] > 2 * heights[0]


def test_sheets_of_one_model_are_equal(model, tmp_path):
    """The same noise every time: what changes from sheet to sheet is the model."""
    for name in ("a.png", "b.png"):
        draw_sheet(model, ABOUT, tmp_path / name, 2)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with torch.no_grad():
        model.head.bias += 0.1
    draw_sheet(model, ABOUT, tmp_path / "b.png", 2)
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


def test_samples_are_of_the_classes_and_sizes_asked_for(model):
    """Labels as given, no sketch over the most points, every one another."""
    sketches = sample(model, ABOUT, [2, 0, 2, 1], max_points=5)
    assert [sketch.label for sketch in sketches] == ["star", "cat", "star", "moon"]
    assert all(sum(map(len, sketch.lines)) <= 11 for sketch in sketches)
    assert len({str(sketch.lines) for sketch in sketches}) == len(sketches)


def test_the_decoder_of_a_sheet_is_the_network(model):
    """Start and steps behind the sampler's interface give what the LSTM gives over the rows."""
    z, ids = torch.randn(2, 3), [1, 2]
    rows = torch.randn(4, 2, 5)
    with torch.no_grad():
        label = model.embedding(torch.tensor(ids))
        expected = model.decode(rows, z, label, torch.ones(4, 2, dtype=torch.bool)).view(4, 2, -1)
    decoder = TorchDecoder(model)
    steps = decoder.steps(decoder.start(z.numpy(), ids))
    for row, y in zip(rows, expected, strict=True):
        steps.x[:] = row.numpy()
        steps.run()
        torch.testing.assert_close(torch.from_numpy(steps.y), y, atol=1e-5, rtol=1e-5)
