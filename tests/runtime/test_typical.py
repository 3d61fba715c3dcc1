"""The most typical of several sketches: which one it is, and that choosing changes nothing else."""

import math
from pathlib import Path

import numpy as np
import pytest

from sketch_edge.runtime.artist import Artist, load
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.scenes.composition import Composition
from sketch_edge.runtime.scenes.thing import Thing
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.typical import CELLS, FILL, ink, most_typical, typical_of_each

DATA = Path(__file__).parents[1] / "data"
SQUARE = [(0, 0), (100, 0), (100, 100), (0, 100), (0, 0)]
CROSS = [[(0, 0), (100, 100)], [(0, 100), (100, 0)]]


@pytest.fixture(scope="module")
def tiny() -> Artist:
    return load(DATA / "tiny.sketch.zip", provider="cpu")


@pytest.fixture(scope="module")
def shipped() -> Artist:
    return load()


def sketch(*lines, complete=True) -> Sketch:
    return Sketch(tuple(np.array(line, float) for line in lines), "thing", complete=complete)


def squares(count: int) -> list[Sketch]:
    """Squares that are all a little different."""
    return [sketch([(x + 3 * number * (x > 0), y) for x, y in SQUARE]) for number in range(count)]


def test_the_odd_one_out_is_not_chosen():
    for place in range(4):
        all_of_them = squares(3)
        all_of_them.insert(place, sketch(*CROSS))
        assert most_typical(all_of_them) != place


def test_the_one_in_the_middle_is_chosen():
    """Of shapes that go from one to another, the mean one is nearest to all."""
    tall = [sketch([(x, y * share) for x, y in SQUARE]) for share in (0.3, 0.5, 0.65, 0.8, 1.0)]
    assert most_typical(tall) == 2


def test_of_equals_the_first(tiny):
    """Of two, each is as near to the other as that to it: the last bit of a sum must not decide."""
    assert most_typical([sketch(SQUARE)] * 3) == 0
    drawn = tiny.draw_many(["star", "cat"] * 50, seed=1)
    assert [most_typical(drawn[number : number + 2]) for number in range(99)] == [0] * 99
    assert [most_typical([one] * 5) for one in drawn] == [0] * 100


def test_one_alone():
    assert most_typical([sketch([(0, 0)])]) == 0


def test_what_was_cut_comes_last():
    cut = [sketch(SQUARE, complete=False)] * 3
    assert most_typical([*cut, sketch(*CROSS)]) == 3
    assert most_typical(cut) == 0


def test_place_and_size_change_nothing(tiny):
    drawn = tiny.draw("star", seed=3)
    moved = Sketch(tuple(line * 4 + (512, -1024) for line in drawn.lines), "star")
    np.testing.assert_array_equal(ink(moved), ink(drawn))


