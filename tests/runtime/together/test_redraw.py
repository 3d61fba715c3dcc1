"""Drawing together: given strokes stay, ends are ends, and a drawing does not depend on its neighbours."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.artist import Artist, load
from sketch_edge.runtime.bundle import read_bundle
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.together.redraw import LATENTS

DATA = Path(__file__).parents[2] / "data"
TINY, WHOLE = DATA / "tiny.sketch.zip", DATA / "tiny-whole.sketch.zip"


def sketch_of(label: str, *lines: list[tuple[float, float]]) -> Sketch:
    return Sketch(tuple(np.array(line, np.float64) for line in lines), label)


ROOF = sketch_of("star", [(10, 20), (15, 10), (20, 20)], [(30, 20)], [(10, 40), (30, 40)])
WAVE = sketch_of("cat", [(0, 0), (60.5, 80.25), (120, 10), (180, 90)], [(300, 7), (310, 200)])


@pytest.fixture(scope="module", params=["cpu", "numpy"])
def artist(request) -> Artist:
    return load(TINY, provider=request.param)


def content(sketch: Sketch) -> list[bytes]:
    return [line.tobytes() for line in sketch.lines]


# --- reconstruct --------------------------------------------------------------------------------------------------


def test_a_reconstruction_says_how_to_have_it_again(artist):
    """Class, seed, index, temperature, bundle, and that it was drawn again."""
    sketch = artist.reconstruct(ROOF, seed=3, index=2, temperature=0.5)
    assert (sketch.label, sketch.seed, sketch.index, sketch.temperature) == ("star", 3, 2, 0.5)
    assert sketch.how == "drawn again"
    assert content(sketch) == content(artist.reconstruct(ROOF, seed=3, index=2, temperature=0.5))


def test_a_reconstruction_is_drawn_from_what_the_model_sees(artist):
    """Other strokes and another class give another drawing; a z of the noise's own plays no part."""
    drawn = [artist.reconstruct(each, name, seed=3) for each, name in ((ROOF, "star"), (WAVE, "star"), (ROOF, "cat"))]
    assert len({tuple(content(each)) for each in drawn}) == 3
    assert content(artist.reconstruct(ROOF, seed=1, temperature=0)) == content(
        artist.reconstruct(ROOF, seed=2, temperature=0)
    )


def test_units_do_not_matter(artist):
    """The same drawing, moved and in millimetres instead of pixels, is the same to the model."""
    small = Sketch(tuple(line / 8 + 1024 for line in WAVE.lines), "cat")
    assert content(artist.reconstruct(small, seed=3)) == content(artist.reconstruct(WAVE, seed=3))


def test_points_between_do_not_matter(artist):
    """A line that is denser than it needs to be is simplified first."""
    dense = Sketch(
        tuple(
            np.concatenate([line[:1] + (line[1:2] - line[:1]) * np.linspace(0, 1, 50)[:, None], line[2:]])
            for line in WAVE.lines
        ),
        "cat",
    )
    assert dense.point_count > 100
    assert content(artist.reconstruct(dense, seed=3)) == content(artist.reconstruct(WAVE, seed=3))


# --- between ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("star", "star"), ("star", "cat")])
def test_the_ends_are_the_reconstructions(artist, names):
    """First and last of the way are what reconstruct gives of the two, stroke by stroke."""
    way = artist.between(ROOF, WAVE, 5, names=names, seed=7, index=3)
    assert len(way) == 5
    for end, given_sketch, name in ((way[0], ROOF, names[0]), (way[-1], WAVE, names[1])):
        assert content(end) == content(artist.reconstruct(given_sketch, name, seed=7, index=3))
        assert end.label == name


def test_the_way_does_not_depend_on_how_many_steps_are_drawn(artist):
    """Half of the way is the same drawing, among three or among five."""
    three, five = (artist.between(ROOF, WAVE, count, seed=7) for count in (3, 5))
    assert content(three[1]) == content(five[2])
    assert three[1].how == "between, 0.5"


def test_from_a_drawing_to_itself_nothing_changes(artist):
    """All of the way is the one reconstruction."""
    assert len({tuple(content(each)) for each in artist.between(ROOF, ROOF, 4, seed=7)}) == 1


# --- finish -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("latent", LATENTS)
@pytest.mark.parametrize("start", [ROOF, WAVE], ids=["official", "free"])
def test_given_strokes_are_kept(artist, start, latent):
    """Bit for bit, in front; the model adds at least a line."""
    for ending in artist.finish(start, count=4, latent=latent, seed=5, temperature=1):
        assert content(ending)[: len(start.lines)] == content(start)
        assert len(ending.lines) > len(start.lines)
        assert ending.how.startswith(f"finished, latent {latent}")


