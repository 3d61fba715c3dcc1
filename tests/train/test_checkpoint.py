"""model.pt: what goes in comes out, and what is damaged or foreign is refused before it is parsed."""

import dataclasses
import hashlib
import io
import json
import os
import struct
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sketch_edge.runtime.errors import CheckpointError, UnfinishedError  # noqa: E402
from sketch_edge.train import checkpoint as module  # noqa: E402
from sketch_edge.train.checkpoint import About, Checkpoint, load_checkpoint, save_checkpoint  # noqa: E402
from sketch_edge.train.config import Config, ModelConfig  # noqa: E402
from sketch_edge.train.models.vae import SketchVAE  # noqa: E402

TESTS = Path(__file__).parents[1]
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


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"version https://git-lfs.github.com/spec/v1\n", b"PK\x03\x04" * 9]
)
def test_foreign_files_are_refused_by_name(file, content):
    """The message names the file and what to do."""
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.pt: .*sketch-train"):
        load_checkpoint(file)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer"),
        (b"\n<!DOCTYPE html><html>", "is a web page"),
        ((TESTS / "data" / "tiny-whole.sketch.zip").read_bytes(), "is a bundle, no checkpoint"),
    ],
)
def test_what_often_stands_there_instead_is_named(file, content, what):
    """A pointer, a web page, a bundle, nothing at all."""
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"model\.pt: {what}"):
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
    with pytest.raises(CheckpointError, match=r"^weights\.(head\.weight|'more'): "):
        dataclasses.replace(checkpoint, weights=weights).model()


def _with_hash(archive):
    """The archive as a file whose hash is right."""
    comment = b"sketch-edge checkpoint 1 sha256:" + hashlib.sha256(archive).hexdigest().encode()
    return archive[:-2] + struct.pack("<H", len(comment)) + comment


def _forge(path, change):
    """Rewrite a checkpoint with something else in it, and a hash that is right."""
    raw = torch.load(path, weights_only=True)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nested tensors are in prototype stage
        change(raw)
        torch.save(raw, buffer)
    path.write_bytes(_with_hash(buffer.getvalue()))


def _set_json(part, **changes):
    def change(raw):
        raw[part] = json.dumps({**json.loads(raw[part]), **changes})

    return change


def _set(part, value):
    return lambda raw: raw.__setitem__(part, value)


def _set_weight(name, make):
    return lambda raw: raw["weights"].__setitem__(name, make(raw["weights"][name]))


def _with_attribute(weight):
    """A tensor with an attribute in the place of a method."""
    weight = weight.clone()
    weight.is_contiguous = 5
    return weight


def _with_pickle(path, pickle):
    """Put another pickle into a checkpoint, and a hash that is right."""
    packed = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(packed, "w") as new:
        for info in old.infolist():
            new.writestr(info.filename, pickle if info.filename.endswith("data.pkl") else old.read(info))
    path.write_bytes(_with_hash(packed.getvalue()))


@pytest.mark.parametrize(
    ("pickle", "what"),
    [
        (b"\x80\x02(" + b"]" * 4_000_000 + b"t.", "over 3000000 opcodes"),
        (b"\x80\x02N" + b"\x85" * 4_000_000 + b".", "over 3000000 opcodes"),
        (b"\x80\x02c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R.", "asks for __builtin__ bytearray"),
        (b"\x80\x02c__builtin__\nset\n" + b"a" * 200, "asks for __builtin__ set"),
        (b"\x80\x02ctorch", "asks for torch,"),
        (
            b"\x80\x02}("
            + b"".join(b"\x8a\x0c" + (k * ((1 << 61) - 1)).to_bytes(12, "little") + b"N" for k in range(20_000))
            + b"u.",
            "is opcode 0x8a",
        ),
        (b"\x80\x02", "is its end"),
        (b"\x80\x02X\xff\xff\xff\xff", "is its end"),
    ],
    ids=["lists", "depth", "bytearray", "set", "cut name", "one hash", "cut", "cut text"],
)
def test_a_pickle_that_asks_for_more_than_it_holds_is_not_loaded(file, pickle, what):
    """torch would take minutes or gigabytes for some of these; a right hash proves nothing."""
    _with_pickle(file, pickle)
    with pytest.raises(CheckpointError, match=rf"cannot be understood \(.*{what}"):
        load_checkpoint(file)


