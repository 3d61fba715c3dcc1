"""Hidden classes: they can be drawn, and lists and suggestions leave them out, or name them last."""

from dataclasses import replace
from pathlib import Path

import pytest

from sketch_edge.runtime.artist import Artist
from sketch_edge.runtime.bundle import Bundle, read_bundle, write_bundle
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.shelf import Shelf

TINY = read_bundle(Path(__file__).parents[1] / "data" / "tiny.sketch.zip")


def hiding(*names: str, classes: tuple[str, ...] = TINY.manifest.classes) -> Bundle:
    return replace(TINY, manifest=replace(TINY.manifest, classes=classes, hidden=names))


def test_hidden_classes_are_among_all_but_not_among_the_listed():
    """And are drawn as ever."""
    artist, plain = Artist(hiding("cat"), provider="cpu"), Artist(TINY, provider="cpu")
    assert artist.classes == ("cat", "palm tree", "star")
    assert artist.listed_classes == ("palm tree", "star")
    assert plain.listed_classes == plain.classes
    assert [artist.is_hidden(name) for name in ("CAT", "palm_tree")] == [True, False]
    assert [line.tobytes() for line in artist.draw("cat", seed=1).lines] == [
        line.tobytes() for line in plain.draw("cat", seed=1).lines
    ]


def test_suggestions_name_listed_classes_first():
    """However near the hidden one is."""
    artist = Artist(hiding("cat", classes=("cat", "cart", "star")), provider="cpu")
    with pytest.raises(InputError, match=r"the nearest: cart, cat$"):
        artist.draw("catt")


def test_nothing_near_points_to_all_of_them():
    """Where some are hidden, --list alone would not do."""
    with pytest.raises(InputError, match=r"; --list --all, or Artist\.classes, names them all"):
        Artist(hiding("cat"), provider="cpu").draw("xylophone")
    with pytest.raises(InputError, match=r"; --list, or Artist\.classes, names them all"):
        Artist(TINY, provider="cpu").draw("xylophone")


def test_a_shelf_hides_what_its_bundles_hide(tmp_path):
    """Of two bundles with one class the one that draws it poorly."""
    write_bundle(tmp_path / "a.sketch.zip", hiding("cat").manifest, TINY.members)
    write_bundle(tmp_path / "b.sketch.zip", TINY.manifest, TINY.members)
    shelf = Shelf(tmp_path, provider="cpu")
    assert shelf.listed_classes == tuple(name for name in shelf.classes if name != "a/cat")
    assert [shelf.is_hidden(name) for name in ("a/cat", "b/cat")] == [True, False]
