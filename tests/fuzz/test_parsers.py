"""Whatever stands in a file or an option, a parser gives a value or the project's own error, of one line, soon.

The environment variable SKETCH_FUZZ_EXAMPLES says how many inputs each test tries (`make soak`: 100,000).
"""

import os
import random
import resource

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.errors import DataError
from tests.fuzz.guided import fault_of, fuzz
from tests.fuzz.mutation import mutate
from tests.fuzz.parsers import DRAWINGS, Parser, parsers

EXAMPLES = int(os.environ.get("SKETCH_FUZZ_EXAMPLES", "0"))
MOST_MEMORY = 1 << 30
BEFORE = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
PARSERS = parsers()
QUIET = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
SLOW = ("draw-graph", "gcode", "checkpoint", "machine", "sketchrnn", "dataset", "svg", "ndjson", "sketches")


def examples(parser: Parser) -> int:
    return EXAMPLES or (12 if parser.name in SLOW else 40)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda each: each.name)
def test_good_inputs_are_read(parser):
    """What the others begin with is not refused: else they would try nothing."""
    for content in parser.seeds():
        if parser.name != "onnx_reader":
            parser.run(content)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda each: each.name)
def test_any_bytes(parser):
    """Bytes without any sense."""

    @settings(QUIET, max_examples=max(1, examples(parser) // 4))
    @given(st.binary(max_size=400))
    @example(b"")
    def check(content):
        assert fault_of(parser, content) is None

    check()


@pytest.mark.parametrize("parser", PARSERS, ids=lambda each: each.name)
def test_good_inputs_made_bad(parser):
    """Good files with pieces flipped, cut, doubled, swapped; values and sizes changed to those that break things."""
    seeds = parser.seeds()

    @settings(QUIET, max_examples=examples(parser))
    @given(st.integers(0, 2**63))
    def check(number):
        content = mutate(random.Random(number), seeds, parser.words)
        assert fault_of(parser, content) is None, content[:2000]

    check()


def test_what_was_tried_took_little_memory():
    """All of the above together, and what they import, stay under a gigabyte; this runs after them."""
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - BEFORE) << 10 < MOST_MEMORY


@pytest.mark.parametrize("parser", PARSERS, ids=lambda each: each.name)
def test_lines_are_counted(parser):
    """The coverage-guided fuzzer sees the modules that it names; without that it would try blindly."""
    row, faults = fuzz(parser, 30.0, 1, most=2)
    assert int(row.split("|")[5]) >= 3
    assert faults == []


def test_the_fuzzer_finds_what_is_wrong():
    """A parser that fails on some inputs, and one whose message has two lines."""

    def wrong(content: bytes) -> None:
        if len(content) % 2:
            raise KeyError("lost")
        raise DataError("one\ntwo")

    faults = fuzz(Parser("wrong", wrong, lambda: list(DRAWINGS), ("test_parsers.py",)), 5.0, 1, most=50)[1]
    assert {fault.split("\n")[0][:20] for fault in faults} >= {"wrong: KeyError: 'lo", "wrong: a message of "}
