"""Tours: exchanges of links, the search and the kicks."""

import numpy as np
import pytest

from sketch_edge.runtime.plot.kicks import kick
from sketch_edge.runtime.plot.links import greedy, neighbours, walk
from sketch_edge.runtime.plot.tour import Tour


def made(lines, seed):
    rng = np.random.default_rng(seed)
    ends = rng.random((2 * lines, 2)) * 100
    return Tour(ends), ends, rng


def rings(link):
    """How many rings links and lines make together."""
    left, count = set(range(len(link))), 0
    while left:
        node, count = min(left), count + 1
        while node in left:
            left -= {node, node ^ 1}
            node = int(link[node ^ 1])
    return count


def check(tour):
    """One ring through every line; places, order, links and lengths agree."""
    assert rings(tour.link) == 1
    assert (tour.link[tour.link] == np.arange(tour.size)).all()
    assert (tour.tour[tour.place] == np.arange(tour.size)).all()
    assert (tour.tour[::2] ^ 1 == tour.tour[1::2]).all()
    assert (tour.link[tour.tour[1::2]] == np.roll(tour.tour[::2], -1)).all()
    assert tour.long == pytest.approx(tour.distance(np.arange(tour.size), tour.link))


@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_relink_refuses_exactly_what_is_no_single_ring(count):
    """Random exchanges of k links: made where one ring remains, refused without a trace where not."""
    tour, _, rng = made(12, count)
    results = []
    for _ in range(300):
        starts = rng.choice(12, count, replace=False)
        nodes = [int(n) for place in starts for n in (tour.tour[2 * place], tour.link[tour.tour[2 * place]])]
        pairs = rng.permutation(nodes).tolist()
        link, order = tour.link.copy(), tour.tour.copy()
        link[pairs] = np.array(pairs).reshape(-1, 2)[:, ::-1].ravel()
        one = rings(link) == 1
        done = tour.relink(pairs)
        results.append(done)
        assert done == one
        if not done:
            assert (tour.tour == order).all()
        tour.measure(pairs)
        check(tour)
    assert any(results)
    assert not all(results)


@pytest.mark.parametrize("free", [[], [-1], [-1, -2]])
def test_greedy_links_make_one_ring(free):
    """With and without nodes that are free, for every small number of lines."""
    for lines in (1, 2, 3, 7, 50):
        ends = np.random.default_rng(lines).random((2 * lines, 2))
        ends[free] = np.nan
        link = greedy(ends, *neighbours(ends, 8))
        assert rings(link) == 1
        assert sorted(walk(link).tolist()) == list(range(2 * lines))


def test_search_and_kicks_only_ever_make_the_tour_shorter():
    """The tour stays whole, and each step is no longer than the one before."""
    tour, _, _ = made(300, 5)
    lengths = [tour.length]
    tour.improve(6_000)
    check(tour)
    lengths.append(tour.length)
    for seed in range(4):
        kick(tour, 6000, seed)
        check(tour)
        lengths.append(tour.length)
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[1] < 0.95 * lengths[0]
    assert lengths[-1] < lengths[1]


def test_work_bounds_the_search():
    """Without work nothing is done; what is spent is about what was given."""
    tour, _, _ = made(100, 6)
    before = tour.length
    tour.improve(0)
    assert tour.length == before
    tour.improve(1000)
    assert -2000 < tour.work <= 1000
