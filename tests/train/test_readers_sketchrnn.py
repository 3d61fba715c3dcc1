"""sketch-rnn .npz files: every dialect that numpy writes is read, nothing is ever unpickled, and no lie is believed."""

import io
import os
import pickle
import pickletools
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.errors import DataError, escape
from sketch_edge.train.readers import Drawing, DrawingReader
from sketch_edge.train.readers import sketchrnn as sketchrnn_module
from sketch_edge.train.readers.symbolic import STACK_LIMIT, SymbolError, read_arrays

LINE = np.array([[255, 0, 0], [0, 90, 1], [-20, -20, 1]], np.int16)
CORNER = np.array([[0, 240, 0], [-7, 0, 0], [0, 15, 1]], np.int16)


def object_array(*arrays: object) -> np.ndarray:
    """Put arrays into an object array."""
    result = np.empty(len(arrays), object)
    result[:] = arrays
    return result


def python2_pickle(arrays: list[np.ndarray], share: bool = False) -> bytes:
    """Write what Python 2's cPickle wrote at protocol 2: byte strings as SHORT_BINSTRING and BINSTRING.

    With `share`, which no Python does, all arrays after the first fetch its bytes from the memo.
    """
    out, memo, first = bytearray(b"\x80\x02"), 0, -1

    def put() -> None:
        nonlocal memo
        out.extend(b"q" + bytes([memo]) if memo < 256 else b"r" + struct.pack("<I", memo))
        memo += 1

    def text(content: bytes) -> None:
        out.extend(b"U" + bytes([len(content)]) if len(content) < 256 else b"T" + struct.pack("<i", len(content)))
        out.extend(content)
        put()

    def dtype(code: bytes, state: bytes) -> None:
        out.extend(b"cnumpy\ndtype\n")
        put()
        text(code)
        out.extend(b"K\x00K\x01\x87")
        put()
        out.extend(b"R")
        put()
        out.extend(b"(K\x03" + state)
        put()
        out.extend(b"b")

    def start() -> None:
        out.extend(b"\x87")
        put()
        out.extend(b"R")
        put()

    out.extend(b"cnumpy.core.multiarray\n_reconstruct\n")
    put()
    out.extend(b"cnumpy\nndarray\n")
    put()
    out.extend(b"K\x00\x85")
    put()
    text(b"b")
    start()
    out.extend(b"(K\x01M" + struct.pack("<H", len(arrays)) + b"\x85")
    put()
    dtype(b"O8", b"U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?t")
    out.extend(b"\x89]")
    put()
    out.extend(b"(")
    for array in arrays:
        out.extend(b"h\x00h\x01K\x00\x85")
        put()
        text(b"b")
        start()
        out.extend(b"(K\x01" + b"".join(b"M" + struct.pack("<H", size) for size in array.shape) + b"\x86")
        put()
        dtype(b"i2", b"U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t")
        out.extend(b"\x89")
        if share and first >= 0:
            out.extend(b"j" + struct.pack("<I", first))
        else:
            first = memo
            text(array.astype("<i2").tobytes())
        out.extend(b"t")
        put()
        out.extend(b"b")
    out.extend(b"et")
    put()
    out.extend(b"b.")
    return bytes(out)


def npy(pickled: bytes, count: int, descr: str = "|O", shape: object = None) -> bytes:
    """Put a .npy header of version 1.0 before a pickle."""
    out = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": (count,) if shape is None else shape}
    np.lib.format.write_array_header_1_0(out, header)  # type: ignore[arg-type]
    return out.getvalue() + pickled


def write(path: Path, compression: int = zipfile.ZIP_DEFLATED, **members: bytes) -> Path:
    """Write a zip of .npy members."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def read(path: Path) -> list[Drawing]:
    """Read all drawings."""
    return list(DrawingReader(path))


def refused(path: Path) -> str:
    """Return the message with which a file is refused, without its path."""
    with pytest.raises(DataError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{escape(str(path))}:")
    assert "; " in message
    return message.removeprefix(escape(str(path)))


@pytest.fixture(autouse=True)
def never_unpickle(monkeypatch):
    """Make any use of the unpickler fail the test."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("pickle was asked to load")

    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr(pickle, "loads", refuse)
    monkeypatch.setattr(pickle, "Unpickler", refuse)


