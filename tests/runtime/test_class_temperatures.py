"""Temperatures of classes: each is drawn with its own where nobody says one, in every way of asking."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sketch_edge.runtime.artist import Artist, Order
from sketch_edge.runtime.blocks import draw_blocks
from sketch_edge.runtime.bundle import Bundle, open_bundle, read_bundle, write_bundle
from sketch_edge.runtime.sampler import Job, draw_rows
from sketch_edge.runtime.scenes.composition import Composition
from sketch_edge.runtime.scenes.thing import Thing
from sketch_edge.runtime.session import Session
from sketch_edge.runtime.shelf import Shelf
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.together.redraw import LATENTS
from sketch_edge.runtime.together.refine import Refinement

DATA = Path(__file__).parents[1] / "data"
TINY, WHOLE = read_bundle(DATA / "tiny.sketch.zip"), read_bundle(DATA / "tiny-whole.sketch.zip")
OWN = {"cat": 0.05, "star": 1.3}
NAMES = ["cat", "palm tree", "star"]
TAUS = [0.05, 0.4, 1.3]


def choosy(bundle: Bundle) -> Bundle:
    """The bundle, with temperatures of its own for two of its three classes."""
    defaults = replace(bundle.manifest.defaults, temperatures=OWN)
    return replace(bundle, manifest=replace(bundle.manifest, defaults=defaults))


@pytest.fixture(scope="module", params=["whole", "steps", "numpy"])
def artist(request) -> Artist:
    provider = "numpy" if request.param == "numpy" else "cpu"
    return Artist(choosy(TINY if request.param == "steps" else WHOLE), provider=provider)


def content(sketch: Sketch) -> tuple[object, ...]:
    return (*(line.tobytes() for line in sketch.lines), sketch.label, sketch.index, sketch.temperature)


def test_a_class_is_drawn_at_its_own_temperature(artist):
    """Another class at that of the bundle; the sketch says which."""
    for name, tau in zip(NAMES, TAUS, strict=True):
        sketch = artist.draw(name, seed=3)
        assert sketch.temperature == tau == artist.temperature_of(name.upper())
        assert content(sketch) == content(artist.draw(name, seed=3, temperature=tau))


def test_what_is_asked_for_counts_more(artist):
    """A temperature of the caller stands above that of the class, 0 too."""
    for tau in (0.0, 0.4, 2.0):
        assert {sketch.temperature for sketch in artist.draw_many(NAMES, seed=3, temperature=tau)} == {tau}


def test_classes_drawn_side_by_side_are_those_drawn_alone(artist):
    """Byte for byte, over several batches in which temperatures are mixed."""
    names = NAMES * 50
    for number, sketch in enumerate(artist.draw_many(names, seed=5)):
        assert sketch.temperature == TAUS[number % 3]
        if number % 7 == 0:
            assert content(sketch) == content(artist.draw(names[number], seed=5, index=number))


def test_a_stream_has_the_temperature_of_its_class(artist):
    """Its points are those of the sketch."""
    for name in NAMES:
        points = {(point.x, point.y) for point in artist.stream(name, seed=4)}
        assert {tuple(point) for line in artist.draw(name, seed=4).lines for point in line.tolist()} <= points


def test_orders_and_scenes_have_the_temperatures_of_their_classes(artist):
    """An order's own first."""
    orders = [Order("cat", 1), Order("star", 1, 4), Order("star", 1, 4, temperature=0.05)]
    for order, sketch in zip(orders, artist.draw_orders(orders), strict=True):
        expected = artist.draw(order.name, seed=1, index=order.index, temperature=order.temperature)
        assert content(sketch) == content(expected)
    scene = artist.compose(Composition([Thing("star"), Thing("cat"), Thing("cat", temperature=0.7)], seed=2))
    assert sorted(each.temperature for each in scene.objects) == [0.05, 0.7, 1.3]


