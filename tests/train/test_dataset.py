"""data.npz: what is written is read again, the same data give the same bytes, and no damaged file is believed."""

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketch_edge.runtime.errors import DataError
from sketch_edge.train import dataset as dataset_module
from sketch_edge.train.credit import QUICKDRAW
from sketch_edge.train.dataset import FORMAT, TEST, TRAIN, VALID, DataSet, Source, load_dataset


def make() -> DataSet:
    """Four drawings of two classes."""
    return DataSet(
        points=np.array([[3, 4, 1], [5, 0, 0], [0, -5, 1], [1, 1, 1], [-2, 2, 1]], np.int16),
        offsets=np.array([0, 1, 3, 4, 5]),
        class_ids=np.array([0, 0, 1, 1], np.int32),
        split_ids=np.array([TRAIN, TRAIN, VALID, TEST], np.uint8),
        synthetic=np.array([False, True, False, False]),
        class_names=("cat", "palm tree"),
        sources=(Source("cat.ndjson", "ab" * 32, 2, True), Source("palm tree.ndjson", "cd" * 32, 2)),
    )


@pytest.fixture
def path(tmp_path):
    """A saved data set."""
    make().save(tmp_path / "data.npz")
    return tmp_path / "data.npz"


def members_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def npy(array: Any, version: tuple[int, int] = (1, 0)) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asanyarray(array), version=version, allow_pickle=False)
    return out.getvalue()