DIALECTS = {
    "python 2": python2_pickle([LINE, CORNER]),
    **{f"protocol {number}": pickle.dumps(object_array(LINE, CORNER), protocol=number) for number in (2, 3, 4)},
}


def test_the_python_2_writer_of_this_file_writes_real_pickles(monkeypatch):
    """What the tests below read is what Python 2 wrote: the real unpickler agrees."""
    monkeypatch.undo()
    loaded = pickle.loads(DIALECTS["python 2"], encoding="latin1")
    assert [array.tolist() for array in loaded] == [LINE.tolist(), CORNER.tolist()]
    names = {opcode.name for opcode, _, _ in pickletools.genops(DIALECTS["python 2"])}
    assert {"SHORT_BINSTRING", "BINPUT", "APPENDS", "BUILD"} <= names


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_is_read(tmp_path, dialect):
    """Splits, class name and rows come out; the class is the file's name up to the first dot."""
    content = npy(DIALECTS[dialect], 2)
    path = write(tmp_path / "short_cat.rdp200.npz", train=content, test=content)
    reader = DrawingReader(path)
    drawings = list(reader)
    assert [drawing.split for drawing in drawings] == [0, 0, 2, 2]
    assert {drawing.word for drawing in drawings} == {"short_cat"}
    assert drawings[0].points.tolist() == LINE.tolist()
    assert drawings[3].points.tolist() == CORNER.tolist()
    assert reader.kinds == {"sketchrnn"}
    assert len(reader.sha256) == 64


def test_long_byte_strings_of_python_2_are_read(tmp_path):
    """Over 255 bytes they are BINSTRING, and memo keys over 255 take four bytes."""
    arrays = [np.tile([[i, 1, 0], [-i, -1, 1]], (60, 1)).astype(np.int16) for i in range(1, 61)]
    drawings = read(write(tmp_path / "cat.npz", train=npy(python2_pickle(arrays), 60)))
    assert [len(drawing.points) for drawing in drawings] == [120] * 60


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "i4", "i8", "f4", "f8"])
def test_every_number_type_is_read(tmp_path, dtype):
    """Byte order and width are those that the array states."""
    path = write(tmp_path / "cat.npz", train=npy(pickle.dumps(object_array(LINE.astype(dtype)), 4), 1))
    (drawing,) = read(path)
    assert drawing.points.tolist() == LINE.tolist()


def test_a_transposed_array_is_read(tmp_path):
    """Users build strokes from columns; numpy then pickles them in Fortran order."""
    columns = np.asfortranarray(LINE)
    path = write(tmp_path / "cat.npz", train=npy(pickle.dumps(object_array(columns), 4), 1))
    assert read(path)[0].points.tolist() == LINE.tolist()


def test_what_numpy_itself_saves_is_read(tmp_path):
    """`np.savez_compressed` with object arrays, as Magenta's instructions say."""
    path = tmp_path / "cat.npz"
    np.savez_compressed(path, train=object_array(LINE, CORNER), valid=object_array(CORNER), test=object_array(LINE))
    assert [drawing.split for drawing in read(path)] == [0, 0, 1, 2]


def test_canvas_pixels_are_kept(tmp_path):
    """The Quick, Draw! files hold whole pixels of the 0..255 box; a small drawing among them stays small."""
    small = np.array([[10, 0, 1]], np.int16)
    path = write(tmp_path / "cat.npz", train=npy(pickle.dumps(object_array(LINE, CORNER, small), 4), 3))
    assert [drawing.points.tolist() for drawing in read(path)] == [LINE.tolist(), CORNER.tolist(), small.tolist()]


@pytest.mark.parametrize("factor", [2, 0.25])
def test_other_units_are_scaled_to_the_box(tmp_path, factor):
    """Larger pixels and fractions alike: the larger side becomes 255."""
    path = write(tmp_path / "cat.npz", train=npy(pickle.dumps(object_array(LINE * [factor, factor, 1]), 4), 1))
    (drawing,) = read(path)
    assert drawing.points.tolist() == LINE.tolist()
    assert drawing.side == 255 * factor


def test_a_drawing_that_never_lifts_the_pen_ends_its_line(tmp_path):
    """The last row is lifted."""
    path = write(tmp_path / "cat.npz", train=npy(pickle.dumps(object_array(LINE * [1, 1, 0]), 4), 1))
    assert read(path)[0].points[:, 2].tolist() == [0, 0, 1]