def test_dictionaries_with_methods_of_their_own_are_plain_ones(file):
    """torch gives an OrderedDict whatever attributes a file says."""

    def change(raw):
        raw["weights"] = OrderedDict(raw["weights"])
        raw["resume"] = OrderedDict(raw["resume"], itself=raw["resume"])
        for part in ("weights", "resume"):
            raw[part].keys = raw[part].get = 5

    weights = load_checkpoint(file).weights
    _forge(file, change)
    found = load_checkpoint(file)
    assert found.weights.keys() == weights.keys()
    assert type(found.resume) is type(found.resume["itself"]) is dict


def test_a_forged_file_without_a_lie_loads(file):
    """The forging below is refused for what it forges, not for how."""
    before = load_checkpoint(file)
    _forge(file, lambda raw: None)
    assert load_checkpoint(file).about == before.about


def test_files_of_before_a_setting_came_load(file, checkpoint):
    """Settings that are not there have their defaults."""
    config = {name: value for name, value in checkpoint.config.to_dict().items() if name != "pen_rows"}
    _forge(file, _set("config", json.dumps(config)))
    assert load_checkpoint(file).config == checkpoint.config


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (_set("format", 2), r":format: is 2 \(expected 1\); update"),
        (_set("format", torch.ones(3)), ":format: "),
        (_set("config", "{"), ":config: is no proper JSON"),
        (_set("config", {"latent": 4}), ":config: is no JSON object"),
        (_set_json("config", latent="many"), r":config\.latent=many: expected a whole number; train again"),
        (_set_json("config", latent=5), r":weights\.posterior\.weight: has shape"),
        (_set_json("config", decoder_hidden=2048, encoder_hidden=4096), r":weights\.\S+: has shape"),
        (_set_json("config", depth=2), r":config\.depth: no such setting"),
        (_set_json("config", preset="huge"), r":config\.preset='huge': is unknown"),
        (_set("about", None), ":about: is no JSON object"),
        (_set_json("about", classes=["cat", "cat"]), r":about\.classes: a name stands twice"),
        (_set_json("about", classes=["cat"], counts={}), r":weights\.embedding\.weight: has shape"),
        (_set_json("about", scale=-1), r":about\.scale: is -1"),
        (_set("weights", [1, 2]), ":weights: is list"),
        (_set("weights", {}), r":weights\.\S+: is missing"),
        (_set_weight("head.bias", lambda weight: weight.tolist()), r":weights\.head\.bias: is no dense tensor"),
        (_set_weight("head.bias", lambda weight: weight.double()), r":weights\.head\.bias: is no dense tensor"),
        (_set_weight("head.bias", lambda weight: weight.to_sparse()), ": cannot be understood .*sparse"),
        (
            _set_weight("head.bias", lambda weight: weight[:1].expand(15)),
            r":weights\.head\.bias: is not stored in full",
        ),
        (_set_weight("head.bias", lambda weight: weight / 0), r":weights\.head\.bias: holds NaN or infinite"),
        (
            _set_weight("head.bias", lambda weight: weight.requires_grad_()),
            r":weights\.head\.bias: is a tensor that asks",
        ),
        (
            _set_weight("head.bias", lambda weight: torch.nested.nested_tensor([weight])),
            ": cannot be understood .*nested",
        ),
        (_set_weight("head.bias", _with_attribute), ": cannot be understood .*rebuild_from_type"),
        (_set("about", json.dumps({"classes": ["a" * (1 << 24)]})), ":about: is no JSON object"),
        (_set("resume", None), ":resume: is NoneType"),
        (lambda raw: raw.pop("weights"), ":weights: is NoneType"),
    ],
)
def test_a_file_that_lies_is_refused_where_it_lies(file, change, what):
    """A right hash proves nothing about what is inside."""
    _forge(file, change)
    with pytest.raises(CheckpointError, match=rf"^{file}{what}") as refused:
        load_checkpoint(file)
    assert str(refused.value).isprintable()


