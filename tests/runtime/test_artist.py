"""The artist: names, seeds, and the same sketch in every way of asking."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sketch_edge.runtime.artist import Artist, Order, Point, load
from sketch_edge.runtime.bundle import read_bundle
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.sketch import Sketch

GOLDEN = [
    [[0.0, 0.0], [36.0625, -9.0625], [36.4375, -18.75]],
    [[68.875, -52.125]],
    [[91.125, -60.1875], [100.6875, -33.5]],
    [[100.4375, -29.5], [64.1875, -39.0], [34.0625, -34.0625], [43.75, -29.25], [14.5625, -63.625]],
    [[-14.625, -56.5625]],
]
BUNDLE = read_bundle(Path(__file__).parents[1] / "data" / "tiny.sketch.zip")


@pytest.fixture(scope="module")
def artist() -> Artist:
    return load(BUNDLE.path, provider="cpu")


def same(one: Sketch, other: Sketch) -> bool:
    """Whether two sketches have the same bytes and the same history."""
    fields = ("label", "seed", "index", "temperature", "source", "complete")
    return all(getattr(one, name) == getattr(other, name) for name in fields) and [
        line.tobytes() for line in one.lines
    ] == [line.tobytes() for line in other.lines]


def lines_of(points: list[Point]) -> list[list[tuple[float, float]]]:
    """Draw streamed points: a pen that follows `drawn` and `lift`; points that repeat leave no mark of their own."""
    lines: list[list[tuple[float, float]]] = []
    for before, point in itertools.pairwise([points[0], *points]):
        if not point.drawn:
            lines.append([(point.x, point.y)])
        elif (point.x, point.y) != (before.x, before.y):
            lines[-1].append((point.x, point.y))
    return lines


def test_golden_sketch(artist):
    """Seed 12 of the tiny bundle is this drawing, on every machine."""
    sketch = artist.draw("star", seed=12)
    assert [line.tolist() for line in sketch.lines] == GOLDEN
    assert (sketch.label, sketch.seed, sketch.index, sketch.temperature) == ("star", 12, 0, 0.4)
    assert sketch.source == f"tiny {BUNDLE.sha256[:12]}"
    assert sketch.complete


def test_many_are_as_drawn_one_by_one(artist):
    """Sketch i of draw_many is draw with index first_index + i, byte for byte."""
    names = ["cat", "star", "palm tree", "star"] * 20
    for number, sketch in enumerate(artist.draw_many(names, seed=5, first_index=100)):
        assert same(sketch, artist.draw(names[number], seed=5, index=100 + number))


def test_a_sketch_does_not_depend_on_its_neighbours(artist):
    """Other classes before and after it change nothing."""
    one, other = artist.draw_many(["cat", "cat", "cat"], seed=5), artist.draw_many(["star", "cat", "star"], seed=5)
    assert same(one[1], other[1])
    assert not same(one[0], other[0])


@pytest.mark.parametrize("number", range(12))
def test_a_stream_draws_the_sketch(artist, number):
    """Points from the origin on, each move with or without ink, are the sketch's lines."""
    settings = {"seed": 8, "index": number, "temperature": 0.9, "max_points": 40}
    points = list(artist.stream("cat", **settings))
    assert points[0] == Point(0.0, 0.0, drawn=False, lift=False)
    assert lines_of(points) == [
        [tuple(point) for point in line.tolist()] for line in artist.draw("cat", **settings).lines
    ]


def test_a_stream_gives_points_before_the_sketch_is_done(artist):
    """The first points come after as many steps, and the stream says how to have it again."""
    stream = artist.stream("star", max_points=10_000, temperature=0)
    first = [next(stream) for _ in range(3)]
    assert first[0] == (0, 0, False, False)
    assert stream.label == "star"
    again = artist.stream("star", seed=stream.seed, index=stream.index, temperature=0)
    assert list(itertools.islice(again, 3)) == first


def test_the_pen_is_up_only_after_a_lift(artist):
    """drawn says whether the point before lifted the pen."""
    points = list(artist.stream("palm tree", seed=3, temperature=1))
    for before, point in itertools.pairwise(points):
        assert point.drawn == (not before.lift)


def test_two_threads_are_as_one(artist):
    """Processor threads change nothing about a sketch."""
    two = load(BUNDLE.path, provider="cpu", threads=2)
    for one, other in zip(artist.draw_many(["cat"] * 10, seed=1), two.draw_many(["cat"] * 10, seed=1), strict=True):
        assert same(one, other)


def test_threads_may_share_an_artist(artist):
    """Four callers at once get what they would get alone."""
    drawn: dict[int, list[Sketch]] = {}

    def work(seed: int) -> None:
        drawn[seed] = artist.draw_many(["star"] * 30, seed=seed)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for seed in range(4):
        for one, other in zip(drawn[seed], artist.draw_many(["star"] * 30, seed=seed), strict=True):
            assert same(one, other)