def rewrite(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def refused(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_dataset(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "; " in message
    return message.removeprefix(str(path))


def test_what_is_saved_is_loaded(path):
    """Every array, name and source."""
    data, found = make(), load_dataset(path)
    for name in ("points", "offsets", "class_ids", "split_ids", "synthetic"):
        one, two = getattr(data, name), getattr(found, name)
        assert one.dtype == two.dtype
        assert one.tolist() == two.tolist()
    assert (found.class_names, found.sources) == (data.class_names, data.sources)
    assert found.sha256 == data.sha256


def test_the_same_data_give_the_same_bytes(path, tmp_path):
    """Whenever and however often they are written."""
    load_dataset(path).save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


def test_the_members_are_those_of_the_table(path):
    """A plain npz: any numpy reads it, with pickles refused."""
    with np.load(path, allow_pickle=False) as arrays:
        assert {name: (str(arrays[name].dtype)[:3], arrays[name].shape) for name in arrays.files} == {
            "format": ("int", ()),
            "points": ("int", (5, 3)),
            "offsets": ("int", (5,)),
            "class_ids": ("int", (4,)),
            "split_ids": ("uin", (4,)),
            "synthetic": ("boo", (4,)),
            "class_names": ("<U9", (2,)),
            "scale": ("flo", ()),
            "sources": ("<U2", ()),
            "credit": ("<U5", ()),
            "licence": ("<U9", ()),
        }
        assert arrays["points"].dtype == np.int16
        assert arrays["format"] == FORMAT == 2
        assert (str(arrays["credit"]), str(arrays["licence"])) == QUICKDRAW


def test_a_data_set_of_format_1_is_google_s(path):
    """It has no credit and no licence; with either it is no file that anybody wrote."""
    replace(make(), credit="Ada", licence="CC0").save(path)
    assert (load_dataset(path).credit, load_dataset(path).licence) == ("Ada", "CC0")
    members = members_of(path) | {"format.npy": npy(np.int64(1))}
    rewrite(path, members)
    assert refused(path).startswith(": has too many or too few members (credit, licence)")
    rewrite(path, {name: content for name, content in members.items() if name not in ("credit.npy", "licence.npy")})
    assert (load_dataset(path).credit, load_dataset(path).licence) == QUICKDRAW


def test_a_data_set_of_format_2_has_a_credit(path):
    """Left out, it must not become Google's."""
    members = members_of(path)
    del members["credit.npy"]
    rewrite(path, members)
    assert refused(path).startswith(": has too many or too few members (credit)")


def test_the_bytes_do_not_tell_the_day_nor_the_system(path):
    """Fixed times and a fixed system in every member."""
    with zipfile.ZipFile(path) as archive:
        assert {(info.date_time, info.create_system) for info in archive.infolist()} == {((1980, 1, 1, 0, 0, 0), 3)}


def test_drawings_indices_lengths_and_counts():
    """The views of a data set."""
    data = make()
    assert len(data) == 4
    assert data.drawing(1).tolist() == [[5, 0, 0], [0, -5, 1]]
    assert data.lengths.tolist() == [1, 2, 1, 1]
    assert data.indices(TRAIN).tolist() == [0, 1]
    assert data.counts().tolist() == [[2, 0, 0], [0, 1, 1]]


def test_the_scale_is_that_of_the_training_offsets():
    """One standard deviation over dx and dy together; valid and test have no say."""
    assert make().scale == pytest.approx(np.std([3, 4, 5, 0, 0, -5]))


def test_the_scale_clamps_slips_of_the_pen():
    """Offsets beyond 1000 count as 1000."""
    data = make()
    points = data.points.copy()
    points[0, 0] = 30_000
    assert replace(data, points=points).scale == pytest.approx(np.std([1000, 4, 5, 0, 0, -5]))


def test_the_scale_without_training_drawings_is_that_of_all():
    """A data set may hold test drawings only."""
    data = replace(make(), split_ids=np.full(4, TEST, np.uint8))
    assert data.scale == pytest.approx(np.std(data.points[:, :2]))


def test_loaded_arrays_are_not_written_to(path):
    """Two readers of one data set see the same drawings: a slip that writes into it is an error."""
    with pytest.raises(ValueError, match="read-only"):
        load_dataset(path).drawing(0)[0, 0] = 7


Change = Callable[[dict[str, Any]], None]


@pytest.mark.parametrize(
    ("name", "array", "what"),
    [
        ("format", np.int64(3), ": data set format 3 (this version reads 1 to 2)"),
        ("format", np.int64(0), ": data set format 0 (this version reads 1 to 2)"),
        ("credit", np.array(""), ":credit: has 0 characters"),
        ("credit", np.array("a" * 1001), ":credit: has 1001 characters"),
        ("licence", np.array("two\nlines"), ":licence: has 9 characters or some that do not print"),
        ("format", np.zeros(3, np.int64), ":format: is <i8 with 1 dimensions"),
        ("points", np.zeros((5, 3)), ":points: is <f8 with 2 dimensions (expected <i2 with 2)"),
        ("points", np.zeros((5, 3), ">i2"), ":points: is >i2"),
        ("points", np.asfortranarray(np.zeros((5, 3), np.int16)), ":points: is <i2"),
        ("points", np.zeros((5, 2), np.int16), ": has arrays of different lengths"),
        ("points", np.full((5, 3), 2, np.int16), ":points: a lift is neither 0 nor 1"),
        ("points", np.zeros((4, 3), np.int16), ":offsets: do not cut points into drawings"),
        ("offsets", np.array([0, 1, 3, 4, 6]), ":offsets: do not cut"),
        ("offsets", np.array([1, 2, 3, 4, 5]), ":offsets: do not cut"),
        ("offsets", np.array([0, 1, 1, 4, 5]), ":offsets: do not cut"),
        ("offsets", np.array([0, 3, 1, 4, 5]), ":offsets: do not cut"),
        ("offsets", np.array([0, 1, 5]), ": has arrays of different lengths"),
        ("class_ids", np.array([0, 0, 1, 2], np.int32), ": a class or split id is out of range"),
        ("class_ids", np.array([0, 0, 1, -1], np.int32), ": a class or split id is out of range"),
        ("class_ids", np.array([0, 0, 1], np.int32), ": has arrays of different lengths"),
        ("split_ids", np.array([0, 0, 1, 3], np.uint8), ": a class or split id is out of range"),
        ("synthetic", np.array([0, 0, 1, 0], bool), ":synthetic: a drawing that a model made is in valid or test"),
        ("synthetic", np.array([0, 1, 0, 0], np.uint8), ":synthetic: is |u1"),
        ("class_names", np.array(["cat", "cat"]), ":class_names: are not printable and different"),
        ("class_names", np.array(["cat", "c\x1b"]), ":class_names: are not printable and different"),
        ("class_names", np.array(["cat", ""]), ":class_names: are not printable and different"),
        ("class_names", np.array([b"cat", b"dog"]), ":class_names: is |S3"),
        ("scale", np.float64("nan"), ":scale: is nan, not that of its points"),
        ("scale", np.float64(9), ":scale: is 9.0, not that of its points"),
        ("sources", np.array("{"), ":sources: is not the expected JSON"),
        ("sources", np.array("[" * 100_000), ":sources: is not the expected JSON"),
        ("sources", np.array("7"), ":sources: is not the expected JSON"),
        ("sources", np.array('[{"name": "x", "name": "y"}]'), ":sources: is not the expected JSON (a key stands"),
        ("sources", np.array('[{"name": "x"}]'), ":sources: is not the expected JSON"),
        ("sources", np.array('[{"name": 1, "sha256": "", "drawings": 1}]'), ":sources: has a value of another type"),
        ("sources", np.array('[{"name": "", "sha256": "", "drawings": 1.5}]'), ":sources: has a value of another type"),
        ("sources", np.array('[{"name": "", "sha256": "", "drawings": -1}]'), ":sources: has -1 drawings of a file"),
        ("sources", np.array(f'[{{"name": "", "sha256": "", "drawings": {10**900}}}]'), ":sources: has a huge number"),
    ],
)
def test_an_array_that_is_not_what_it_has_to_be_is_named(path, name, array, what):
    """Type, dimensions, range, and agreement with the others."""
    members = members_of(path)
    members[f"{name}.npy"] = npy(array)
    rewrite(path, members)
    assert refused(path).startswith(what)


def test_no_drawings_are_refused(path):
    """There is nothing to train on."""
    empty = {
        "points": np.zeros((0, 3), np.int16),
        "offsets": np.zeros(1, np.int64),
        "class_ids": np.zeros(0, np.int32),
        "split_ids": np.zeros(0, np.uint8),
        "synthetic": np.zeros(0, bool),
    }
    rewrite(path, members_of(path) | {f"{name}.npy": npy(array) for name, array in empty.items()})
    assert refused(path).startswith(": holds no drawings")


@pytest.mark.parametrize("change", ["missing", "more", "twice", "other"])
def test_other_members_are_refused(path, change):
    """The set is closed."""
    members = members_of(path)
    if change == "missing":
        del members["scale.npy"]
    elif change == "more":
        members["readme.txt"] = b"hello"
    elif change == "other":
        members = {"train.npy": b"x"}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        if change == "twice":
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr("scale.npy", members["scale.npy"])
    assert refused(path).startswith((": has too many or too few members", ": is a zip of "))


def test_a_pickle_inside_is_never_loaded(path, monkeypatch):
    """An object array is refused by its header."""
    monkeypatch.setattr(pickle, "load", None)
    array = np.empty(2, object)
    array[:] = ["cat", "dog"]
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=(1, 0), allow_pickle=True)
    rewrite(path, members_of(path) | {"class_names.npy": out.getvalue()})
    assert refused(path).startswith(":class_names: is |O")


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("points.npy", b"", ":points: has no header of a .npy file"),
        ("points.npy", npy(np.zeros((5, 3), np.int16))[:-1], ":points: has 29 bytes (expected 30)"),
        ("points.npy", npy(np.zeros((5, 3), np.int16)) + b"x", ":points: has 31 bytes (expected 30)"),
        ("points.npy", npy(np.zeros((5, 3), np.int16), (2, 0)), ":points: is written in another .npy version"),
        ("class_names.npy", npy(np.array(["a", "bcd"]))[:-4] + b"\xff" * 4, ":class_names: holds numbers that are no"),
        ("sources.npy", npy(np.array("[]"))[:-4] + b"\xff" * 4, ":sources: holds numbers that are no characters"),
        ("points.npy", b"\x93NUMPY\x01\x00\x04\x00'''\n", ":points: has no header of a .npy file"),
    ],
)
def test_a_member_that_lies_about_its_size_is_refused(path, name, content, what):
    """Header and bytes have to agree exactly."""
    rewrite(path, members_of(path) | {name: content})
    assert refused(path).startswith(what)