def test_moves_of_no_length_go(tmp_path):
    """omniglot starts each drawing with one; a dot stays one row."""
    rows = np.array([[0, 0, 0], [255, 0, 0], [0, 0, 1], [-5, 5, 1]], np.int16)
    dot = np.array([[0, 0, 1], [250, 0, 1]], np.int16)
    path = write(tmp_path / "cat.npz", train=npy(pickle.dumps(object_array(rows, dot), 4), 2))
    assert [drawing.points.tolist() for drawing in read(path)] == [[[255, 0, 1], [-5, 5, 1]], dot.tolist()]


def test_unwanted_classes_are_not_opened(tmp_path):
    """The name of the file says the class."""
    path = tmp_path / "cat.npz"
    path.write_bytes(write(tmp_path / "x.npz", train=b"no npy").read_bytes())
    reader = DrawingReader(path, classes={"dog"})
    assert list(reader) == []
    assert reader.words == {"cat"}


def test_a_bad_drawing_is_named_or_passed_on(tmp_path):
    """Member and index say which one."""
    arrays = object_array(LINE, LINE[:, :2], np.array([[np.nan, 0, 0]]), np.array([[1, 1, 2]]))
    path = write(tmp_path / "cat.npz", valid=npy(pickle.dumps(arrays, 4), 4))
    assert refused(path).startswith(":valid[1]: has shape (3, 2) (expected (n, 3))")
    errors: list[DataError] = []
    assert len(list(DrawingReader(path, on_bad=errors.append))) == 1
    assert [str(error).split(": ")[1].split(";")[0] for error in errors] == [
        "has shape (3, 2) (expected (n, 3))",
        "an offset is no number or beyond +-10000000",
        "a lift is neither 0 nor 1",
    ]


