"""The bundle: what is written, and that nothing else is read."""

import io
import json
import os
import runpy
import struct
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime import bundle as module
from sketch_edge.runtime.bundle import (
    MANIFEST,
    MEMBER_ORDER,
    Bundle,
    Imported,
    Manifest,
    open_bundle,
    pack_bundle,
    read_bundle,
    write_bundle,
)
from sketch_edge.runtime.errors import BundleError, InputError

TESTS = Path(__file__).parents[1]
TINY = TESTS / "data" / "tiny.sketch.zip"
CONTENT = TINY.read_bytes()
BUNDLE = read_bundle(TINY)
AS_BYTES: Any = b"bytes"
MEMBERS = {"start.onnx": b"start", "step.onnx": b"a step", "encode.onnx": b"encode"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.sketch.zip"


def refused(path: Path, content: bytes) -> str:
    """Write `content`, read it as a bundle, and return the one-line error."""
    path.write_bytes(content)
    with pytest.raises(BundleError) as caught:
        read_bundle(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(str(path))


def with_manifest(change: Any) -> bytes:
    """Pack the tiny bundle's members beside a manifest that `change` was applied to; every checksum is right."""
    content = json.loads(BUNDLE.manifest.to_json())
    change(content)
    text = json.dumps(content).encode()
    return module._pack({MANIFEST: text, **BUNDLE.members})


def test_the_script_makes_the_committed_file(tmp_path):
    """tests/tiny_bundle.py gives the bytes of tests/data/tiny.sketch.zip."""
    pytest.importorskip("onnx")
    runpy.run_path(str(TESTS / "tiny_bundle.py"))["main"](tmp_path / "tiny.sketch.zip")
    assert (tmp_path / "tiny.sketch.zip").read_bytes() == CONTENT


def test_what_is_written_is_read(path):
    """A bundle comes back with its manifest and members."""
    write_bundle(path, BUNDLE.manifest, MEMBERS | {"draw.onnx": b"draw"})
    back = read_bundle(path)
    assert back.path == path
    assert back.members == MEMBERS | {"draw.onnx": b"draw"}
    assert replace(back.manifest, members={}) == replace(BUNDLE.manifest, members={})
    assert back.manifest.members["step.onnx"].size == 6


def test_equal_content_makes_equal_files():
    """Neither the order of the members nor the time of day stands in the bytes."""
    backwards = dict(reversed(MEMBERS.items()))
    assert pack_bundle(BUNDLE.manifest, MEMBERS) == pack_bundle(BUNDLE.manifest, backwards)


def test_any_zip_tool_opens_it():
    """Python's zipfile finds the members in order, stored, of 1980."""
    with zipfile.ZipFile(io.BytesIO(CONTENT)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == list(MEMBER_ORDER[:4])
        for info in archive.infolist():
            assert info.compress_type == zipfile.ZIP_STORED
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert info.external_attr >> 16 == 0o100644
            assert (info.extra, info.comment) == (b"", b"")


def test_literal_bytes():
    """The first bytes of a file are these (docs/FORMAT.md)."""
    text = BUNDLE.manifest.to_json().encode()
    expected = bytes.fromhex("504b0304 1400 0000 0000 0000 2100") + struct.pack("<I", zlib.crc32(text))
    expected += 2 * struct.pack("<I", len(text)) + bytes.fromhex("0d00 0000") + b"manifest.json" + text
    assert CONTENT.startswith(expected)
    assert text.startswith(b'{\n "checkpoint": {\n  "sha256": "0000')
    assert CONTENT[-22:-14] == bytes.fromhex("504b0506 0000 0000")


def test_the_hash_is_that_of_the_file():
    """Bundle.sha256 is what sha256sum prints."""
    import hashlib

    assert BUNDLE.sha256 == hashlib.sha256(CONTENT).hexdigest()


def test_the_manifest_survives_json():
    """to_json and from_json are each other's opposite."""
    assert Manifest.from_json(BUNDLE.manifest.to_json()) == BUNDLE.manifest


def test_what_somebody_else_trained_says_so():
    """`imported` survives JSON; a bundle that was trained here does not have the key."""
    manifest = replace(BUNDLE.manifest, imported=Imported("cat.gen.json", "cat, version 6", "somebody", "a note"))
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert "imported" not in json.loads(BUNDLE.manifest.to_json())


@pytest.mark.parametrize(
    ("latent", "members", "what"),
    [(0, MEMBERS, "encode.onnx: is there"), (4, {"start.onnx": b"1", "step.onnx": b"2"}, "encode.onnx: is missing")],
)
def test_an_encoder_is_there_exactly_where_there_is_a_latent_vector(latent, members, what):
    """A decoder alone has none, any other model has one."""
    manifest = replace(BUNDLE.manifest, sizes=replace(BUNDLE.manifest.sizes, latent=latent))
    with pytest.raises(BundleError, match=what):
        pack_bundle(manifest, members)


def test_a_decoder_alone_is_a_bundle(path):
    """start and step are enough where Z is 0."""
    manifest = replace(BUNDLE.manifest, sizes=replace(BUNDLE.manifest.sizes, latent=0))
    write_bundle(path, manifest, {"start.onnx": b"1", "step.onnx": b"2"})
    assert read_bundle(path).manifest.sizes.latent == 0


# --- damage -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", range(64))
def test_every_cut_is_found(path, cut):
    """A file that ends early is never used."""
    refused(path, CONTENT[: len(CONTENT) * cut // 64])


def test_every_flipped_bit_is_found(path):
    """200 files with one flipped bit each, spread over all bytes: none is used."""
    rng = np.random.default_rng(5)
    for bit in rng.choice(8 * len(CONTENT), 200, replace=False):
        damaged = bytearray(CONTENT)
        damaged[bit // 8] ^= 1 << (bit % 8)
        refused(path, bytes(damaged))


def test_every_flipped_header_bit_is_found(path):
    """In the headers and the directory, which no sha256 covers, every single bit counts."""
    directory = CONTENT.index(b"PK\x01\x02")
    for byte in [*range(43), *range(directory, len(CONTENT))]:
        damaged = bytearray(CONTENT)
        damaged[byte] ^= 1 << (byte % 8)
        refused(path, bytes(damaged))


def test_zeroed_and_swapped_pages_are_found(path):
    """Blocks that a disk lost or mixed up are found, 20 of each."""
    rng = np.random.default_rng(6)
    size = 256
    for _ in range(20):
        one, other = sorted(rng.choice(len(CONTENT) // size, 2, replace=False) * size)
        zeroed, swapped = bytearray(CONTENT), bytearray(CONTENT)
        zeroed[one : one + size] = bytes(size)
        swapped[one : one + size], swapped[other : other + size] = CONTENT[other:][:size], CONTENT[one:][:size]
        refused(path, bytes(zeroed))
        refused(path, bytes(swapped))


def test_swapped_members_are_found(path):
    """Two graphs in each other's place, with right checksums, are not what the manifest lists."""
    members = dict(BUNDLE.members)
    members["start.onnx"], members["step.onnx"] = members["step.onnx"], members["start.onnx"]
    packed = module._pack({MANIFEST: BUNDLE.manifest.to_json().encode(), **members})
    assert ":start.onnx: has " in refused(path, packed)


def test_another_content_of_the_same_size_is_found(path):
    """A graph that was changed and packed again does not match its sha256."""
    members = dict(BUNDLE.members) | {"step.onnx": BUNDLE.members["step.onnx"][::-1]}
    packed = module._pack({MANIFEST: BUNDLE.manifest.to_json().encode(), **members})
    assert ":step.onnx: is not the content that was exported (sha256 " in refused(path, packed)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.integers(0, len(CONTENT)), st.booleans())
def test_any_bytes_give_our_own_error(tmp_path_factory, noise, at, insert):
    """Random bytes, alone or put into a bundle, raise BundleError and nothing else."""
    path = tmp_path_factory.getbasetemp() / "noise.sketch.zip"
    content = CONTENT[:at] + noise + CONTENT[at + (0 if insert else len(noise)) :]
    for each in (noise, b"PK\x03\x04" + noise, content):
        if each != CONTENT:
            refused(path, each)


# --- other containers ---------------------------------------------------------------------------------------------


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Pack with Python's zipfile, as any tool would."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_repacked_bundle_is_refused(path):
    """The same members in another tool's zip are not the bytes that were exported."""
    everything = {MANIFEST: BUNDLE.manifest.to_json().encode(), **BUNDLE.members}
    assert ":manifest.json: is damaged" in refused(path, zipped(everything))
    message = refused(path, zipped(everything, zipfile.ZIP_DEFLATED))
    assert ":manifest.json: is compressed or damaged (method 8, expected 0); export it again" in message


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, ": has no manifest.json"),
        ({"../../evil.onnx": b"x"}, ":'../../evil.onnx': is no member of a bundle"),
        ({"step.onnx": b"x"}, ": has no manifest.json"),
        ({MANIFEST: b"x" * (1 << 20 | 1)}, ":manifest.json: has 1048577 bytes (at most 1048576)"),
        ({MANIFEST: b"\xff\xfe"}, ":manifest.json: is no UTF-8 text"),
        ({MANIFEST: b"{"}, ":manifest.json: is no proper JSON"),
        ({MANIFEST: b"[1]"}, ":manifest.json: is a list (expected an object with keys)"),
    ],
)
def test_odd_members_are_refused(path, members, message):
    """A container as prescribed, but with the wrong things in it."""
    assert message in refused(path, module._pack(members))


def test_a_member_that_stands_twice_is_refused(path):
    """Which of the two would count?"""
    entry = module._Entry.of("step.onnx", b"x")
    twice = 2 * (entry.local_header + b"x") + module._directory([entry, entry])
    assert ":step.onnx: stands in it twice" in refused(path, twice)


def test_members_in_another_order_are_refused(path):
    """The order is part of the format."""
    names = ["step.onnx", MANIFEST]
    entries = [module._Entry.of(name, b"{}") for name in names]
    content = b"".join(entry.local_header + b"{}" for entry in entries) + module._directory(entries)
    assert ": its members stand in another order" in refused(path, content)


def test_an_extra_field_is_refused(path):
    """Bytes that no part of the format explains have no place in it."""
    header = bytearray(module._Entry.of(MANIFEST, b"{}").local_header)
    header[28:30] = b"\x04\x00"
    assert ":manifest.json: has extra zip fields" in refused(path, bytes(header) + bytes(4) + b"{}")


def test_a_missing_member_is_refused(path):
    """All three graphs have to be there."""
    members = {name: content for name, content in BUNDLE.members.items() if name != "encode.onnx"}
    packed = module._pack({MANIFEST: BUNDLE.manifest.to_json().encode(), **members})
    assert ":encode.onnx: is missing" in refused(path, packed)


def test_a_member_that_the_manifest_does_not_list_is_refused(path):
    """A graph whose hash nobody wrote down is not used."""
    packed = module._pack({MANIFEST: BUNDLE.manifest.to_json().encode(), **BUNDLE.members, "draw.onnx": b"x"})
    assert ":manifest.json:members.draw.onnx: is missing" in refused(path, packed)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "is a Git LFS pointer"),
        (b"\n<!DOCTYPE html><html>", "is a web page"),
        (b"<html><body>404", "is a web page"),
        (zipped({"model/data.pkl": b"x"}), "is a checkpoint, not a bundle; make one of it with sketch-export"),
        (b"\x80\x02}q\x00.", "is a checkpoint"),
        (zipped({"points.npy": b"x"}), "is a data set"),
        (b"GIF89a", "is no bundle (starts with b'GIF89a'"),
        (b"\x08\x08\x12\x0b", "is no bundle"),
    ],
)
def test_other_files_are_named(path, content, message):
    """What a user may take for a bundle gets a sentence of its own."""
    assert message in refused(path, content)


def test_content_decides_not_the_name(tmp_path):
    """A bundle renamed to model.pt is still a bundle; anything else of that name is not called a checkpoint."""
    renamed = tmp_path / "model.pt"
    renamed.write_bytes(TINY.read_bytes())
    assert read_bundle(renamed).manifest.name == "tiny"
    assert "is no bundle" in refused(tmp_path / "model.pt", b"anything")


def test_what_is_no_file_is_refused(tmp_path):
    """A missing file, a folder, a pipe and an impossible name."""
    os.mkfifo(tmp_path / "pipe")
    for name, message in {
        "missing": "no such file",
        ".": "is a folder",
        "pipe": "is no plain file",
        "a\0b": "cannot be read",
        "x" * 300: "cannot be read",
    }.items():
        with pytest.raises(BundleError, match=message):
            read_bundle(tmp_path / name)


def test_a_file_of_gigabytes_is_not_read(path, monkeypatch):
    """Reading stops at the cap."""
    monkeypatch.setattr(module, "MAX_BYTES", 1 << 20)
    assert "is larger than any bundle (over 1 MiB)" in refused(path, b"PK" + bytes(2 << 20))


# --- the manifest -------------------------------------------------------------------------------------------------

LIES: list[tuple[str, Any, str]] = [
    ("format", 2, "format: is 2, this version reads 1; update sketch-edge"),
    ("format", "1", "format: is '1' (expected 1)"),
    ("format", True, "format: is True (expected 1)"),
    ("format", ..., "format: is missing (expected 1)"),
    ("name", "", "name: is '' (expected printable text of 1 to 100 letters)"),
    ("name", "two\nlines", "name: is 'two\\nlines'"),
    ("name", 5, "name: is 5"),
    ("name", "x" * 101, "name: is 'xxx"),
    ("producer", None, "producer: is None"),
    ("classes", [], "classes: is a list of 0 (expected a list of 1 to 4096)"),
    ("classes", "cat", "classes: is 'cat'"),
    ("classes", ["a"] * 5000, "classes: is a list of 5000"),
    ("classes", ["cat", "cat"], "classes[1]: is 'cat' once more"),
    ("classes", ["cat", 1], "classes[1]: is 1"),
    ("classes", ["cat", "\x1b[2J"], "classes[1]: is '\\x1b[2J'"),
    ("scale", 0, "scale: is 0 (expected a number, 1e-06 to 1000)"),
    ("scale", 5e-324, "scale: is 5e-324 (expected a number, 1e-06 to 1000)"),
    ("scale", -1.5, "scale: is -1.5"),
    ("scale", "31", "scale: is '31'"),
    ("scale", True, "scale: is True"),
    ("scale", 10**400, "scale: is a huge number"),
    ("grid", 0, "grid: is 0 (expected a whole number, 1 to 4096)"),
    ("grid", 16.0, "grid: is 16.0"),
    ("head", "softmax", "head: is 'softmax' (this version knows mixture, offset); update sketch-edge"),
    ("head", ["mixture"], "head: is a list"),
    ("variant", "int4", "variant: is 'int4' (this version knows fp32, w8, int8)"),
    ("sizes", [], "sizes: is a list (expected an object)"),
    ("sizes.hidden", 0, "sizes.hidden: is 0 (expected a whole number, 1 to 2048)"),
    ("sizes.latent", 10**9, "sizes.latent: is 1000000000"),
    ("sizes.mixtures", ..., "sizes.mixtures: is missing"),
    ("sizes.max_points", 10**6, "sizes.max_points: is 1000000"),
    ("sizes.more", 1, "sizes.more: is unknown"),
    ("defaults.temperature", 11, "defaults.temperature: is 11 (expected a number, 0 to 10)"),
    ("defaults.temperatures", {"cat": 11}, "defaults.temperatures.cat: is 11 (expected a number, 0 to 10)"),
    ("defaults.temperatures", {"cat": True}, "defaults.temperatures.cat: is True"),
    ("defaults.temperatures", {"dog": 1}, "defaults.temperatures.dog: is none of the classes"),
    ("defaults.temperatures", {"a\nb": 1}, "defaults.temperatures.'a\\nb': is none of the classes"),
    ("defaults.temperatures", {}, "defaults.temperatures: holds nothing"),
    ("defaults.temperatures", [0.1], "defaults.temperatures: is a list (expected an object)"),
    ("hidden", [], "hidden: is a list of 0 (expected a list of 1 to 4096)"),
    ("hidden", "cat", "hidden: is 'cat'"),
    ("hidden", ["dog"], "hidden[0]: is 'dog' (expected one of the classes)"),
    ("hidden", ["cat", "cat"], "hidden[1]: is 'cat' once more"),
    ("hidden", ["cat", ["star"]], "hidden[1]: is a list"),
    ("hidden", ["cat", "palm tree", "star"], "hidden: names all 3 classes (expected one left to be listed)"),
    ("parity.steps", -1, "parity.steps: is -1"),
    ("parity.batches", [1, 0], "parity.batches[1]: is 0"),
    ("parity.max_abs_error", "small", "parity.max_abs_error: is 'small'"),
    ("parity.reference", "", "parity.reference: is ''"),
    ("data.licence", 4, "data.licence: is 4"),
    ("data.synthetic", False, "data.synthetic: is False"),
    ("data.drawings", 1.5, "data.drawings: is 1.5"),
    ("checkpoint.sha256", "0" * 63, "checkpoint.sha256: is '000"),
    ("checkpoint.step", None, "checkpoint.step: is None"),
    ("members", {}, "members.start.onnx: is missing (the file holds it)"),
    ("members.evil", {"sha256": "0" * 64, "size": 1}, "members.evil: is no member of a bundle"),
    ("members.a\nb", {}, "members.'a\\nb': is no member of a bundle"),
    ("extra", 1, "extra: is unknown"),
    ("extra\n", 1, "'extra\\n': is unknown"),
]


def test_temperatures_and_hidden_classes_are_read_back():
    """Where a manifest has them; a class without a temperature of its own takes that of the bundle."""
    defaults = replace(BUNDLE.manifest.defaults, temperatures={"star": 1, "cat": 0.15})
    manifest = replace(BUNDLE.manifest, defaults=defaults, hidden=("palm tree",))
    back = Manifest.from_json(manifest.to_json())
    assert back == manifest
    assert back.to_json() == Manifest.from_json(back.to_json()).to_json()
    assert [back.defaults.temperature_of(name) for name in back.classes] == [0.15, 0.4, 1.0]
    assert back.listed == ("cat", "star")


def test_what_is_not_said_is_not_written():
    """A manifest without temperatures of classes and without hidden ones has no such keys."""
    content = json.loads(BUNDLE.manifest.to_json())
    assert "temperatures" not in content["defaults"]
    assert "hidden" not in content
    assert BUNDLE.manifest.listed == BUNDLE.manifest.classes


@pytest.mark.parametrize(("key", "value", "message"), LIES)
def test_a_lying_manifest_is_refused(path, key, value, message):
    """Each key has a type and a range; the error names the key."""

    def change(content):
        *outer, last = key.split(".", 1)
        for name in outer:
            content = content[name]
        if value is ...:
            del content[last]
        else:
            content[last] = value

    assert f":manifest.json:{message}" in refused(path, with_manifest(change))


def test_members_sizes_and_hashes_are_checked(path):
    """A manifest that tells of another size or hash than the file has."""

    def size(content):
        content["members"]["step.onnx"]["size"] += 1

    def sha256(content):
        content["members"]["step.onnx"]["sha256"] = "f" * 64

    assert ":step.onnx: has " in refused(path, with_manifest(size))
    assert ":step.onnx: is not the content" in refused(path, with_manifest(sha256))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format": 1, "format": 1}', "a key stands twice"),
        ('{"format": 1, "scale": NaN}', "NaN is no JSON number"),
        ('{"format": 1, "scale": Infinity}', "Infinity is no JSON number"),
        ('{"format": ' + "1" * 5000 + "}", "is no proper JSON"),
        ('{"format": ' + "[" * 100_000, "is no proper JSON"),
    ],
)
def test_tricks_with_json_are_refused(path, text, message):
    """What Python's json takes, but no two readers agree on."""
    assert message in refused(path, module._pack({MANIFEST: text.encode()}))