def test_a_header_that_claims_terabytes_is_refused(path):
    """Nothing is allocated for it."""
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "<i2", "fortran_order": False, "shape": (2**40, 3)})
    rewrite(path, members_of(path) | {"points.npy": out.getvalue()})
    assert refused(path).startswith(":points: has 0 bytes (expected 6597069766656)")


@pytest.mark.parametrize("name", ["points", "class_ids", "class_names", "sources"])
def test_a_zip_bomb_is_refused_unread(path, monkeypatch, name):
    """Points by their ratio, all others by what so many points can need."""
    monkeypatch.setattr(dataset_module, "SPARE_BYTES", 2000)
    monkeypatch.setattr(dataset_module, "SOURCES_BYTES", 2000)
    rewrite(path, members_of(path) | {f"{name}.npy": npy(np.zeros(10_000_000, np.uint8))})
    assert refused(path).startswith(f":{name}: would inflate to 10000128 bytes")


def test_names_of_members_are_told_on_one_line(path):
    """A zip may hold any names, line ends and escapes too."""
    for names in (["points.npy", "format.npy", "a\nb\x1b[2J.npy"], ["a\nb.npy"]):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, b"")
        with pytest.raises(DataError) as caught:
            load_dataset(path)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer"),
        (b"\n<!DOCTYPE html><html>", "is a web page"),
    ],
)
def test_what_often_stands_there_instead_is_named(path, content, what):
    """A pointer that was not resolved, the page of an error."""
    path.write_bytes(content)
    assert refused(path).startswith(f": {what}")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", ": is empty"),
        (b"PK\x03\x04", ": is no data set or is damaged"),
        (b"\x80\x02.", ": is no data set (expected a zip"),
        (b"{}", ": is no data set (expected a zip"),
    ],
)
def test_a_foreign_file_is_refused(tmp_path, content, what):
    """Whatever it is."""
    (tmp_path / "data.npz").write_bytes(content)
    assert refused(tmp_path / "data.npz").startswith(what)


