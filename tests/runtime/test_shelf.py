"""The shelf: a folder of bundles draws as each of them does alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sketch_edge.runtime.artist import Order, load
from sketch_edge.runtime.bundle import MANIFEST, read_bundle, read_manifest, write_bundle
from sketch_edge.runtime.errors import BundleError, InputError
from sketch_edge.runtime.scenes.composition import Composition
from sketch_edge.runtime.scenes.sizes import is_sky, metres_of
from sketch_edge.runtime.scenes.thing import Thing
from sketch_edge.runtime.shelf import MOST_OPEN, Shelf

DATA = Path(__file__).parents[1] / "data"
TINY, WHOLE = DATA / "tiny.sketch.zip", DATA / "tiny-whole.sketch.zip"


def put(path, classes, source=TINY, temperature=0.4):
    """Write the tiny bundle with other class names."""
    bundle = read_bundle(source)
    manifest = replace(bundle.manifest, name=path.name, classes=tuple(classes))
    manifest = replace(manifest, defaults=replace(manifest.defaults, temperature=temperature))
    write_bundle(path, manifest, bundle.members)


@pytest.fixture
def folder(tmp_path):
    put(tmp_path / "a.sketch.zip", ["cat", "palm tree", "star"])
    put(tmp_path / "b.sketch.zip", ["dog", "cat", "sun"], WHOLE, temperature=0.7)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "._b.sketch.zip").write_bytes(b"what another system leaves")
    return tmp_path


@pytest.fixture
def shelf(folder):
    shelf = load(folder)
    assert isinstance(shelf, Shelf)
    return shelf


def same(one, other):
    """Whether two sketches are equal in all that can be told of them."""
    assert len(one.lines) == len(other.lines)
    assert all(np.array_equal(a, b) for a, b in zip(one.lines, other.lines, strict=True))
    assert (one.label, one.seed, one.index, one.temperature, one.source, one.complete) == (
        (other.label, other.seed, other.index, other.temperature, other.source, other.complete)
    )
    return True


def test_classes_of_all_bundles_are_listed(shelf):
    """By their names; by the bundle's name too where two bundles have one."""
    assert shelf.classes == ("a/cat", "palm tree", "star", "dog", "b/cat", "sun")
    assert [shelf.class_id(name) for name in shelf.classes] == list(range(6))


@pytest.mark.parametrize(
    ("name", "label", "bundle"),
    [
        ("dog", "dog", "b"),
        ("a/cat", "cat", "a"),
        ("B/Cat", "cat", "b"),
        ("a/palm_tree", "palm tree", "a"),
        ("SUN", "sun", "b"),
    ],
)
def test_a_class_draws_as_its_bundle_does(shelf, folder, name, label, bundle):
    """Same lines, same recipe, the bundle's own temperature; in whatever spelling."""
    alone = load(folder / f"{bundle}.sketch.zip")
    assert same(shelf.draw(name, seed=5, index=3), alone.draw(label, seed=5, index=3))
    assert shelf.label_of(name) == label


def test_a_class_cannot_take_the_long_name_of_another(folder):
    """Whatever a bundle calls its classes: the long form is that of the file."""
    before = load(folder)
    put(folder / "evil.sketch.zip", ["b/cat", "A/STAR", "b/moon"])
    shelf = load(folder)
    for name in ("b/cat", "B/Cat", "a/star"):
        assert same(shelf.draw(name, seed=5), before.draw(name, seed=5))
    assert shelf.classes == (*before.classes, "evil/b/cat", "evil/A/STAR", "b/moon")
    assert [shelf.class_id(name) for name in shelf.classes] == list(range(9))


def test_names_of_files_are_printable(folder):
    """A list of classes has one line for each, whatever a file is called."""
    put(folder / "c.sketch.zip", ["cat"])
    (folder / "c.sketch.zip").rename(folder / "line\nend.sketch.zip")
    shelf = Shelf(folder)
    assert shelf.classes[-1] == "line\\nend/cat"
    assert shelf.artist_of(shelf.classes[-1]).manifest.classes == ("cat",)