def test_threads_may_ask_for_different_things(artist):
    """Single sketches, many, and points one by one, of different classes and at different temperatures, all at once."""

    def single(number: int) -> object:
        sketches = [artist.draw("cat", seed=number, index=i, temperature=0.1 + number / 10) for i in range(10)]
        return [[line.tolist() for line in sketch.lines] for sketch in sketches]

    def many(number: int) -> object:
        sketches = artist.draw_many(["star", "palm tree"] * 10, seed=number)
        return [[line.tolist() for line in sketch.lines] for sketch in sketches]

    def points(number: int) -> object:
        return [(point.x, point.y, point.drawn) for i in range(5) for point in artist.stream("star", seed=number + i)]

    jobs = [(work, number) for number in range(3) for work in (single, many, points)]
    expected = [work(number) for work, number in jobs]
    with ThreadPoolExecutor(len(jobs)) as pool:
        found = [pool.submit(work, number) for work, number in jobs]
        assert [each.result(timeout=120) for each in found] == expected


def test_a_random_seed_stands_in_the_sketch(artist):
    """Without a seed two sketches differ, and each can be had again."""
    one, other = artist.draw("cat"), artist.draw("cat")
    assert one.seed != other.seed
    assert same(one, artist.draw("cat", seed=one.seed))


@pytest.mark.parametrize("seed", [0, 2**64 - 1, np.int64(4), np.uint64(2**63)])
def test_every_seed_draws(artist, seed):
    """64 bits, also as numpy counts them."""
    assert artist.draw("cat", seed=seed, index=2**64 - 1).seed == int(seed)


def test_temperature_zero_needs_no_seed(artist):
    """Nothing is left to chance, z neither: every seed gives the likeliest drawing."""
    one, other = (artist.draw("cat", seed=seed, index=seed, temperature=0) for seed in (2, 3))
    assert [line.tolist() for line in one.lines] == [line.tolist() for line in other.lines]
    assert artist.draw("cat", seed=2, temperature=0).temperature == 0.0


def test_the_most_points_cut_a_sketch(artist):
    """A cut sketch says so; its points are the first of the whole one."""
    whole, cut = artist.draw("star", seed=12), artist.draw("star", seed=12, max_points=4)
    assert whole.point_count > 5
    assert cut.point_count == 5  # four moves, and the point that the first one starts from
    assert not cut.complete
    np.testing.assert_array_equal(np.concatenate(cut.lines), np.concatenate(whole.lines)[:5])


def test_coordinates_lie_on_the_grid(artist):
    """Every coordinate is a whole number of 1 / grid."""
    for sketch in artist.draw_many(["star"] * 20, seed=1, temperature=1):
        points = np.concatenate(sketch.lines) * BUNDLE.manifest.grid
        np.testing.assert_array_equal(points, np.rint(points))


@pytest.mark.parametrize("name", ["palm tree", "Palm-Tree", " palm_tree ", "PALM  TREE"])
def test_names_are_forgiven(artist, name):
    """Case, spaces, underscores and hyphens do not matter."""
    assert artist.draw(name, seed=1).label == "palm tree"


def test_an_exact_name_comes_first():
    """Where two classes differ only in what is forgiven, each can be named exactly."""
    classes = ("t shirt", "t-shirt", "T-Shirt")
    artist = Artist(replace(BUNDLE, manifest=replace(BUNDLE.manifest, classes=classes)), provider="cpu")
    assert [artist.class_id(name) for name in (*classes, "T_SHIRT")] == [0, 1, 2, 0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stra", r"^class 'stra': is not among the 3 classes of tiny; the nearest: star$"),
        ("palm", r"the nearest: palm tree$"),
        ("zebra crossing", r"; --list, or Artist.classes, names them all$"),
        ("", r"^class '': is not among"),
        ("x" * 10**6, r"^class 'x+\.\.\.: is not among .{50,100}$"),
        (3, r"^class 3: is int \(expected text\)$"),
    ],
)
def test_unknown_classes_are_refused(artist, name, message):
    """The nearest names are suggested."""
    with pytest.raises(InputError, match=message):
        artist.draw(name)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("seed", -1, "seed -1: choose a whole number, 0 to 18446744073709551615"),
        ("seed", 2**64, "seed 18446744073709551616: choose"),
        ("seed", 1.0, "seed 1.0: choose"),
        ("seed", True, "seed True: choose"),
        pytest.param("seed", 10**5000, "seed a huge number: choose", id="seed-huge"),
        ("index", -1, "index -1: choose"),
        ("index", 2**64, "index 18446744073709551616: choose"),
        ("temperature", -0.1, "temperature -0.1: choose a number, 0 to 10"),
        ("temperature", 10.5, "temperature 10.5: choose"),
        ("temperature", float("nan"), "temperature nan: choose"),
        ("temperature", "warm", "temperature 'warm': choose"),
        pytest.param("temperature", 10**400, "temperature a huge number: choose", id="temperature-huge"),
        ("max_points", 0, "max_points 0: choose a whole number, 1 to 10000"),
        ("max_points", 10_001, "max_points 10001: choose"),
    ],
)
def test_numbers_out_of_range_are_refused(artist, setting, value, message):
    """At once, by draw as by stream."""
    for way in (artist.draw, artist.stream):
        with pytest.raises(InputError) as caught:
            way("cat", **{setting: value})
        assert str(caught.value).startswith(message)