class Trap:
    """Pickles as a call that would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_code_in_a_pickle_is_refused_and_not_run(tmp_path, protocol):
    """Alone, and as an element among good arrays."""
    trap = Trap(tmp_path / "made")
    for number, content in enumerate((trap, object_array(LINE, trap))):
        path = write(tmp_path / f"cat{number}.npz", train=npy(pickle.dumps(content, protocol), 2))
        assert refused(path).startswith(":train: ")
    assert not trap.path.exists()


GLOBALS = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
HOSTILE = {
    "a global of another module": b"\x80\x02cos\nsystem\n.",
    "a global that almost fits": b"\x80\x02cnumpy\nload\n.",
    "a call of a dtype": b"\x80\x02cnumpy\ndtype\n(U\x02O8tR.",
    "another codec": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00bz2\x86R.",
    "an ndarray of another start": b"\x80\x02" + GLOBALS + b"K\x05\x85U\x01b\x87R.",
    "a persistent id": b"\x80\x02Pabc\n.",
    "an extension": b"\x80\x02\x82\x01.",
    "a dict": b"\x80\x02}.",
    "a list alone": b"\x80\x02].",
    "nothing": b"",
    "only a stop": b".",
    "no stop": b"\x80\x02]",
    "a long string beyond the end": b"\x80\x02T\xff\xff\xff\x7fa.",
    "a negative string": b"\x80\x02T\xff\xff\xff\xffa.",
    "a memo entry that is not there": b"\x80\x02h\x07.",
    "a name without end": b"\x80\x02c" + b"a" * 200,
    "a newer protocol": b"\x80\x05].",
    "marks on the stack": b"\x80\x02((((\x87.",
    "a million lists": b"\x80\x02" + b"]" * 1_000_000 + b".",
    "a million memo entries": b"\x80\x04]" + b"\x94" * 1_000_000 + b".",
    "a million memo fetches": b"\x80\x02]q\x00" + b"h\x00" * 500_000 + b".",
    "a list in itself": b"\x80\x02]q\x00h\x00a.",
    "a chain of tuples": b"\x80\x02)" + b"\x85" * 4000 + b".",
    "a long tuple": b"\x80\x02(" + b"N" * 4000 + b"t.",
    "tuples of lists": b"\x80\x02" + b"(" + b"]" * 8 + b"t(" + b"]" * 8 + b"t.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused(tmp_path, name):
    """Each is given up at the first opcode that no array needs."""
    with pytest.raises(SymbolError):
        read_arrays(memoryview(HOSTILE[name]), 2)
    assert refused(write(tmp_path / "cat.npz", zipfile.ZIP_STORED, train=npy(HOSTILE[name], 2))).startswith(":train: ")


def test_an_array_named_many_times_cannot_outgrow_the_file():
    """100 arrays that fetch one string of 6 kB from the memo claim 600 kB in a pickle of 16 kB."""
    long = np.ones((1000, 3), np.int16)
    assert len(read_arrays(memoryview(python2_pickle([long] * 100)), 100)) == 100
    with pytest.raises(SymbolError, match="the arrays together are larger than the file"):
        read_arrays(memoryview(python2_pickle([long] * 100, share=True)), 100)


def test_a_text_encoded_many_times_cannot_outgrow_the_file():
    """Five bytes of pickle encode a text of a megabyte again: that ends when it is more than the file has bytes."""
    start = (
        b"\x80\x02c_codecs\nencode\nq\x00X" + struct.pack("<I", 1 << 20) + b"a" * (1 << 20) + b"q\x01U\x06latin1q\x02"
    )
    with pytest.raises(SymbolError, match="together larger than the file"):
        read_arrays(memoryview(start + b"h\x00h\x01h\x02\x86R" * 4000), 4000)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_arrays_with_element_types_of_their_own_are_read(protocol):
    """An array that came from another process brings its element type: numpy writes it again for each of them."""
    arrays = [np.frombuffer(LINE.tobytes(), np.dtype("<i2", copy=True)).reshape(3, 3) for _ in range(2000)]
    content = pickle.dumps(object_array(*arrays), protocol)
    assert content.count(b"i2") >= 2000
    assert np.array_equal(read_arrays(memoryview(content), 2000)[1999], LINE)


def test_one_array_named_many_times_takes_no_memory():
    """numpy writes an array that stands twice in a list once: both places share its rows."""
    arrays = read_arrays(memoryview(pickle.dumps(object_array(*[LINE] * 1000), 4)), 1000)
    assert len({id(array) for array in arrays}) == 1


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b"M\x03\x00M\x03\x00\x86", b"M\x04\x00M\x03\x00\x86", "bytes (expected 24)"),
        (b"M\x03\x00M\x03\x00\x86", b"M\x02\x00M\x03\x00\x86", "bytes (expected 12)"),
        (b"(K\x01M\x02\x00\x85", b"(K\x01M\x03\x00\x85", "a shape that its content contradicts"),
        (b"U\x02i2", b"U\x02O8", "none of numbers"),
        (b"U\x02i2", b"U\x02V2", "none that arrays need"),
        (b"U\x01<NNN", b"U\x01?NNN", "no plain number"),
        (b"et", b"0t", "none that arrays need"),
        (b"b.", b"b.]", "something follows"),
        (b"h\x00h\x01K\x00\x85", b"h\x01h\x00K\x00\x85", "none that arrays need"),
    ],
)
def test_lying_pickles_are_refused(old, new, what):
    """Shapes, types, byte orders and lengths have to agree with the bytes."""
    pickled = python2_pickle([LINE, CORNER])
    index = pickled.rindex(old)
    with pytest.raises(SymbolError, match=what.replace("(", "\\(").replace(")", "\\)")):
        read_arrays(memoryview(pickled[:index] + new + pickled[index + len(old) :]), 2)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_header_that_counts_wrong_is_refused(tmp_path, count):
    """The list has to be as long as the header says."""
    path = write(tmp_path / "cat.npz", train=npy(DIALECTS["protocol 2"], count))
    assert "where the header says" in refused(path)


def test_a_large_batch_stays_below_the_stack_limit(tmp_path):
    """1000 arrays wait on the stack for APPENDS: that is no attack."""
    arrays = object_array(*[LINE + [[i % 3, 0, 0]] * 3 for i in range(3000)])
    assert STACK_LIMIT > 3000
    for protocol in (2, 4):
        assert len(read_arrays(memoryview(pickle.dumps(arrays, protocol)), 3000)) == 3000


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "has no readable .npy header"),
        (b"\x93NUMPY\x01\x00\x04\x00'''\n", "has no readable .npy header"),
        (b"\x93NUMPY\x09\x00" + b"x" * 100, "has no readable .npy header"),
        (npy(b"", 1, descr="<i2"), "is an array of <i2 with 1 dimensions"),
        (npy(b"", 1, shape=(1, 2)), "is an array of |O with 2 dimensions"),
        (npy(b"", 1, shape=(10**15,)), "claims 1000000000000000 drawings"),
        (npy(b"", 1, shape=(-1,)), "has no readable .npy header"),
    ],
)
def test_a_bad_header_is_refused(tmp_path, content, what):
    """Before the pickle is looked at."""
    message = refused(write(tmp_path / "cat.npz", zipfile.ZIP_STORED, train=content))
    assert message.startswith(f":train: {what}")


def test_a_zip_bomb_is_refused_unread(tmp_path):
    """30 MB of zeros in 30 kB."""
    path = write(tmp_path / "cat.npz", train=bytes(30_000_000))
    assert path.stat().st_size < 100_000
    assert refused(path).startswith(":train.npy: would inflate from")


def test_a_member_over_the_limit_is_refused_unread(tmp_path, monkeypatch):
    """Whatever its ratio."""
    monkeypatch.setattr(sketchrnn_module, "LARGEST_MEMBER", 1000)
    path = write(tmp_path / "cat.npz", zipfile.ZIP_STORED, train=bytes(1001))
    assert refused(path).startswith(":train.npy: would inflate from 1001 to 1001 bytes")


def test_a_member_twice_is_refused(tmp_path):
    """Two readers would see two files."""
    path = tmp_path / "cat.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train.npy", b"a")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("train.npy", b"b")
    assert refused(path).startswith(": 2 members, or one name twice")


def test_a_zip_of_something_else_is_refused(tmp_path):
    """The message names what is in it."""
    path = write(tmp_path / "cat.npz", weights=b"a")
    assert refused(path).startswith(": is a zip of weights.npy (expected train, valid, test")


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9, 0.99])
def test_a_cut_file_is_refused(tmp_path, keep):
    """A download that broke off."""
    path = write(tmp_path / "cat.npz", train=npy(DIALECTS["protocol 4"], 2))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    assert refused(path).startswith(": is a damaged or cut zip")


def test_a_flipped_bit_in_a_member_is_refused(tmp_path):
    """The zip's checksum catches what the pickle would not."""
    path = write(tmp_path / "cat.npz", zipfile.ZIP_STORED, train=npy(DIALECTS["protocol 4"], 2))
    content = bytearray(path.read_bytes())
    content[content.index(LINE.tobytes())] ^= 1
    path.write_bytes(content)
    assert refused(path).startswith(": is a damaged or cut npz file (Bad CRC-32")


