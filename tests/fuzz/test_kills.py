"""A training that is killed, and a save that goes wrong, never leave a state that cannot be gone on from."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("tqdm")
pytest.importorskip("tensorboard")
pytest.importorskip("matplotlib")

from tests.fuzz.kills import fault_matrix, kill_loop


def test_every_fault_of_a_save_leaves_a_checkpoint(tmp_path):
    """At each open, link, write, fsync and rename: an error, or the process killed before, in the middle or after."""
    rows = list(fault_matrix(tmp_path))
    assert {row[0] for row in rows} == {"open", "link", "write", "fsync", "rename"}
    assert len(rows) > 20
    assert [row for row in rows if row[2]] == []


def test_a_training_killed_again_and_again_ends_as_if_nobody_had(tmp_path):
    """`python -m tests.fuzz.kills` does this 200 times."""
    loaded, steps, alike = kill_loop(tmp_path, 5)
    assert loaded == 5
    assert steps > 8
    assert alike
