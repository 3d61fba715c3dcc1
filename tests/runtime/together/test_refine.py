"""A drawing that is worked on: every step can be had by hand, and taken back."""

from pathlib import Path

import pytest

from sketch_edge.runtime.artist import Artist, load
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.together.refine import Refinement

TINY = Path(__file__).parents[2] / "data" / "tiny.sketch.zip"


@pytest.fixture(scope="module")
def artist() -> Artist:
    return load(TINY, provider="cpu")


@pytest.fixture
def work(artist) -> Refinement:
    work = Refinement(artist, "Star", 12)
    work.draw()
    return work


def content(sketch: Sketch | None) -> list[bytes]:
    assert sketch is not None
    return [line.tobytes() for line in sketch.lines]


def test_drawing_goes_through_the_sketches_of_the_seed(artist, work):
    """The first is sketch 0, the next is 1."""
    assert content(work.now.sketch) == content(artist.draw("star", seed=12))
    work.draw()
    assert content(work.now.sketch) == content(artist.draw("star", seed=12, index=1))


def test_strokes_that_are_kept_stay(work):
    """Bit for bit; what follows is new."""
    before = content(work.now.sketch)
    work.keep(2)
    assert content(work.now.sketch)[:2] == before[:2]
    assert content(work.now.sketch) != before
    assert work.now.kept == 2
    assert work.now.sketch.how.startswith("strokes kept: 2, finished")


def test_a_change_of_temperature_keeps_what_was_kept(work):
    """One of class or seed does not."""
    work.keep(2)
    before = content(work.now.sketch)
    work.choose(temperature=1.5)
    assert content(work.now.sketch)[:2] == before[:2]
    assert work.now.sketch.temperature == 1.5
    work.choose(name="cat")
    assert (work.now.sketch.label, work.now.kept) == ("cat", 0)


def test_another_seed_begins_with_its_first_sketch(artist, work):
    """As if it had been asked for at first."""
    work.draw()
    work.choose(seed=99)
    assert content(work.now.sketch) == content(artist.draw("star", seed=99))


def test_every_step_can_be_taken_back(work):
    """Drawing and settings, back to the beginning, and then no further."""
    seen = [work.now]
    for change in (
        work.draw,
        lambda: work.keep(1),
        lambda: work.choose(temperature=0.9),
        lambda: work.choose(name="cat"),
    ):
        change()
        seen.append(work.now)
    while len(seen) > 1:
        assert work.now is seen.pop()
        work.undo()
    assert work.now is seen[0]
    work.undo()
    assert work.now.sketch is None
    with pytest.raises(InputError, match="there is no step to take back"):
        work.undo()


def test_work_is_repeatable(artist):
    """The same steps by the same seed give the same drawing."""
    drawn = []
    for _ in range(2):
        work = Refinement(artist, "star", 12, knobs={"top_k": 2})
        work.draw()
        work.keep(1)
        work.choose(temperature=0.8)
        drawn.append(content(work.now.sketch))
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda work: work.keep(99), "keep 99: the drawing has"),
        (lambda work: work.keep(-1), "keep -1: the drawing has"),
        (lambda work: work.choose(name="owl"), "class 'owl': is not among"),
        (lambda work: work.choose(seed=-1), "seed -1: choose"),
        (lambda work: work.choose(temperature=11), "temperature 11: choose"),
        (lambda work: work.choose(temperature=float("nan")), "temperature nan: choose"),
    ],
)
def test_what_cannot_be_changes_nothing(work, change, message):
    """The drawing stays as it was, and there is no step to take back for it."""
    before = work.now
    with pytest.raises(InputError, match=message):
        change(work)
    assert work.now is before
    work.undo()
    assert work.now.sketch is None
