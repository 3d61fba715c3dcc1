"""Pictures that are kept beside a training, and the drawings behind them."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tqdm")
pytest.importorskip("tensorboard")
pytest.importorskip("matplotlib")

from PIL import Image  # noqa: E402

from sketch_edge.runtime.sketch import Sketch  # noqa: E402
from sketch_edge.train.config import Config, ModelConfig, TrainConfig  # noqa: E402
from sketch_edge.train.loop import Trainer  # noqa: E402
from sketch_edge.train.pictures import MOST_FRAMES, SAMPLES, Samples, draw_film, draw_progress  # noqa: E402
from sketch_edge.train.sheet import REAL, real_drawings  # noqa: E402
from sketch_edge.train.watch import LOG_EVERY, LogFolder, gradient_norms  # noqa: E402

MODEL = ModelConfig(encoder_hidden=8, decoder_hidden=16, latent=4, class_embedding=4, mixtures=3)
FAST = TrainConfig(steps=LOG_EVERY, batch=16, warmup=1, valid_every=10, save_every=10, sheet_every=10, precision="fp32")
SQUARE = Sketch((np.array([[0.0, 0], [255, 0], [255, 255], [0, 255]]),), "square")
LINE = Sketch((np.array([[0.0, 0], [255, 9]]),), "line")
BLUE = (31, 95, 180)


def frames(path):
    with Image.open(path) as film:
        return getattr(film, "n_frames", 1)


def test_a_training_keeps_its_pictures(shapes, tmp_path):
    """Sheets by their steps; of everything else there is one, however many sheets there were."""
    trainer = Trainer(shapes, Config(model=MODEL, train=FAST), tmp_path / "m.pt", torch.device("cpu"))
    log = LogFolder(tmp_path / "log", trainer.config, trainer.about, trainer.state, trainer.model, trainer.data)
    trainer.observers = (log,)
    assert trainer.run()
    log.close()
    names = {path.name for path in log.folder.iterdir() if not path.name.startswith("events.")}
    sheets = {"sheet-000010.png", "sheet-000020.png"}
    assert names == {"loss.png", "progress.png", "drawing.gif", "training.gif", SAMPLES, *sheets}
    assert frames(log.folder / "training.gif") == 2
    assert frames(log.folder / "drawing.gif") > 5
    records = [json.loads(line) for line in (log.folder / SAMPLES).read_text().splitlines()]
    assert [(each["step"], each["word"]) for each in records] == [
        (step, name) for step in (10, 20) for name in ("circle", "cross", "square")
    ]
    with Image.open(log.folder / "sheet-000010.png") as sheet:
        assert BLUE in {color for _, color in sheet.convert("RGB").getcolors(2**20) or []}
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(log.folder))
    events.Reload()
    assert events.Tags()["images"] == ["sheet"]
    assert "rates/gradient_norm" in events.Tags()["scalars"]
    (norm,) = events.Scalars("gradients/decoder")
    assert norm.step == LOG_EVERY
    assert norm.value > 0


def test_people_s_drawings_come_from_the_validation_split(shapes):
    """Synthetic ones are nobody's."""
    real = real_drawings(shapes)
    assert [len(each) for each in real] == [REAL] * 3
    for number, sketches in enumerate(real):
        valid = [i for i in range(len(shapes)) if shapes.class_ids[i] == number and shapes.split_ids[i] == 1]
        np.testing.assert_array_equal(sketches[0].stroke3, shapes.drawing(valid[0]))
        assert sketches[0].label == shapes.class_names[number]


def test_a_resumed_training_forgets_what_came_after_its_checkpoint(tmp_path):
    """And goes on with what came before."""
    samples = Samples(tmp_path, 0)
    for step in (1, 2, 3):
        samples.add(step, [SQUARE])
    again = Samples(tmp_path, 2)
    again.add(4, [LINE])
    records = [json.loads(line) for line in (tmp_path / SAMPLES).read_text().splitlines()]
    assert [(each["step"], each["word"]) for each in records] == [(1, "square"), (2, "square"), (4, "line")]
    assert records[2]["drawing"] == [[[0, 255], [0, 9]]]
    again.film(tmp_path / "a.gif")
    assert frames(tmp_path / "a.gif") == 3


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]\n", b'{"step": 1}\n', b"\xff", b'{"step":1,"word":"a","drawing":7}']
)
def test_a_file_that_is_not_ours_is_begun_anew(tmp_path, content):
    """A training does not stop for it."""
    (tmp_path / SAMPLES).write_bytes(content)
    samples = Samples(tmp_path, 9)
    samples.film(tmp_path / "none.gif")
    assert not (tmp_path / "none.gif").exists()
    samples.add(9, [LINE])
    assert len((tmp_path / SAMPLES).read_text().splitlines()) == 1


def test_a_long_training_is_a_short_film(tmp_path):
    """The first and the last sheet are in it."""
    samples = Samples(tmp_path, 0)
    samples._records = [(step, Sketch((np.array([[0.0, 0], [255, step]]),), "line")) for step in range(1, 251)]
    samples.film(tmp_path / "a.gif")
    assert frames(tmp_path / "a.gif") == MOST_FRAMES


def test_equal_drawings_make_equal_files(tmp_path):
    """Progress and film; another drawing makes others."""
    for name, sketch in (("a", SQUARE), ("b", SQUARE), ("c", LINE)):
        draw_progress(sketch, tmp_path / f"{name}.png")
        draw_film([sketch], tmp_path / f"{name}.gif")
    for suffix in ("png", "gif"):
        one, same, other = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in "abc")
        assert one == same != other


def test_gradient_norms_are_those_of_the_layers():
    """Over all weights of a layer; what has no gradient is left out."""
    model = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Linear(1, 1))
    model[0].weight.grad = torch.tensor([[3.0, 0.0]])
    model[0].bias.grad = torch.tensor([4.0])
    assert gradient_norms(model) == {"0": 5.0}