@pytest.mark.parametrize(
    ("path", "what"), [("no.npz", "cannot be read"), (".", "is no plain file"), ("/dev/zero", "is no plain file")]
)
def test_a_path_that_is_no_file_is_refused(tmp_path, path, what):
    """Nor is a device read for ever."""
    assert what in refused(tmp_path / path)


def test_a_cut_file_is_refused_at_every_length(path):
    """Sixty-four cuts."""
    content = path.read_bytes()
    for step in range(64):
        path.write_bytes(content[: len(content) * step // 64])
        refused(path)


def test_a_flipped_bit_is_refused_or_changes_nothing(path):
    """Every third byte, each bit in turn: the zip's checksums guard the arrays; dates and the like do not matter."""
    content, data = path.read_bytes(), make()
    for number, position in enumerate(range(0, len(content), 3)):
        flipped = content[position] ^ 1 << number % 8
        path.write_bytes(content[:position] + bytes([flipped]) + content[position + 1 :])
        try:
            found = load_dataset(path)
        except DataError:
            continue
        assert (found.sha256, found.sources) == (data.sha256, data.sources)


def test_a_failed_save_leaves_the_old_file(path, monkeypatch):
    """The new one is renamed into place only when it is whole."""
    before = path.read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(Exception, match="could not be written"):
        make().save(path)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == ["data.npz"]


def test_the_sources_are_json(path):
    """As the table says."""
    with np.load(path) as arrays:
        assert json.loads(str(arrays["sources"]))[1] == {
            "name": "palm tree.ndjson",
            "sha256": "cd" * 32,
            "drawings": 2,
            "synthetic": False,
        }


def test_a_model_in_place_of_drawings_is_named(tmp_path):
    """A bundle given as drawings or as a data set is called a bundle, with the command that looks into it."""
    from sketch_edge.train.readers.source import find_kind

    path = tmp_path / "data.npz"
    path.write_bytes((Path(__file__).parent.parent / "data" / "tiny.sketch.zip").read_bytes())
    for read in (load_dataset, find_kind):
        with pytest.raises(DataError, match=r"is a bundle, not drawings; sketch-export --inspect"):
            read(path)


def test_offsets_whose_differences_wrap_around_are_refused(path):
    """Steps of 2^62 lead around the 64 bits and back to the number of points, each of them up."""
    offsets = np.array([0, 1 << 62, (1 << 63) - 1, -(1 << 63) + 5, -(1 << 62), -1, 5])
    assert (np.diff(offsets) > 0).all()
    members = members_of(path) | {
        "offsets.npy": npy(offsets),
        "class_ids.npy": npy(np.array([0, 0, 0, 0, 1, 1], "<i4")),
    }
    members |= {"split_ids.npy": npy(np.zeros(6, np.uint8)), "synthetic.npy": npy(np.zeros(6, np.bool_))}
    rewrite(path, members)
    assert refused(path).startswith(":offsets: do not cut points")


def test_a_file_of_gigabytes_that_is_no_zip_is_not_read(path):
    """64 GiB that begin as a zip does are refused at once."""
    path.write_bytes(b"PK\x03\x04")
    os.truncate(path, 64 << 30)
    assert "not a zip file" in refused(path)
