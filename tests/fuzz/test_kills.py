"""A training that is killed, and a save that goes wrong, never leave a state that cannot be gone on from."""

import re

import pytest

pytest.importorskip("torch")
pytest.importorskip("tqdm")
pytest.importorskip("tensorboard")
pytest.importorskip("matplotlib")

from tests.fuzz.kills import main


def test_nothing_that_stops_a_training_costs_its_checkpoint(capsys):
    """At each open, link, write, fsync and rename of a save: an error, or a kill before, amid or after.

    And a training killed five times ends as if nobody had; `python -m tests.fuzz.kills` does so two hundred times.
    """
    assert main(["--kills", "5"]) == 0
    said = capsys.readouterr().out
    (faults,) = re.findall(r"^(\d+) faults of one save .*: (\d+) left a loadable checkpoint$", said, re.MULTILINE)
    assert faults[0] == faults[1]
    assert int(faults[0]) > 20
    assert set(re.findall(r"\d+ at (\w+)", said)) == {"open", "link", "write", "fsync", "rename"}
    (steps,) = re.findall(r"^5 kills, 5 loadable; (\d+) steps, the end is that of a straight run$", said, re.MULTILINE)
    assert int(steps) > 8
