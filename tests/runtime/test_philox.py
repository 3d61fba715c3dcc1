"""Philox in numpy: the words of numpy's own generator."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime import philox
from sketch_edge.runtime.philox import FEW, Philox, word_stream

KEYS = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 2**32 - 1, 2**32, 2**63, 2**64 - 1]))


def numpys(seed: int, index: int):
    return np.random.Philox(key=np.array([seed, index], np.uint64)).random_raw


@settings(max_examples=100, deadline=None)
@given(KEYS, KEYS, st.lists(st.integers(1, 50), min_size=1, max_size=6))
def test_words_are_those_of_numpy(seed, index, counts):
    """For any key, and however they are taken."""
    ours, theirs = Philox(seed, index), numpys(seed, index)
    for count in counts:
        words = ours.words(count)
        assert words.dtype == np.uint64
        np.testing.assert_array_equal(words, theirs(count))


def test_published_vectors():
    """Known answers of the authors' own tests: counter, key, and block."""
    key = np.array([[0], [0]], np.uint64)
    block = philox.philox_blocks(key, 0, 1)
    assert [f"{word:016x}" for word in block.tolist()] == [
        "16554d9eca36314c",
        "db20fe9d672d0fdc",
        "d7e772cee186176b",
        "7e68b68aec7ba23b",
    ]


def test_many_streams_come_from_numpy(monkeypatch):
    """From the FEW-th on, with the same words."""
    monkeypatch.setattr(philox, "_made", FEW - 1)
    for number in range(3):
        stream = word_stream(9, number)
        assert (getattr(stream, "__self__", None).__class__ is Philox) is (number == 0)
        np.testing.assert_array_equal(stream(100), numpys(9, number)(100))


@pytest.mark.parametrize(("sketches", "imported"), [(2, False), (FEW + 1, True)])
def test_a_few_sketches_need_no_numpy_random(sketches, imported):
    """That import takes longer than drawing them."""
    code = (
        "import sys; from sketch_edge import load\n"
        f"load(provider='numpy').draw_many(['star'] * {sketches}, seed=1, max_points=2)\n"
        "print('numpy.random' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == f"{imported}\n"
