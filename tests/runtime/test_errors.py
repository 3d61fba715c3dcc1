"""The messages of errors."""

import pickle

import pytest

from sketch_edge.runtime.errors import BundleError, InputError, SketchError, UnfinishedError


@pytest.mark.parametrize("kind", [SketchError, InputError, BundleError, UnfinishedError])
def test_a_message_is_one_line_whatever_it_quotes(kind):
    """Names and texts from files and callers come back without control characters; what prints stays."""
    error = kind("Stern ★\n\x1b[2J\u2028\ud800: is wrong")
    assert str(error) == "Stern ★\\n\\x1b[2J\\u2028\\ud800: is wrong"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
