"""Hostile titles: SVG that every strict parser reads, programs without a byte that a controller acts on."""

import os

from sketch_edge.runtime.plot.machine import load_machine
from tests.fuzz.tally import Hand, Tally
from tests.fuzz.titles import PIECES, gcode_fault, svg_fault, try_texts

COUNT = int(os.environ.get("SKETCH_FUZZ_EXAMPLES", "150"))


def test_random_texts():
    """As many as the environment variable SKETCH_FUZZ_EXAMPLES says; a pen's name may be refused, nothing else."""
    tally = Tally()
    try_texts(tally, Hand(), COUNT)
    assert tally.faults == {}
    assert tally.refused < tally.executions == COUNT


def test_each_piece_alone():
    """Ends of comments and sections, controls, lone surrogates, bytes of real-time commands."""
    machine = load_machine("grbl-servo")
    for piece in PIECES:
        assert svg_fault(piece) is None, piece
        assert gcode_fault(piece, machine) is None, piece