def test_what_is_no_dictionary_is_refused(file):
    """A list with a right hash."""
    buffer = io.BytesIO()
    torch.save([1, 2], buffer)
    file.write_bytes(_with_hash(buffer.getvalue()))
    with pytest.raises(CheckpointError, match=r"cannot be understood \(it holds list\)"):
        load_checkpoint(file)


def test_an_archive_that_would_inflate_is_not_opened(file):
    """torch.load itself inflates whatever it is given."""
    packed = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))
    archive = packed.getvalue()
    torch.load(io.BytesIO(archive), weights_only=True)
    file.write_bytes(_with_hash(archive))
    with pytest.raises(CheckpointError, match="a member is compressed"):
        load_checkpoint(file)


def test_code_in_a_file_is_not_run(file, tmp_path):
    """A pickle that would call a function is refused, right hash or not."""

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "run"),)

    buffer = io.BytesIO()
    torch.save({"format": 1, "config": Evil()}, buffer)
    file.write_bytes(_with_hash(buffer.getvalue()))
    with pytest.raises(CheckpointError, match="cannot be understood"):
        load_checkpoint(file)
    assert not (tmp_path / "run").exists()


def test_a_later_format_asks_for_an_update(file):
    """The comment tells, before anything is parsed."""
    content = file.read_bytes()
    file.write_bytes(content.replace(b"checkpoint 1 sha256", b"checkpoint 2 sha256"))
    with pytest.raises(CheckpointError, match=r"format 2 \(this version reads 1\); update"):
        load_checkpoint(file)


def test_what_is_no_plain_file_is_refused_without_reading(tmp_path):
    """A pipe would wait for ever, a device has no end."""
    os.mkfifo(tmp_path / "pipe.pt")
    for path, what in ((tmp_path / "pipe.pt", "no plain file"), ("/dev/zero", "no plain file"), (tmp_path, "a folder")):
        with pytest.raises(CheckpointError, match=f"is {what} "):
            load_checkpoint(path)


def test_a_huge_foreign_file_is_refused_unread(tmp_path, monkeypatch):
    """By its end, or by its size: it takes neither time nor memory."""
    path = tmp_path / "model.pt"
    with path.open("wb") as file:
        file.truncate(module.MAX_BYTES)
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        load_checkpoint(path)
    with path.open("r+b") as file:
        file.truncate(module.MAX_BYTES + 1)
    with pytest.raises(CheckpointError, match=f"at most {module.MAX_BYTES}"):
        load_checkpoint(path)


def test_a_checkpoint_too_large_to_load_is_not_saved(checkpoint, file, monkeypatch):
    """The old file stays."""
    before = file.read_bytes()
    monkeypatch.setattr(module, "MAX_BYTES", 5000)
    with pytest.raises(UnfinishedError, match="at most 5000"):
        save_checkpoint(file, checkpoint)
    assert file.read_bytes() == before


def test_the_shapes_that_sizes_ask_for_are_those_of_the_network():
    """Told without building it."""
    shapes = {name: tuple(weight.shape) for name, weight in SketchVAE(SMALL, 7).state_dict().items()}
    assert SketchVAE.weight_shapes(SMALL, 7) == shapes


def test_tensors_that_share_their_numbers_do_not_pass_for_many():
    """A small file cannot stand for a large model."""
    one = torch.ones(100)
    shapes = {f"w{number}": (100,) for number in range(50)}
    module.check_tensors(dict.fromkeys(shapes, one), shapes, "weights", 20_000)
    with pytest.raises(CheckpointError, match=r"^weights: are larger than the file"):
        module.check_tensors(dict.fromkeys(shapes, one), shapes, "weights", 19_999)