def test_folders_of_too_many_classes_are_refused(folder, monkeypatch):
    """They are known before all manifests were read."""
    monkeypatch.setattr("sketch_edge.runtime.shelf.MOST_CLASSES", 5)
    (folder / "c.sketch.zip").write_text("nothing that could be read")
    with pytest.raises(BundleError, match=r"has over 5 classes; name a bundle, or a folder of fewer"):
        load(folder)


def test_many_are_drawn_in_the_order_of_the_names(shelf, folder):
    """Numbered across bundles, as one bundle numbers them."""
    a, b = (load(folder / f"{name}.sketch.zip") for name in "ab")
    names = ["star", "dog", "dog", "a/cat", "b/cat"]
    expected = [
        a.draw("star", seed=1, index=7, temperature=0.3),
        *(b.draw("dog", seed=1, index=index, temperature=0.3) for index in (8, 9)),
        a.draw("cat", seed=1, index=10, temperature=0.3),
        b.draw("cat", seed=1, index=11, temperature=0.3),
    ]
    found = shelf.draw_many(names, seed=1, temperature=0.3, first_index=7)
    assert all(map(same, found, expected))


def test_sketches_share_a_random_seed(shelf):
    """One command, one seed, whatever the bundles."""
    assert len({sketch.seed for sketch in shelf.draw_many(["star", "dog"])}) == 1


def test_orders_and_streams_go_to_their_bundles(shelf, folder):
    """As draw gives them."""
    orders = [Order("dog", 4, 1), Order("star", 4, 2, 0.1), Order("sun", 9)]
    drawn = shelf.draw_orders(orders, max_points=9)
    for order, sketch in zip(orders, drawn, strict=True):
        expected = shelf.draw(
            order.name, seed=order.seed, index=order.index, temperature=order.temperature, max_points=9
        )
        assert same(sketch, expected)
    stream = shelf.stream("b/cat", seed=2)
    points = [(point.x, point.y) for point in stream]
    lines = shelf.draw("b/cat", seed=2).lines
    assert stream.label == "cat"
    assert points[-1] == tuple(lines[-1][-1])


def test_a_page_mixes_bundles(shelf):
    """Things of two bundles on one page, with the sizes that their classes have."""
    scene = shelf.compose(Composition([Thing("star"), Thing("b/cat"), Thing("dog")], seed=3))
    assert [each.source.split()[0] for each in scene.objects] == ["a.sketch.zip", "b.sketch.zip", "b.sketch.zip"]
    assert metres_of("b/cat") == metres_of("cat")
    assert is_sky("a/sun")


def test_what_is_drawn_together_goes_to_one_bundle(shelf, folder):
    """The model of the class does it; the way between two bundles is none."""
    sketch, alone = shelf.draw("dog", seed=1), load(folder / "b.sketch.zip")
    assert same(shelf.reconstruct(sketch, seed=2), alone.reconstruct(sketch, seed=2))
    assert all(map(same, shelf.vary(sketch, 2, seed=2), alone.vary(sketch, 2, seed=2)))
    assert all(map(same, shelf.finish(sketch, count=2, seed=2), alone.finish(sketch, count=2, seed=2)))
    assert all(map(np.array_equal, shelf.encode(sketch, "dog"), alone.encode(sketch, "dog")))
    names = ("dog", "sun")
    assert all(
        map(
            same,
            shelf.between(sketch, sketch, 3, names=names, seed=2),
            alone.between(sketch, sketch, 3, names=names, seed=2),
        )
    )
    with pytest.raises(InputError, match="is in another bundle than 'dog'"):
        shelf.between(sketch, sketch, names=("dog", "star"))


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("cat", "is in 2 bundles of .*choose one of a/cat, b/cat"),
        ("dgo", "is not among the 6 classes of .*the nearest: dog"),
        ("c/cat", "is not among the 6 classes"),
        (7, "is int"),
    ],
)
def test_names_that_say_no_class_are_refused(shelf, name, what):
    """With what could have been meant."""
    with pytest.raises(InputError, match=what):
        shelf.draw(name)