# --- writing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manifest", "members", "message"),
    [
        (replace(BUNDLE.manifest, scale=float("nan")), MEMBERS, "holds a value that JSON cannot"),
        (replace(BUNDLE.manifest, producer=AS_BYTES), MEMBERS, "holds a value that JSON cannot"),
        (replace(BUNDLE.manifest, classes=("a", "a")), MEMBERS, r"classes\[1\]"),
        (BUNDLE.manifest, {}, "start.onnx: is missing"),
        (BUNDLE.manifest, MEMBERS | {"other.onnx": b""}, "other.onnx': is no member"),
    ],
)
def test_nothing_is_written_that_would_not_be_read(path, manifest, members, message):
    """A bad manifest is refused before the file is touched."""
    path.write_bytes(b"old")
    with pytest.raises(BundleError, match=message):
        write_bundle(path, manifest, members)
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    """Writing needs the folder."""
    with pytest.raises(InputError, match="does not exist"):
        write_bundle(tmp_path / "no" / "a.sketch.zip", BUNDLE.manifest, MEMBERS)


def test_a_bundle_by_path_or_the_shipped_one(monkeypatch):
    """open_bundle reads a path, or what the package came with; it says so where that is missing."""
    assert isinstance(open_bundle(TINY), Bundle)
    monkeypatch.setattr(module, "SHIPPED", "none.sketch.zip")
    with pytest.raises(BundleError, match=r"^none\.sketch\.zip: did not come with this installation"):
        open_bundle()
