"""The wire format: what the specification says, and nothing else."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.plain import protobuf
from sketch_edge.runtime.plain.protobuf import FIXED32, VARINT, Message, WireError


def varint(value: int) -> bytes:
    """Encode as the specification does: seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def message(content: bytes) -> Message:
    return Message(memoryview(content), "file")


def test_the_example_of_the_specification():
    """Field 1 = 150 is 08 96 01; field 2 = "testing" is 12 07 and the text."""
    read = message(bytes.fromhex("089601" + "1207") + b"testing")
    assert read.whole(1) == 150
    assert read.text(2) == "testing"
    read.done()


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_whole_numbers_of_64_bits(value):
    """Negative ones are two's complement in ten bytes."""
    assert message(b"\x08" + varint(value % (1 << 64))).whole(1) == value


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=20), st.booleans())
def test_repeated_numbers_alone_or_packed(values, packed):
    """Both ways of writing them are read alike."""
    each = [varint(value % (1 << 64)) for value in values]
    content = b"\x0a" + varint(sum(map(len, each))) + b"".join(each) if packed else b"".join(b"\x08" + v for v in each)
    assert message(content).numbers(1, VARINT) == values


def test_floats_alone_or_packed():
    """Four bytes each, the lowest first."""
    assert message(b"\x0d\x00\x00\xc0\x3f\x0a\x08\x00\x00\x00\x40\x00\x00\x80\xbf").numbers(1, FIXED32) == [1.5, 2, -1]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\x08", "cut short within a number"),
        (b"\x08" + b"\x80" * 10 + b"\x01", "over ten bytes"),
        (b"\x08" + b"\xff" * 9 + b"\x7f", "over 64 bits"),
        (b"\x0a\x05abcd", "field 1 has 5 bytes, but only 4 are left"),
        (b"\x0a" + varint((1 << 64) - 1), "bytes, but only 0 are left"),
        (b"\x0b\x0c", "wire type 3"),
        (b"\x0d\x00\x00\x00", "field 1 has 4 bytes, but only 3 are left"),
    ],
)
def test_broken_wire(content, problem):
    """Cut short, too long, or of a kind that is long gone."""
    with pytest.raises(WireError, match=problem):
        message(content)


def test_fields_that_are_not_as_asked():
    """Wrong kind, twice there, no text, not asked for, not finite."""
    for content, ask, problem in [
        (b"\x0a\x00", lambda read: read.whole(1), "is bytes .expected a varint"),
        (b"\x08\x01\x08\x02", lambda read: read.whole(1), "2 times"),
        (b"\x0a\x01\xff", lambda read: read.text(1), "no UTF-8 text"),
        (b"\x0a\xf5\x03" + b"a" * 501, lambda read: read.text(1), "501 bytes"),
        (b"\x08\x01", lambda read: read.done(), "field 1, which no graph"),
        (b"", lambda read: read.only(1, "graph"), "has no graph"),
        (b"\x0d\x00\x00\xc0\x7f", lambda read: read.numbers(1, FIXED32), "not finite"),
        (b"\x09" + bytes(8), lambda read: read.numbers(1, VARINT), "is 64 bits"),
        (b"\x0a\x03" + bytes(3), lambda read: read.numbers(1, FIXED32), "cut short"),
        (b"\x08\x01" * 1025, lambda read: read.numbers(1, VARINT), "over 1024 numbers"),
    ]:
        with pytest.raises(WireError, match=problem):
            ask(message(content))


@pytest.mark.parametrize(("messages", "refused"), [(3, False), (4, True)])
def test_the_work_is_bounded(monkeypatch, messages, refused):
    """The fields of all messages of a file are counted together, however they are nested."""
    monkeypatch.setattr(protobuf, "MOST_FIELDS", 10)
    read = message(b"\x0a\x04\x08\x01\x08\x01" * messages)  # each is a field with two fields in it
    with pytest.raises(WireError, match="over 10 fields") if refused else contextlib.nullcontext():
        read.inner(1, "part", 9)


@settings(max_examples=300)
@given(st.binary(max_size=60))
def test_any_bytes(content):
    """Anything is read, or refused with the one error."""
    with contextlib.suppress(WireError):
        read = message(content)
        for number in range(1, 8):
            read.numbers(number, VARINT)