def test_what_needs_one_bundle_is_refused(shelf, folder):
    """A shelf has no manifest of its own; the artist of a class has."""
    for ask in (lambda: shelf.manifest, lambda: shelf.session):
        with pytest.raises(InputError, match="name a file in it"):
            ask()
    assert shelf.artist_of("dog").manifest.name == "b.sketch.zip"
    assert shelf.most_points("dog") == 120


def test_bad_numbers_are_refused_before_anything_is_drawn(shelf):
    """As by an artist, and not only when the first sketch is asked for."""
    for wrong in ({"temperature": 11}, {"max_points": 0}, {"seed": -1}, {"first_index": 2**64}):
        with pytest.raises(InputError):
            shelf.draw_each(["dog"], **wrong)


def test_a_bundle_is_opened_when_it_is_first_drawn_from(folder):
    """A damaged one hurts nobody who draws something else, and is named when it is asked."""
    content = (folder / "b.sketch.zip").read_bytes()
    (folder / "b.sketch.zip").write_bytes(content[:-1])
    shelf = load(folder)
    shelf.draw("star")
    with pytest.raises(BundleError, match=r"b\.sketch\.zip: is cut short"):
        shelf.draw("dog")


def test_a_bundle_that_was_replaced_is_refused(folder):
    """Its classes may be others by now."""
    shelf = load(folder)
    put(folder / "b.sketch.zip", ["dog", "cat", "sun"], WHOLE, temperature=0.8)
    with pytest.raises(BundleError, match="was replaced"):
        shelf.draw("dog")


def test_few_bundles_stay_open(tmp_path):
    """Of a hundred drawn from, the last ones; and those closed draw again."""
    names = [f"thing {number}" for number in range(MOST_OPEN + 3)]
    for name in names:
        put(tmp_path / f"{name}.sketch.zip", [name, f"{name} b", f"{name} c"])
    shelf = Shelf(tmp_path)
    first = shelf.draw_many(names, seed=1)
    assert len(shelf._open) == MOST_OPEN
    assert all(map(same, shelf.draw_many(names, seed=1), first))


def test_folders_without_bundles_are_refused(tmp_path):
    """Empty ones, and those with something else under such a name."""
    with pytest.raises(BundleError, match=r"holds 0 files that end in \.sketch\.zip"):
        load(tmp_path)
    (tmp_path / "x.sketch.zip").write_bytes(b"<html>not found</html>")
    with pytest.raises(BundleError, match=r"x.sketch.zip: is a web page"):
        load(tmp_path)
    with pytest.raises(BundleError, match="cannot be read"):
        Shelf(tmp_path / "nothing")


@pytest.mark.parametrize("cut", [0, 3, 29, 40, 200, 1000])
def test_cut_manifests_are_refused(tmp_path, cut):
    """Whatever of the beginning is missing."""
    path = tmp_path / "x.sketch.zip"
    path.write_bytes(TINY.read_bytes()[:cut])
    with pytest.raises(BundleError, match=r"x\.sketch\.zip"):
        read_manifest(path)


def test_damaged_manifests_are_refused(tmp_path):
    """Each flipped bit of header and manifest, but for those that change only what stands behind."""
    content = TINY.read_bytes()
    end = content.index(b"PK\x03\x04", 4)
    path = tmp_path / "x.sketch.zip"
    for place in range(0, end, 7):
        flipped = bytearray(content)
        flipped[place] ^= 4
        path.write_bytes(flipped)
        with pytest.raises(BundleError, match=r"x\.sketch\.zip"):
            read_manifest(path)


def test_the_manifest_alone_is_that_of_the_bundle():
    """Whether the rest is read or not."""
    assert read_manifest(TINY) == read_bundle(TINY).manifest
    assert MANIFEST not in read_manifest(TINY).members