@given(
    st.lists(
        st.lists(st.tuples(*[st.floats(-1e6, 1e6, width=32)] * 2), min_size=1, max_size=6), min_size=1, max_size=4
    ),
    st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_any_strokes_are_kept(lines, joined):
    """Whatever the coordinates are: no point is moved, none is lost."""
    start = Sketch(tuple(lines), "cat")
    ending = KEEPER.finish(start, seed=1, joined=joined, max_points=60)[0]
    kept = ending.lines[: len(lines)]
    for number, (line, given_line) in enumerate(zip(kept, start.lines, strict=True)):
        assert line[: len(given_line)].tobytes() == given_line.tobytes()
        assert len(line) == len(given_line) or (joined and number == len(lines) - 1)


KEEPER = load(TINY, provider="numpy")


def test_a_joined_ending_goes_on_with_the_last_stroke(artist):
    """The pen is still down: some ending makes the last stroke longer, and none without it does."""
    joined = artist.finish(ROOF, count=8, joined=True, seed=5)
    apart = artist.finish(ROOF, count=8, seed=5)
    assert any(len(each.lines[2]) > 2 for each in joined)
    assert all(each.lines[2][:2].tobytes() == ROOF.lines[2].tobytes() for each in joined)
    assert all(len(each.lines[2]) == 2 for each in apart)


def test_an_ending_does_not_depend_on_its_neighbours(artist):
    """Ending 3 of six is the ending with index 3, and so among 80, more than are drawn at once."""
    many = artist.finish(ROOF, count=80, seed=5, temperature=0.8)
    assert len({tuple(content(each)) for each in many}) > 70
    for index in (0, 3, 79):
        alone = artist.finish(ROOF, seed=5, index=index, temperature=0.8)[0]
        assert content(alone) == content(many[index])
        assert (alone.index, alone.complete) == (many[index].index, many[index].complete)


def test_what_is_drawn_lies_on_the_grid(artist):
    """With a given drawing in Quick, Draw! units, every new point is a whole number of 1 / grid."""
    for ending in artist.finish(ROOF, count=10, seed=5, temperature=1):
        points = np.concatenate(ending.lines) * artist.manifest.grid
        np.testing.assert_array_equal(points, np.rint(points))


def test_the_ending_has_the_scale_of_the_given_strokes(artist):
    """A drawing twice as large gets an ending twice as large, at its own place."""
    large = Sketch(tuple(line * 2 + 1000 for line in WAVE.lines), "cat")
    for small, big in zip(artist.finish(WAVE, count=3, seed=5), artist.finish(large, count=3, seed=5), strict=True):
        for line, other in zip(small.lines, big.lines, strict=True):
            np.testing.assert_allclose(other, line * 2 + 1000, rtol=0, atol=1e-9)


def test_the_size_is_guessed_and_said(artist):
    """Strokes in unknown units: naming the size that stands in the ending gives the same; official ones have 255."""
    guessed = artist.finish(WAVE, seed=5)[0]
    size = float(guessed.how.removeprefix("finished, latent fit, size "))
    assert 310 <= size <= 310 / 0.8**8 + 1e-3
    named = artist.finish(WAVE, seed=5, size=310 / 0.8 ** round(np.log(size / 310) / np.log(1.25)))[0]
    for line, other in zip(guessed.lines, named.lines, strict=True):
        np.testing.assert_allclose(line, other, rtol=0, atol=1e-9)
    assert artist.finish(ROOF, seed=5)[0].how == "finished, latent fit"


def test_a_part_is_scaled_by_the_size_of_the_whole(artist):
    """With size 3000 the model sees the strokes as part of a drawing of that size, and draws as large."""
    ending = artist.finish(WAVE, seed=5, size=3000)[0]
    part = Sketch(tuple(line * (255 / 3000) for line in WAVE.lines), "cat")
    for line, other in zip(ending.lines, artist.finish(part, seed=5, size=255)[0].lines, strict=True):
        np.testing.assert_allclose(line, other * (3000 / 255), rtol=0, atol=1e-6)
    large, small = (
        np.concatenate([line for each in artist.finish(WAVE, count=20, seed=5, size=size) for line in each.lines[2:]])
        for size in (3000, 310)
    )
    assert large.std() > 3 * small.std()


def test_the_most_points_count_the_given_ones(artist):
    """A drawing is cut where the model would cut its own."""
    cut = artist.finish(ROOF, count=5, seed=5, max_points=8)  # the roof has 5 rows
    assert all(each.point_count <= ROOF.point_count + 3 for each in cut)
    assert not all(each.complete for each in cut)


# --- vary ---------------------------------------------------------------------------------------------------------


def test_no_variation_is_the_reconstruction(artist):
    """Amount 0, each with the noise of its index."""
    for index, sketch in enumerate(artist.vary(ROOF, 3, 0, seed=9)):
        assert content(sketch) == content(artist.reconstruct(ROOF, seed=9, index=index))


def test_full_variation_forgets_the_drawing(artist):
    """Amount 1 at temperature 1 is the plain drawing of the class, from the same z and the same noise."""
    plain = artist.draw_many(["star"] * 3, seed=9, temperature=1)
    for sketch, other in zip(artist.vary(ROOF, 3, 1, seed=9, temperature=1), plain, strict=True):
        assert content(sketch) == content(other)


def test_variations_are_as_drawn_one_by_one(artist):
    """Each depends on its index alone."""
    for index, sketch in enumerate(artist.vary(WAVE, 5, 0.4, seed=9)):
        assert content(sketch) == content(artist.vary(WAVE, 1, 0.4, seed=9, index=index)[0])
        assert sketch.how == "varied by 0.4"


# --- both bundles, both providers ---------------------------------------------------------------------------------


def test_providers_and_bundles_agree():
    """onnxruntime and numpy, with draw.onnx in the bundle and without: the same strokes."""
    artists = [load(path, provider=provider) for path in (TINY, WHOLE) for provider in ("cpu", "numpy")]
    for draw in (
        lambda each: [each.reconstruct(ROOF, seed=3)],
        lambda each: each.between(ROOF, WAVE, 4, seed=3),
        lambda each: each.finish(WAVE, count=4, seed=3),
        lambda each: each.vary(WAVE, 4, seed=3),
    ):
        assert len({tuple(tuple(content(sketch)) for sketch in draw(each)) for each in artists}) == 1


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: a.reconstruct(Sketch((), "cat")), "^sketch: has no lines"),
        (lambda a: a.reconstruct(ROOF, "owl"), "^class 'owl': is not among"),
        (lambda a: a.reconstruct(Sketch(ROOF.lines)), "^class '': is not among"),
        (lambda a: a.reconstruct(ROOF, seed=-1), "^seed -1: choose"),
        (lambda a: a.reconstruct(ROOF, temperature=11), "^temperature 11: choose"),
        (lambda a: a.reconstruct(ROOF, top_k=0), "^top_k 0: choose a whole number, 1 to 128"),
        (lambda a: a.between(ROOF, WAVE, 1), "^count 1: choose a whole number, 2 to 10000"),
        (lambda a: a.between(ROOF, WAVE, True), "^count True: choose"),
        (lambda a: a.vary(ROOF, 0), "^count 0: choose a whole number, 1 to 10000"),
        (lambda a: a.vary(ROOF, 1, 1.01), "^amount 1.01: choose a number, 0"),
        (lambda a: a.vary(ROOF, 1, float("nan")), "^amount nan: choose"),
        (lambda a: a.vary(ROOF, 1, "much"), "^amount 'much': choose"),
        (lambda a: a.vary(ROOF, 2, index=2**64 - 1), "^index 18446744073709551615: leaves no room for 2 sketches"),
        (lambda a: a.finish(ROOF, latent="luck"), "^latent 'luck': is unknown; choose one of fit, prior, encode"),
        (lambda a: a.finish(ROOF, size=0), "^size 0: choose a number over 0"),
        (lambda a: a.finish(ROOF, size=float("inf")), "^size inf: choose"),
        (lambda a: a.finish(WAVE, size=100), r"^size 100: is less than the given part has \(310\)"),
        (lambda a: a.finish(ROOF, max_points=5), "^sketch: has 5 points already"),
        (lambda a: a.finish(ROOF, count=10**9), "^count 1000000000: choose"),
    ],
)
def test_bad_arguments_are_refused(artist, call, message):
    """The message says what was got and what is expected."""
    with pytest.raises(InputError, match=message):
        call(artist)


def test_a_model_without_an_encoder_says_so():
    """It can still go on with strokes, but it cannot see a drawing."""
    bundle = read_bundle(TINY)
    members = {name: member for name, member in bundle.manifest.members.items() if name != "encode.onnx"}
    blind = Artist(replace(bundle, manifest=replace(bundle.manifest, members=members)), provider="cpu")
    for call in (
        lambda: blind.reconstruct(ROOF),
        lambda: blind.between(ROOF, WAVE),
        lambda: blind.vary(ROOF),
        lambda: blind.finish(ROOF, latent="encode"),
    ):
        with pytest.raises(InputError, match=r"^tiny: has no encoder, so it cannot see drawings; choose a model"):
            call()
    assert content(blind.finish(ROOF, seed=1)[0]) == content(load(TINY, provider="cpu").finish(ROOF, seed=1)[0])