def test_indices_of_many_must_fit(artist):
    """The last sketch must have an index too."""
    with pytest.raises(InputError, match="index"):
        artist.draw_many(["cat", "cat"], first_index=2**64 - 1)


def test_a_single_text_is_no_list(artist):
    """draw_many("cat") would draw c, a and t."""
    with pytest.raises(InputError, match=r"names: is the text 'cat' .*; write \['cat'\]"):
        artist.draw_many("cat")


def test_many_of_none(artist):
    """No names, no sketches."""
    assert artist.draw_many([]) == []


def test_encode_sees_what_was_drawn(artist):
    """mu and sigma of shape (Z,), the same for the same sketch, others for other classes and other sketches."""
    sketch, other = artist.draw_many(["star", "star"], seed=4, temperature=0.8)
    mu, sigma = artist.encode(sketch, "star")
    assert mu.shape == sigma.shape == (4,)
    np.testing.assert_array_equal(artist.encode(sketch, "Star")[0], mu)
    assert not np.array_equal(artist.encode(sketch, "cat")[0], mu)
    assert not np.array_equal(artist.encode(other, "star")[0], mu)


def test_encode_takes_scaled_stroke5(artist):
    """The encoder gets offsets divided by the scale, and the rows before the end."""
    sketch = Sketch((np.array([[0, 0], [31.25, 0], [31.25, 62.5]]), np.array([[100, 100]])))
    rows = [[1, 0, 1, 0, 0], [0, 2, 0, 1, 0], [2.2, 1.2, 0, 1, 0], [0, 0, 0, 0, 1]]
    strokes = np.array([rows], np.float32)
    np.testing.assert_array_equal(artist.encode(sketch, "cat")[0], artist._session.encode(strokes, [3], [0])[0][0])


def test_encode_refuses_what_it_cannot_see(artist):
    """A sketch without lines, or with more points than any bundle has."""
    with pytest.raises(InputError, match="has 0 points"):
        artist.encode(Sketch(()), "cat")
    with pytest.raises(InputError, match="has 10001 points"):
        artist.encode(Sketch((np.arange(20_004.0).reshape(-1, 2),)), "cat")


def test_what_it_says_of_itself(artist):
    """Classes, manifest and provider."""
    assert artist.classes == ("cat", "palm tree", "star")
    assert artist.manifest == BUNDLE.manifest
    assert artist.provider == "cpu"


def test_orders_of_several_seeds_are_those_of_draw(artist):
    """Each order, with its own seed, index and temperature, gives what `draw` gives, in the order asked."""
    orders = [Order("cat", 3), Order("star", 3, 5, 1.0), Order("Palm_Tree", 9, 2, 0.0), Order("cat", 2**64 - 1, 1, 1.0)]
    for order, sketch in zip(orders, artist.draw_orders(orders, max_points=50), strict=True):
        alone = artist.draw(
            order.name, seed=order.seed, index=order.index, temperature=order.temperature, max_points=50
        )
        assert (sketch.label, sketch.seed, sketch.index) == (alone.label, alone.seed, alone.index)
        assert sketch.temperature == alone.temperature
        assert all(np.array_equal(a, b) for a, b in zip(sketch.lines, alone.lines, strict=True))


def test_bad_orders_are_refused(artist):
    """As in `draw`."""
    assert artist.draw_orders([]) == []
    for order in (Order("horse", 1), Order("cat", -1), Order("cat", 1, 2**64), Order("cat", 1, 0, 11)):
        with pytest.raises(InputError):
            artist.draw_orders([order])


def test_one_bundle_is_the_artist_of_all_its_classes(artist):
    """So that callers need not ask whether they loaded a folder."""
    assert artist.artist_of("star") is artist
    with pytest.raises(InputError, match="class 'stra'"):
        artist.artist_of("stra")
