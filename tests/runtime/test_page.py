"""Pages: named sizes, units, turning, margins, and what is refused."""

import pytest

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.page import Page, parse_length_mm
from sketch_edge.runtime.sketch import Bounds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("a3", (297, 420)),
        ("a4", (210, 297)),
        ("A5", (148, 210)),
        (" a6\n", (105, 148)),
        ("letter", (215.9, 279.4)),
        ("legal", (215.9, 355.6)),
        ("a4-landscape", (297, 210)),
        ("a4-portrait", (210, 297)),
        ("120x80mm", (120, 80)),
        ("120mmx80mm", (120, 80)),
        ("120 x 80 mm", (120, 80)),
        ("12cmx80mm", (120, 80)),
        ("8.5x11in", (215.9, 279.4)),
        (".5X.25in", (12.7, 6.35)),
        ("1x1mm", (1, 1)),
        ("1000x10cm", (10_000, 100)),
    ],
)
def test_sizes_are_read(text, size):
    """Names and sizes with units become millimetres."""
    page = Page.parse(text)
    assert (page.width_mm, page.height_mm) == pytest.approx(size)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a7",
        "a4 landscape",
        "a4-upside-down",
        "landscape",
        "120x80",
        "120mmx80",
        "120x80px",
        "x80mm",
        "-120x80mm",
        "1e3x1e3mm",
        "nanxnanmm",
        "120,5x80mm",
        "120x80mm-landscape",
        "120x80x10mm",
        "٣x٣mm",
    ],
)
def test_other_sizes_are_refused(text):
    """What is no size is refused with the sizes that are; nothing is guessed."""
    with pytest.raises(InputError, match="is unknown; choose one of a3, a4"):
        Page.parse(text)


@pytest.mark.parametrize("text", ["0x80mm", "0.5x80mm", "10001x80mm", "80x" + "9" * 400 + "mm"])
def test_sizes_out_of_range_are_refused(text):
    """A page has 1 mm to 10 m a side."""
    with pytest.raises(InputError, match="choose 1 mm to 10000 mm"):
        Page.parse(text)


def test_landscape_turns_an_upright_page_only():
    """The flag makes a page wider than high, whatever it was."""
    assert Page.parse("a4", landscape=True) == Page.parse("a4-landscape")
    assert Page.parse("a4-landscape", landscape=True) == Page.parse("a4-landscape")


@pytest.mark.parametrize(("text", "margin"), [("a4", 11), ("a6", 5), ("100x100mm", 5), ("1x1mm", 0)])
def test_margins_suit_the_page(text, margin):
    """Without a margin a page gets 5 % of its shorter side, in whole millimetres."""
    assert Page.parse(text).margin_mm == margin


@pytest.mark.parametrize(("given", "margin"), [("1cm", 10), ("0mm", 0), (7, 7), (0, 0)])
def test_margins_are_read(given, margin):
    """A margin is a length or millimetres."""
    assert Page.parse("a4", margin=given).margin_mm == margin


@pytest.mark.parametrize("margin", ["105mm", 104.6, -1, float("nan"), float("inf"), 10**400, -(10**400)])
def test_margins_that_leave_no_room_are_refused(margin):
    """Between the margins there is at least a millimetre."""
    with pytest.raises(InputError, match="the margin is"):
        Page.parse("a4", margin=margin)


def test_the_default_is_a_small_square():
    """A first drawing lies on 100 x 100 mm with a margin of 5 mm."""
    assert Page() == Page(100, 100, 5)
    assert Page().inside == Bounds(5, 5, 95, 95)


@pytest.mark.parametrize("side", [0, -5, float("nan"), float("inf"), 1e9, 10**400])
def test_a_page_that_cannot_be_is_refused(side):
    """The limits hold for pages made in Python too."""
    with pytest.raises(InputError):
        Page(side, 100)
    with pytest.raises(InputError):
        Page(100, side)


@pytest.mark.parametrize(("text", "length"), [("5mm", 5), ("1.5 cm", 15), ("0.5in", 12.7), (" 2MM ", 2)])
def test_lengths_are_read(text, length):
    """A number and a unit become millimetres."""
    assert parse_length_mm(text) == pytest.approx(length)


@pytest.mark.parametrize("text", ["", "5", "mm", "-5mm", "5 m", "1e3mm", "5mm5"])
def test_other_lengths_are_refused(text):
    """The error says which length it was."""
    with pytest.raises(InputError, match=r"^margin .* is no length"):
        parse_length_mm(text, "margin")
