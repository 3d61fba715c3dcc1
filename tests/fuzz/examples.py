"""Hypothesis, in pieces that are counted: python -m tests.fuzz.examples [--examples 1000] [--parsers a,b] [--state DIR]

Four fifths of the examples are good inputs made bad (`mutation.py`), one fifth bytes without any sense. The seed of a
piece is its number, and that goes into the mutations too, so no two pieces try the same.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.guided import fault_of, faults_of
from tests.fuzz.mutation import mutate
from tests.fuzz.parsers import Parser, chosen_parsers, source_of
from tests.fuzz.tally import Hand, Tally, load_tally, only_one, run_piece, tally_path

PIECE = 2500
"""Examples after which a tally is written."""

LONGEST_PIECE = 600.0
"""Processor seconds that a piece may take."""

QUIET = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
HEAD = "| parser | examples | refused | CPU s | slowest, s | most MiB | faults |"


def try_examples(parser: Parser, tally: Tally, hand: Hand, count: int) -> None:
    """Try `count` examples and add to the tally."""
    number, before, seeds = tally.pieces, tally.executions, parser.seeds()
    senseless = count // 5

    @seed(number)
    @settings(QUIET, max_examples=max(1, senseless))
    @given(st.binary(max_size=400))
    def any_bytes(content: bytes) -> None:
        hand.take(content)
        fault_of(parser, content, tally)

    @seed(number)
    @settings(QUIET, max_examples=max(1, count - senseless))
    @given(st.integers(0, 2**63))
    def made_bad(which: int) -> None:
        content = mutate(random.Random(f"{parser.name} {number} {which}"), seeds, parser.words)
        hand.take(content)
        fault_of(parser, content, tally)

    any_bytes()
    made_bad()
    source = source_of(parser)
    tally.sources[source] = tally.sources.get(source, 0) + tally.executions - before


def examples_piece(state: Path, parser: Parser, count: int) -> Tally:
    """Try `count` more examples with one parser; gives its tally."""
    path = tally_path(state, "examples", parser.name)
    return run_piece(path, LONGEST_PIECE, lambda tally, hand: try_examples(parser, tally, hand, count))


def row_of(name: str, tally: Tally) -> str:
    """A line of the table under HEAD."""
    return (
        f"| {name} | {tally.executions:,} | {tally.refused:,} | {tally.seconds:.0f} | {tally.slowest:.2f} "
        f"| {tally.memory >> 20} | {len(tally.faults)} |"
    )


def try_all(state: Path, parsers: Iterable[Parser], examples: int) -> list[str]:
    """Try up to `examples` in all with each parser; prints the table, and gives the faults."""
    print(f"{HEAD}\n{'|---' * (HEAD.count('|') - 1)}|")
    bad = []
    for parser in parsers:
        tally = load_tally(tally_path(state, "examples", parser.name))
        while tally.executions < examples:
            tally = examples_piece(state, parser, min(PIECE, examples - tally.executions))
        print(row_of(parser.name, tally), flush=True)
        bad += faults_of(parser.name, tally)
    return bad


def main() -> int:
    """Try all parsers, or those that are named."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--examples", type=int, default=1000, help="for each parser")
    options.add_argument("--parsers", default="", help="names, with commas between; all where not given")
    options.add_argument("--state", type=Path, help="a folder that keeps the counts")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="sketch-fuzz-") as folder:
        state = chosen.state or Path(folder)
        with only_one(state):
            bad = try_all(state, chosen_parsers(chosen.parsers), chosen.examples)
    print("\n".join(bad))
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
