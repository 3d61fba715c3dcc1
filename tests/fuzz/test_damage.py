"""Damage of every kind is noticed in a bundle and in a checkpoint."""

import pytest

from sketch_edge.runtime.bundle import read_bundle
from tests.fuzz.parsers import TINY, checkpoint_file, in_file

COUNTS = {"cut": 64, "flipped bit": 200, "zeroed page": 2, "swapped pages": 2}


@pytest.mark.parametrize("kind", ["bundle", "checkpoint"])
def test_no_damage_is_used(kind):
    """The shipped files' table comes from `python -m tests.fuzz.damage`; here small ones."""
    pytest.importorskip("torch")
    from sketch_edge.train.checkpoint import load_checkpoint
    from tests.fuzz.damage import try_all

    if kind == "bundle":
        rows = list(try_all(TINY.read_bytes(), in_file(read_bundle, ".sketch.zip"), COUNTS))
    else:
        rows = list(try_all(checkpoint_file(), in_file(load_checkpoint, ".pt"), COUNTS))
    assert [(row[0], row[2:]) for row in rows] == [(name, (0, 0)) for name in COUNTS]
