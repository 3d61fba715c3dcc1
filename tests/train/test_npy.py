"""Headers of .npy files: those that numpy writes are read, all others refused."""

import io

import numpy as np
import pytest

from sketch_edge.train.npy import Header, read_header

BEGIN = b"\x93NUMPY\x01\x00"


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("shape", [(), (0,), (7,), (70_000, 3), (1, 2, 3, 4)])
@pytest.mark.parametrize("dtype", ["<i2", ">f8", "|b1", "<U12", "|S3", "|u1"])
def test_what_numpy_writes_is_read(version, shape, dtype):
    """Type, sizes, order, and where the bytes begin."""
    file = io.BytesIO()
    array = np.zeros(shape, dtype, order="F")
    np.lib.format.write_array(file, array, version=version)
    content = file.getvalue()
    fortran = array.ndim > 1 and not array.flags.c_contiguous
    header = read_header(content)
    assert header == Header(np.dtype(dtype).str, shape, fortran, version[0], len(content) - array.nbytes)


def test_objects_and_the_long_numbers_of_python_2_are_read():
    """Published drawings were saved by it, with their pickles."""
    text = b"{'descr': '|O', 'fortran_order': False, 'shape': (70000L,), }  \n"
    header = read_header(BEGIN + len(text).to_bytes(2, "little") + text + b"\x80\x02")
    assert (header.dtype, header.shape, header.start) == ("|O", (70000,), 10 + len(text))


GOOD = b"{'descr': '<i2', 'fortran_order': False, 'shape': (3,), }"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        GOOD[:-1],
        GOOD + b" + 1",
        GOOD.replace(b"(3,)", b"((3,)"),
        GOOD.replace(b"(3,)", b"(-3,)"),
        GOOD.replace(b"(3,)", b"(3" + b"0" * 30 + b",)"),
        GOOD.replace(b"(3,)", b"(3 3,)"),
        GOOD.replace(b"(3,)", b"(,)"),
        GOOD.replace(b"'<i2'", b"[('a', '<i2')]"),
        GOOD.replace(b"'<i2'", b"'<i2\n'"),
        GOOD.replace(b"'<i2'", b"'i2,i2'"),
        GOOD.replace(b"False", b"0"),
        GOOD.replace(b"{", b"{'a': 1, "),
        b"(" * 1000,
        b"'''",
        b"\\",
        b"\xff" * 20,
        GOOD + b" " * 2000,
    ],
)
def test_any_other_is_refused(text):
    """One kind of error, one line."""
    with pytest.raises(ValueError, match=r"^it .*$"):
        read_header(BEGIN + len(text).to_bytes(2, "little") + text)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"\x93NUMPY\x03\x00" + bytes(80), BEGIN, BEGIN + b"\x01"])
def test_what_does_not_begin_as_one_is_refused(content):
    """Cut, or of another version."""
    with pytest.raises(ValueError, match=r"cut short|does not begin"):
        read_header(content)


def test_a_good_one_is_read_again():
    """The one that the bad ones were made of."""
    assert read_header(BEGIN + len(GOOD).to_bytes(2, "little") + GOOD).shape == (3,)