@pytest.mark.parametrize("name", ["\x01.npz", ".npz", " cat.npz"])
def test_a_file_name_that_is_no_class_is_refused(tmp_path, name):
    """The class has to come from somewhere."""
    path = write(tmp_path / name, train=npy(DIALECTS["protocol 4"], 2))
    assert ": the file name" in refused(path)


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_damage_is_a_symbol_error_or_harmless(dialect, data):
    """Bytes replaced, removed or cut: read, or refused with the one error."""
    pickled = bytearray(DIALECTS[dialect])
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(pickled) - 1))
        pickled[position : position + data.draw(st.integers(1, 2))] = data.draw(st.binary(min_size=0, max_size=3))
    try:
        arrays = read_arrays(memoryview(bytes(pickled)), 2)
    except SymbolError:
        return
    assert all(isinstance(array, np.ndarray) and array.dtype.kind in "iufb" for array in arrays)


def test_every_single_byte_changed_is_a_symbol_error_or_harmless():
    """All positions, three values each."""
    for pickled in DIALECTS.values():
        for position in range(len(pickled)):
            for value in (0, 0x28, 0xFF):
                changed = pickled[:position] + bytes([value]) + pickled[position + 1 :]
                try:
                    read_arrays(memoryview(changed), 2)
                except SymbolError:
                    continue


def test_a_directory_that_points_before_the_file_is_refused(tmp_path):
    """zipfile answers with an error of another kind there."""
    path = tmp_path / "cat.npz"
    np.savez(path, train=object_array(LINE, CORNER))
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x01\x02")
    content[place - 100 : place] = b""
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"cat\.npz: is a damaged or cut"):
        list(DrawingReader(path))
