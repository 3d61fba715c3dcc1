"""Whatever stands in a file or an option, a parser gives a value or the project's own error, of one line, soon.

Short here; `python -m tests.fuzz.campaign` tries the same for hours.
"""

import pytest

from sketch_edge.runtime.errors import DataError
from tests.fuzz.examples import try_examples
from tests.fuzz.guided import fuzz
from tests.fuzz.parsers import DRAWINGS, Parser, parsers
from tests.fuzz.tally import Hand, Tally, most_memory

EXAMPLES = 100
MOST_MEMORY = 1 << 30
PARSERS = parsers()


@pytest.fixture(scope="module", autouse=True)
def before() -> int:
    """The most memory that this process had taken when these tests began, in bytes."""
    return most_memory()


@pytest.mark.parametrize("parser", PARSERS, ids=lambda each: each.name)
def test_good_inputs_are_read(parser):
    """What the others begin with is not refused: else they would try nothing."""
    for content in parser.seeds():
        if parser.name != "onnx_reader":
            parser.run(content)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda each: each.name)
def test_bad_inputs_are_read_or_refused(parser):
    """Bytes without any sense; good files with pieces flipped, cut, doubled, swapped; values that break things."""
    tally = Tally()
    try_examples(parser, tally, Hand(), EXAMPLES)
    assert tally.faults == {}
    assert tally.executions >= EXAMPLES
    assert tally.refused > 0


def test_what_was_tried_took_little_memory(before):
    """All of the above together, and what they import, stay under a gigabyte; this runs after them."""
    assert most_memory() - before < MOST_MEMORY


@pytest.mark.parametrize("parser", PARSERS, ids=lambda each: each.name)
def test_lines_are_counted(parser):
    """The coverage-guided fuzzer sees the modules that it names; without that it would try blindly."""
    tally = Tally()
    fuzz(parser, 30.0, tally, most=2)
    assert tally.lines >= tally.good_lines >= 3
    assert tally.executions == 2
    assert tally.faults == {}


def test_the_fuzzer_finds_what_is_wrong():
    """A parser that fails on some inputs, and one whose message has two lines."""

    def wrong(content: bytes) -> None:
        if len(content) % 2:
            raise KeyError("lost")
        error = DataError("one")
        error.args = ("one\ntwo",)
        raise error

    tally = Tally()
    fuzz(Parser("wrong", wrong, lambda: list(DRAWINGS), ("test_parsers.py",)), 5.0, tally, most=50)
    assert {fault[:13] for fault in tally.faults} == {"KeyError: 'lo", "a message of "}