def test_settings_of_the_sampler_keep_the_temperature_of_the_class(artist):
    """They are drawn step by step, whatever the bundle has."""
    for sketch in artist.draw_many(NAMES, seed=3, end_bias=0.5):
        expected = artist.draw(
            sketch.label, seed=3, index=sketch.index, temperature=artist.temperature_of(sketch.label), end_bias=0.5
        )
        assert content(sketch) == content(expected)


def test_drawing_together_has_the_temperature_of_the_class(artist):
    """Drawn again, varied, finished from any latent vector."""
    cat, tau = artist.draw("cat", seed=1), artist.temperature_of("star")
    pairs = [
        (artist.reconstruct(cat, "star", seed=2), artist.reconstruct(cat, "star", seed=2, temperature=tau)),
        (artist.vary(cat, 2, name="star", seed=2)[1], artist.vary(cat, 2, name="star", seed=2, temperature=tau)[1]),
    ]
    for latent in LATENTS:
        ways = [artist.finish(cat, "star", latent=latent, seed=2, temperature=each)[0] for each in (None, tau)]
        pairs.append((ways[0], ways[1]))
    for drawn, expected in pairs:
        assert drawn.temperature == 1.3
        assert content(drawn) == content(expected)


def test_the_temperature_changes_on_the_way_between_classes(artist):
    """From that of the one to that of the other; the ends are the drawings drawn again."""
    ends = artist.draw("cat", seed=1), artist.draw("star", seed=1)
    way = artist.between(*ends, 5, seed=2)
    np.testing.assert_allclose([each.temperature for each in way], np.linspace(0.05, 1.3, 5))
    for end, drawn in zip(ends, (way[0], way[-1]), strict=True):
        assert content(drawn) == content(artist.reconstruct(end, seed=2))
    assert {each.temperature for each in artist.between(ends[1], ends[1], 5, seed=2)} == {1.3}


def test_work_on_a_drawing_takes_the_temperature_of_a_new_class(artist):
    """Until a temperature is said, which then stays."""
    work = Refinement(artist, "cat", 3)
    seen = []
    for choice in ({}, {"name": "star"}, {"temperature": 0.3}, {"name": "cat"}):
        work.choose(**choice)
        assert work.now.sketch is not None
        seen.append(work.now.sketch.temperature)
    assert seen == [0.05, 1.3, 0.3, 0.3]


def test_a_shelf_knows_the_temperatures_of_its_bundles(tmp_path):
    """Each bundle's own, by the names that the shelf gives."""
    write_bundle(tmp_path / "a.sketch.zip", choosy(TINY).manifest, TINY.members)
    write_bundle(tmp_path / "b.sketch.zip", WHOLE.manifest, WHOLE.members)
    shelf = Shelf(tmp_path, provider="cpu")
    assert [shelf.temperature_of(name) for name in shelf.classes] == [*TAUS, 0.4, 0.4, 0.4]
    assert [each.temperature for each in shelf.draw_many(["a/star", "b/star", "a/cat"], seed=1)] == [1.3, 0.4, 0.05]


@pytest.mark.parametrize("bundle", [WHOLE, open_bundle()], ids=["tiny", "shipped"])
def test_blocks_and_steps_agree_where_temperatures_are_mixed(bundle):
    """Temperatures of jobs, from greedy to hottest, and those of the call for jobs without."""
    taus = (None, 0.0, 0.1, 1.0, 10.0)
    manifest, session = bundle.manifest, Session(bundle, "cpu")
    jobs = [Job(number % 3, 9, number, temperature=taus[number % 5]) for number in range(100)]
    stepped = list(draw_rows(session, manifest, jobs, 0.2, 60))
    for one, other in zip(draw_blocks(session, manifest, jobs, 0.2, 60), stepped, strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)
    for job, rows in list(zip(jobs, stepped, strict=True))[:10]:
        alone = replace(job, temperature=None)
        tau = 0.2 if job.temperature is None else job.temperature
        np.testing.assert_array_equal(next(draw_rows(session, manifest, [alone], tau, 60)).rows, rows.rows)
