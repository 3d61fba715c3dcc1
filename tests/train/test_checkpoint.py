"""model.pt: what goes in comes out, and what is damaged or foreign is refused before it is parsed."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sketch_edge.runtime.errors import CheckpointError  # noqa: E402
from sketch_edge.train.checkpoint import About, Checkpoint, load_checkpoint, save_checkpoint  # noqa: E402
from sketch_edge.train.config import Config, ModelConfig  # noqa: E402
from sketch_edge.train.model import SketchVAE  # noqa: E402

SMALL = ModelConfig(encoder_hidden=6, decoder_hidden=10, latent=4, class_embedding=3, mixtures=2)


@pytest.fixture
def checkpoint():
    torch.manual_seed(0)
    weights = SketchVAE(SMALL, 2).state_dict()
    about = About(classes=("cat", "star"), scale=31.5, max_points=80, counts={"cat": 3, "star": 4}, step=7)
    resume = {"state": {"step": 7, "history": [{"step": 1.0}]}, "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}}}
    return Checkpoint(Config(model=SMALL), about, weights, resume)


@pytest.fixture
def file(checkpoint, tmp_path):
    path = tmp_path / "model.pt"
    save_checkpoint(path, checkpoint)
    return path


def test_round_trip(checkpoint, file):
    """Settings, weights, classes and state come back as they were."""
    found = load_checkpoint(file)
    assert found.config == checkpoint.config
    assert found.about == checkpoint.about
    assert found.resume["state"] == checkpoint.resume["state"]
    assert all(torch.equal(found.weights[name], weight) for name, weight in checkpoint.weights.items())
    assert len(found.sha256) == 64


def test_plain_torch_reads_it_without_running_code(file):
    """The file is an ordinary torch archive of plain values."""
    raw = torch.load(file, weights_only=True)
    assert set(raw) == {"format", "config", "about", "weights", "resume"}


def test_every_cut_is_refused(file):
    """A file cut anywhere is never used."""
    content = file.read_bytes()
    for length in np.linspace(0, len(content) - 1, 40).astype(int):
        file.write_bytes(content[:length])
        with pytest.raises(CheckpointError):
            load_checkpoint(file)


def test_every_flipped_bit_is_refused(file):
    """A single wrong bit anywhere in the archive is seen."""
    content = bytearray(file.read_bytes())
    for place in np.random.default_rng(0).integers(0, len(content), 100):
        content[place] ^= 4
        file.write_bytes(content)
        with pytest.raises(CheckpointError):
            load_checkpoint(file)
        content[place] ^= 4


@pytest.mark.parametrize("content", [b"", b"<html>", b"version https://git-lfs.github.com/spec/v1\n", b"PK\x03\x04" * 9])
def test_foreign_files_are_refused_by_name(file, content):
    """The message names the file and what to do."""
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.pt: .*sketch-train"):
        load_checkpoint(file)


def test_a_torch_file_of_others_is_refused(file):
    """A pickled checkpoint of another program is not opened."""
    torch.save({"weights": torch.ones(3)}, file)
    with pytest.raises(CheckpointError, match="not one of sketch-train"):
        load_checkpoint(file)


def test_missing_file_says_how_to_make_one(tmp_path):
    """No such file is an error with advice."""
    with pytest.raises(CheckpointError, match=r"nothing\.pt: cannot be read .*sketch-train"):
        load_checkpoint(tmp_path / "nothing.pt")


@pytest.mark.parametrize("damage", ["missing", "extra", "shape", "nan"])
def test_weights_that_do_not_fit_are_refused(checkpoint, damage):
    """Names, shapes and values are checked before a model is built from them."""
    weights = dict(checkpoint.weights)
    name = "head.weight"
    if damage == "missing":
        del weights[name]
    elif damage == "extra":
        weights["more"] = torch.ones(1)
    elif damage == "shape":
        weights[name] = weights[name][:, :-1]
    else:
        weights[name] = weights[name] * float("nan")
    with pytest.raises(CheckpointError, match="weights: "):
        dataclasses.replace(checkpoint, weights=weights).model()