def test_ink_lies_where_the_line_does():
    """A level line: all its ink in the row below the middle, spread by the blur, as much left as right."""
    counts = ink(sketch([(0, 0), (50, 0), (200, 0)]))
    assert counts.dtype == np.int64
    assert counts.shape == (CELLS, CELLS)
    np.testing.assert_array_equal(counts, counts[:, ::-1])
    rows = counts.sum(axis=1)
    assert rows.argmax() == CELLS // 2
    assert counts.sum() == 2 * FILL * 16**2  # two for each cell; the blur multiplies by its sum, along and across
    assert not counts[: CELLS // 2 - 2].any()


def test_ink_of_a_square_is_that_of_its_mirror():
    """A side on the outermost edge belongs to the outermost cell, on the left as on the right."""
    counts = ink(sketch(SQUARE))
    assert np.abs(counts - counts[:, ::-1]).max() <= 16**2  # one sample in a corner, which sides share
    assert np.abs(counts - counts[::-1]).max() <= 16**2
    assert counts.sum() == 4 * 2 * FILL * 16**2  # nothing is spread beyond the field


@pytest.mark.parametrize("lines", [[[(5, 5)]], [[(5, 5), (5, 5)]], [[(0, 0)], [(0, 9)]], [[(0, 0), (0, 1e-9)]]])
def test_dots_have_ink_too(lines):
    assert ink(sketch(*lines)).sum() > 0


def test_the_choice_is_that_of_plain_arithmetic(tiny):
    """The same choice, worked out slowly with other means."""
    sketches = tiny.draw_many(["cat"] * 9, seed=8)

    def alike(one, other):
        first, second = (ink(each).ravel().tolist() for each in (one, other))
        product = sum(x * y for x, y in zip(first, second, strict=True))
        return product / (math.hypot(*first) * math.hypot(*second))

    sums = [sum(alike(one, other) for other in sketches if other is not one) for one in sketches]
    assert most_typical(sketches) == sums.index(max(sums))


def test_a_chosen_sketch_is_one_that_can_be_drawn_alone(tiny):
    chosen = tiny.draw("star", seed=5, index=20, best_of=8)
    assert 20 <= chosen.index < 28
    assert same(chosen, tiny.draw("star", seed=5, index=chosen.index))
    assert chosen.index - 20 == most_typical(tiny.draw_many(["star"] * 8, seed=5, first_index=20))


def test_each_of_many_has_sketches_of_its_own(tiny):
    names = ["star", "cat", "star"]
    many = tiny.draw_many(names, seed=5, first_index=2, best_of=4)
    for number, (name, each) in enumerate(zip(names, many, strict=True)):
        assert each.label == name
        assert same(each, tiny.draw(name, seed=5, index=2 + 4 * number, best_of=4))


def test_a_choice_of_one_is_no_choice(tiny):
    assert same(tiny.draw("star", seed=5, best_of=1), tiny.draw("star", seed=5))


def test_options_go_to_every_try(tiny):
    for each in (
        tiny.draw("star", seed=2, best_of=3, temperature=1.0, max_points=4, top_k=1),
        next(tiny.draw_each(["star"], seed=2, best_of=3, temperature=1.0, max_points=4, top_k=1)),
    ):
        assert each.temperature == 1.0
        assert each.how == "top 1"
        assert same(each, tiny.draw("star", seed=2, index=each.index, temperature=1.0, max_points=4, top_k=1))


def test_without_a_seed_all_tries_have_the_same_random_one(tiny):
    chosen = tiny.draw("star", best_of=6)
    assert same(chosen, tiny.draw("star", seed=chosen.seed, best_of=6))


def test_numpy_chooses_the_same(shipped):
    plain = load(provider="numpy")
    assert [each.index for each in plain.draw_many(["cat", "tree"], seed=4, best_of=3)] == [
        each.index for each in shipped.draw_many(["cat", "tree"], seed=4, best_of=3)
    ]


@pytest.mark.parametrize("best_of", [0, -1, 101, True, 2.5, "8", None])
def test_numbers_out_of_range(tiny, best_of):
    for draw in (
        lambda: tiny.draw("star", best_of=best_of),
        lambda: tiny.draw_many(["star"], best_of=best_of),
    ):
        with pytest.raises(InputError, match=r"^best_of .*: choose a whole number, 1 to 100$"):
            draw()
    if best_of is not None:
        with pytest.raises(InputError, match=r"^best-of: is .* \(expected a whole number, 1 to 100\)$"):
            Composition([Thing("star")], best_of=best_of)


def test_no_room_for_all_tries(tiny):
    with pytest.raises(InputError, match="index"):
        tiny.draw("star", seed=1, index=2**64 - 7, best_of=8)


def test_a_text_for_names(tiny):
    with pytest.raises(InputError, match="expected a list"):
        tiny.draw_each("star", best_of=8)


def test_a_folder_of_bundles_chooses_likewise(tmp_path, tiny):
    (tmp_path / "one.sketch.zip").write_bytes((DATA / "tiny.sketch.zip").read_bytes())
    shelf = load(tmp_path)
    names = ["star", "cat"]
    for one, other in zip(
        shelf.draw_many(names, seed=6, best_of=5), tiny.draw_many(names, seed=6, best_of=5), strict=True
    ):
        assert same(one, other)
    with pytest.raises(InputError, match="best_of"):
        shelf.draw("star", best_of=0)


def test_objects_of_a_page_are_chosen(tiny):
    things = [Thing("star"), Thing("cat", count=2), Thing("star", seed=9), Thing("cat", index=3)]
    page = tiny.compose(Composition(things, seed=7, best_of=4))
    expected = [(7, tiny.draw(name, seed=7, index=4 * number, best_of=4).index) for number, name in CHOSEN]
    assert [(each.seed, each.index) for each in page.objects] == [*expected, (9, 0), (7, 3)]
    plain = tiny.compose(Composition(things, seed=7))
    once = tiny.compose(Composition(things, seed=7, best_of=1))
    assert [each.index for each in once.objects] == [each.index for each in plain.objects]
    assert [(each.seed, each.index) for each in plain.objects] == [(7, 0), (7, 1), (7, 2), (9, 0), (7, 3)]


CHOSEN = [(0, "star"), (1, "cat"), (2, "cat")]


def test_pages_of_many_are_drawn_in_parts(tiny, monkeypatch):
    page = Composition([Thing("star", count=7)], seed=1, best_of=3)
    whole = tiny.compose(page)
    calls = []
    draw = tiny.draw_orders

    def counting(orders, **more):
        calls.append(len(orders))
        return draw(orders, **more)

    monkeypatch.setattr(tiny, "draw_orders", counting)
    monkeypatch.setattr("sketch_edge.runtime.scenes.compose.AT_ONCE", 7)
    parts = tiny.compose(page)
    assert calls == [6, 6, 6, 3]
    assert [each.index for each in parts.objects] == [each.index for each in whole.objects]


def test_chosen_drawings_are_nearer_to_what_the_model_draws(shipped):
    """For nearly every class, measured on drawings that the choice has not seen."""
    names = shipped.listed_classes[::5]
    nearer = 0
    for name in names:
        others = [ink(each).ravel() for each in shipped.draw_many([name] * 24, seed=1)]

        def near(each, others=others):
            own = ink(each).ravel()
            return sum(own @ other / (np.sqrt(own @ own) * np.sqrt(other @ other)) for other in others)

        chosen = sum(map(near, shipped.draw_many([name] * 6, seed=2, best_of=8)))
        single = sum(map(near, shipped.draw_many([name] * 6, seed=2)))
        nearer += chosen > single
    assert nearer >= 0.85 * len(names)


def test_groups_end_with_the_last_sketch(tiny):
    drawn = tiny.draw_many(["star"] * 5, seed=1)
    assert [each.index for each in typical_of_each(iter(drawn), [2, 2, 1])][-1] == 4


def same(one: Sketch, other: Sketch) -> bool:
    content = [[line.tobytes() for line in each.lines] for each in (one, other)]
    recipes = [(each.label, each.seed, each.index, each.temperature, each.how) for each in (one, other)]
    return content[0] == content[1] and recipes[0] == recipes[1]
