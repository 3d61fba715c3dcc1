"""Magenta's files: what is read, and that damaged and lying ones are refused by name, quickly and in little memory."""

import base64
import contextlib
import copy
import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.export.magenta_file import MAX_BYTES, class_of, looks_like_magenta, read_magenta
from sketch_edge.runtime.errors import InputError
from tests.magenta_files import GEN, HE, VAE, H, M, Z, info, make, write

GOOD = make(GEN, "gen")
WHOLE = make(VAE, 1)


def changed(change, content=GOOD):
    """A copy of a good file's content after `change`."""
    content = copy.deepcopy(content)
    change(content)
    return content


def set_info(**values):
    return lambda content: content[0].update(values)


def set_dim(number, shape):
    def change(content):
        content[1][number] = shape

    return change


def set_blob(number, blob):
    def change(content):
        content[2][number] = blob

    return change


def refused(path, text):
    """Write text or bytes, read it, and return the one-line error without the path."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as caught:
        read_magenta(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < 700
    return message.removeprefix(str(path))


@pytest.mark.parametrize("mode", [2, "gen"])
def test_a_decoder_is_read(tmp_path, mode):
    """Its sizes are told by its shapes."""
    model = read_magenta(write(tmp_path / "alarm_clock.gen.json", make(GEN, mode)))
    assert (model.kind, model.hidden, model.mixtures, model.latent, model.encoder_hidden) == ("gen", H, M, 0, 0)
    assert (model.label, model.name, model.version, model.max_points) == ("alarm clock", "cat", "6", 60)
    assert model.scale_factor == 70.5
    assert model.stated == {}


@pytest.mark.parametrize("mode", [1, 0, "vae", "conditional"])
def test_a_whole_model_is_read(tmp_path, mode):
    """Any other mode than that of a decoder."""
    content = make(VAE, mode)
    content[0] |= {"r_loss": -0.5, "kl_loss": 0.2, "training_size": 70000}
    model = read_magenta(write(tmp_path / "cat.vae.json", content))
    assert (model.kind, model.latent, model.encoder_hidden) == ("vae", Z, HE)
    assert model.stated == {"r_loss": -0.5, "kl_loss": 0.2, "training_size": 70000}
    content[0] |= {"r_loss": None, "comment": "unknown keys say nothing"}
    assert set(read_magenta(write(tmp_path / "cat.vae.json", content)).stated) == {"kl_loss", "training_size"}


def test_weights_are_tenths_of_full_scale(tmp_path):
    """10 q / 32767, little-endian, row by row; also where numbers are listed."""
    numbers = np.arange(-3, 6 * M + 3 - 3)
    for blob in (base64.b64encode(numbers.astype("<i2").tobytes()).decode(), numbers.tolist()):
        model = read_magenta(write(tmp_path / "x.json", changed(set_blob(1, blob))))
        assert np.array_equal(model.tensors["output_b"], numbers * 10 / 32767)
    extremes = [32767, -32768] + [0] * (6 * M + 1)
    model = read_magenta(write(tmp_path / "x.json", changed(set_blob(1, extremes))))
    assert model.tensors["output_b"][:2].tolist() == [10.0, -32768 * 10 / 32767]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("alarm_clock.gen.json", "alarm clock"),
        ("cat.vae.json", "cat"),
        ("cat.json", "cat"),
        ("The_Eiffel_Tower.GEN.JSON", "The Eiffel Tower"),
        ("a\x1bb.gen.json", "a b"),
        (".gen.json", "drawing"),
        ("x" * 200 + ".gen.json", "x" * 100),
    ],
)
def test_the_file_names_the_class(file, name):
    """Without the endings, with spaces, printable."""
    assert class_of(file) == name


def test_files_are_told_apart(tmp_path):
    """By the name or by the first bracket; a bundle is none."""
    other = tmp_path / "model.bin"
    assert looks_like_magenta(tmp_path / "nothing.json")
    assert not looks_like_magenta(other)
    other.write_text(' [{"mode": 2}]')
    assert looks_like_magenta(other)
    other.write_bytes(b"PK\x03\x04")
    assert not looks_like_magenta(other)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda c: c.pop(), "is a list of 2 (expected [info, dims, blobs]"),
        (lambda c: c.__setitem__(0, [1]), ":info: is a list"),
        (lambda c: c.__setitem__(1, {"a": 1}), ":dims: are an object"),
        (lambda c: c[1].pop(), ":dims: are 4 (expected 5"),
        (lambda c: c.__setitem__(2, "abc"), ":blobs: are 'abc'"),
        (lambda c: c[2].pop(), ":blobs: are 4 (expected 5"),
        (lambda c: c[2].append(""), ":blobs: are 6 (expected 5"),
        (set_info(mode=1), ":info.mode: is 1, which has 17 tensors (the file has 5)"),
        (set_info(mode=True), ":info.mode: is True"),
        (set_info(scale_factor=0), ":info.scale_factor: is 0"),
        (set_info(scale_factor=-3.5), ":info.scale_factor: is -3.5"),
        (set_info(scale_factor="70"), ":info.scale_factor: is '70'"),
        (set_info(scale_factor=True), ":info.scale_factor: is True"),
        (set_info(scale_factor=1e300), ":info.scale_factor: is 1e+300"),
        (set_info(scale_factor=10**4000), ":info.scale_factor: is a huge number"),
        (lambda c: c[0].pop("scale_factor"), ":info.scale_factor: is missing"),
        (lambda c: c[0].pop("max_seq_len"), ":info.max_seq_len: is missing"),
        (set_info(max_seq_len=0), ":info.max_seq_len: is 0"),
        (set_info(max_seq_len=10**9), ":info.max_seq_len: is 1000000000"),
        (set_info(max_seq_len=12.0), ":info.max_seq_len: is 12.0"),
        (set_info(name=["cat"]), ":info.name: is a list"),
        (set_info(name="a\nb"), ":info.name: is 'a\\nb'"),
        (set_info(name="x" * 101), ":info.name: is 'xxx"),
        (set_info(version={"a": 1}), ":info.version: is an object"),
        (set_info(version=10**4000), ":info.version: is a huge number"),
        (set_info(r_loss="low"), ":info.r_loss: is 'low'"),
        (set_dim(0, [10**9, 27]), ":dims[0]: is [1000000000, 27]"),
        (set_dim(0, [8192, 27]), ":dims: say H = 8192 (at most 2048)"),
        (set_dim(0, [H, 6 * M + 4]), ":dims[0]: is [40, 28] (expected [H, 6 M + 3])"),
        (set_dim(0, [H]), ":dims[0]: is [40] (expected [H, 6 M + 3])"),
        (set_dim(0, [H, 3]), ":dims[0]: is [40, 3] (expected [H, 6 M + 3])"),
        (set_dim(0, [H, 6 * 200 + 3]), ":dims: say M = 200 (at most 128)"),
        (set_dim(0, [-H, 27]), ":dims[0]: is [-40, 27]"),
        (set_dim(0, [40.0, 27]), ":dims[0]: is [40.0, 27]"),
        (set_dim(0, [True, 27]), ":dims[0]: is [True, 27]"),
        (set_dim(2, []), ":dims[2]: is []"),
        (set_dim(2, [5, 4, H]), ":dims[2]: is [5, 4, 40]"),
        (set_dim(2, "5x160"), ":dims[2]: is ['5x160']"),
        (set_dim(2, [6, 4 * H]), ":dims[2]: is [6, 160] (expected [5, 160], decoder_wx)"),
        (set_dim(3, [H, 3 * H]), ":dims[3]: is [40, 120] (expected [40, 160], decoder_wh)"),
        (set_dim(4, [4 * H, 1]), ":dims[4]: is [160, 1] (expected [160], decoder_b)"),
        (set_blob(1, GOOD[2][1][:-4]), ":blobs[1]: has 68 letters (expected 72"),
        (set_blob(1, GOOD[2][1] + "AAAA"), ":blobs[1]: has 76 letters"),
        (set_blob(1, "*" * 72), ":blobs[1]: is no base64"),
        (set_blob(1, "é" * 72), ":blobs[1]: is no base64"),
        (set_blob(1, "A" * 71 + "="), ":blobs[1]: has 53 bytes (expected 54)"),
        (set_blob(1, {"a": 1}), ":blobs[1]: is an object"),
        (set_blob(1, None), ":blobs[1]: is None"),
        (set_blob(1, [0] * 26), ":blobs[1]: has 26 numbers (expected 27)"),
        (set_blob(1, [0] * 26 + [32768]), ":blobs[1][26]: is 32768"),
        (set_blob(1, [0] * 26 + [0.5]), ":blobs[1][26]: is 0.5"),
        (set_blob(1, [True] + [0] * 26), ":blobs[1][0]: is True"),
        (set_blob(1, [10**4000] + [0] * 26), ":blobs[1][0]: is a huge number"),
        (set_blob(1, [[0]] * 27), ":blobs[1][0]: is a list"),
    ],
)
def test_files_that_lie_are_refused(tmp_path, change, what):
    """What is wrong, where, what was expected."""
    assert what in refused(tmp_path / "x.gen.json", json.dumps(changed(change)))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (set_info(mode=2), ":info.mode: is 2, which has 5 tensors (the file has 17)"),
        (set_dim(1, [HE, 4 * HE + 4]), ":dims[1]: is [24, 100] (expected [24, 96], forward_wh)"),
        (set_dim(1, [2049, 4 * HE]), ":dims: say He = 2049"),
        (set_dim(10, [5000, 2 * H]), ":dims: say Z = 5000"),
        (set_dim(14, [5, 4 * H]), ":dims[14]: is [5, 160] (expected [16, 160], decoder_wx)"),
    ],
)
def test_whole_models_that_lie_are_refused(tmp_path, change, what):
    """The sizes of encoder and latent vector too."""
    assert what in refused(tmp_path / "x.vae.json", json.dumps(changed(change, WHOLE)))


GOOD_TEXT = json.dumps(GOOD)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is no proper JSON"),
        ("null", "is None (expected [info, dims, blobs]"),
        ("[]", "is a list of 0"),
        (GOOD_TEXT[:-1], "is no proper JSON"),
        (GOOD_TEXT.replace("70.5", "NaN"), "NaN is no JSON number"),
        (GOOD_TEXT.replace("70.5", "-Infinity"), "-Infinity is no JSON number"),
        (GOOD_TEXT.replace("70.5", "1e999"), ":info.scale_factor: is inf"),
        (GOOD_TEXT.replace("70.5", "9" * 5000), "is no proper JSON"),
        (GOOD_TEXT.replace('"mode"', '"name": "dog", "mode"'), "a key stands twice"),
        ("[" * 900, "is no proper JSON"),
        ("[" * 900 + "]" * 900, "is "),
        ("[" * 100_000, "holds 100000 lists"),
        ("[" + "{}," * 10**6 + "0]", "holds 1000001 lists"),
        ('[{"a":' * 600 + "0" + "}]" * 600, "lists, objects and keys"),
        (b"\xff\xfe[]", "is no UTF-8 text"),
        (b"[\x00]", "is no proper JSON"),
        ("<html>not found</html>", "is no proper JSON"),
    ],
)
def test_what_is_no_proper_file_is_refused(tmp_path, text, what):
    """Before anything large is built."""
    assert what in refused(tmp_path / "x.gen.json", text)


@pytest.mark.parametrize(
    "piece", [b"0,", b"1e5,", b"300,", b'"ab",', b'"\\u00e9\\u0100",', b"[" * 900 + b"]" * 900 + b","]
)
def test_the_largest_files_take_less_than_a_gigabyte(tmp_path, piece):
    """Whatever is written most densely; measured on a 48th of the largest."""
    path = tmp_path / "x.gen.json"
    size = MAX_BYTES // 48 if not piece.startswith(b"[") else 1800
    path.write_bytes(b"[" + piece * (size // len(piece)) + b"0]")
    tracemalloc.start()
    try:
        with pytest.raises(InputError):
            read_magenta(path)
        assert (
            tracemalloc.get_traced_memory()[1] < 2 * MAX_BYTES + ((1 << 30) - 2 * MAX_BYTES) / 48
        )  # room to read, first
    finally:
        tracemalloc.stop()


def test_larger_files_are_not_read(tmp_path):
    """Nor folders, nor what is not there."""
    path = tmp_path / "x.gen.json"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    for each, what in (
        (path, "is larger than any"),
        (tmp_path, "is a folder"),
        (tmp_path / "no.json", "cannot be read"),
    ):
        with pytest.raises(InputError, match=what):
            read_magenta(each)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_damage_gives_another_error_than_ours(tmp_path_factory, data):
    """Cuts, and pieces written over; a flipped digit may make another model, never another error."""
    path = tmp_path_factory.mktemp("damage") / "x.gen.json"
    text = bytearray(GOOD_TEXT.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text) - 1) | st.integers(0, 250))
        piece = data.draw(
            st.binary(min_size=0, max_size=6) | st.sampled_from([b"[", b"]", b",", b"-", b"1e9", b"null"])
        )
        text[place : place + len(piece)] = piece
    path.write_bytes(text[: data.draw(st.just(len(text)) | st.integers(0, len(text)))])
    with contextlib.suppress(InputError):
        assert read_magenta(path).kind == "gen"


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
        max_leaves=12,
    ),
    st.sampled_from(["info", "dims", "blobs", "whole"]),
)
def test_no_json_gives_another_error_than_ours(tmp_path_factory, value, part):
    """Whatever stands where info, dims, blobs, or the whole should."""
    path = tmp_path_factory.mktemp("json") / "x.gen.json"
    content = {"info": [value, GEN, GOOD[2]], "dims": [info(2), value, GOOD[2]], "blobs": [info(2), GEN, value]}
    path.write_text(json.dumps(content.get(part, value)))
    with pytest.raises(InputError):
        read_magenta(path)
