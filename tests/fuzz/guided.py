"""A small coverage-guided fuzzer: what reaches a new line is kept and changed further.

    python -m tests.fuzz.guided [--seconds 60] [--parsers bundle,scene] [--state DIR]

Lines of a parser's own modules are counted with sys.settrace while it runs. Seconds are processor time of each parser,
those of earlier runs with the same --state included, so a long campaign may be stopped and gone on with. Prints, for
each parser, executions, inputs kept, lines reached, the slowest execution, and what went wrong: any error that is no
SketchError, any that has more than one line, any execution of over ten seconds, and any that takes a gigabyte or brings
the process down. Ends with 1 if anything did.
"""

from __future__ import annotations

import argparse
import inspect
import random
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from sketch_edge.runtime.errors import SketchError
from tests.fuzz.mutation import mutate
from tests.fuzz.parsers import Parser, chosen_parsers, source_of
from tests.fuzz.tally import Hand, Tally, load_tally, most_memory, only_one, processor_seconds, run_piece, tally_path

LONGEST = 10.0
"""Processor seconds that any refusal may take."""

PIECE = 30.0
"""Processor seconds after which a tally is written."""

HEAD = "| parser | executions | CPU s | kept | lines of good inputs | lines | slowest, s | most MiB | faults |"


def fault_of(parser: Parser, content: bytes, tally: Tally | None = None) -> str | None:
    """Parse an input; what is wrong with how that ended, or None. The tally is told of it."""
    tally = Tally() if tally is None else tally
    began, before = processor_seconds(), most_memory()
    fault = None
    try:
        parser.run(content)
    except SketchError as error:
        tally.refused += 1
        if not str(error) or "\n" in str(error):
            fault = f"a message of {str(error).count(chr(10)) + 1} lines: {str(error)[:200]!r}"
    except Exception as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
        fault = f"{type(error).__name__}: {str(error)[:200]}{place}"
    seconds = processor_seconds() - began
    tally.executions += 1
    tally.slowest = max(tally.slowest, seconds)
    tally.feed(content, most_memory() - before)
    if fault is None and seconds > LONGEST:
        fault = f"takes {seconds:.1f} s"
    if fault is not None:
        tally.blame(fault, content)
    return fault


class Lines:
    """The lines of the functions of some modules that ran while it was active."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._modules = tuple(modules)
        self._own: dict[str, bool] = {}
        self._left: dict[int, tuple[CodeType, set[int]]] = {}  # of each function, the lines that have not run yet
        self.seen: set[tuple[str, int]] = set()
        self.new = False

    @property
    def missed(self) -> set[tuple[str, int]]:
        """The lines that did not run of the functions that did."""
        left = {(code.co_filename, line) for code, lines in self._left.values() for line in lines}
        return left - self.seen

    def __enter__(self) -> Lines:
        self.new = False
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        own = self._own.get(code.co_filename)
        if own is None:
            own = self._own[code.co_filename] = code.co_filename.endswith(self._modules)
        if not own or not code.co_flags & inspect.CO_OPTIMIZED:
            return None  # kept is nothing of others, some of which compile functions anew at every call; and no import
        found = self._left.get(id(code))
        if found is None:  # the function itself is kept, lest another get its id
            found = code, {line for *_, line in code.co_lines() if line is not None}
            self._left[id(code)] = found
        if not found[1]:  # all of it was reached: nothing to watch, which is most of the time
            return None
        self._reach(found[1], code.co_filename, frame.f_lineno)
        return self._line

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        self._reach(self._left[id(code)][1], code.co_filename, frame.f_lineno)
        return self._line

    def _reach(self, left: set[int], file: str, line: int) -> None:
        if line in left:
            left.discard(line)
            self.seen.add((file, line))
            self.new = True


def fuzz(
    parser: Parser, seconds: float, tally: Tally, seed: str = "1", most: int = sys.maxsize, hand: Hand | None = None
) -> None:
    """Fuzz one parser for some processor seconds, or `most` executions, and add to its tally.

    The corpus of the tally is run first: lines are measured anew, whatever the sources were before.
    """
    rng, lines, hand = random.Random(seed), Lines(parser.modules), hand or Hand()
    began, count, again = processor_seconds(), 0, Tally()  # what is only run again is not counted
    kept = [*parser.seeds(), *tally.inputs()]
    for number, content in enumerate(kept):
        hand.take(content)
        with lines:
            fault_of(parser, content, again)
        if number == len(parser.seeds()) - 1:
            tally.good_lines = len(lines.seen)
    tally.faults = again.faults | tally.faults
    while processor_seconds() - began < seconds and count < most:
        content = mutate(rng, kept, parser.words)
        hand.take(content)
        with lines:
            fault_of(parser, content, tally)
        count += 1
        if lines.new:
            kept.append(content)
            tally.keep(content)
    tally.lines = len(lines.seen)
    source = source_of(parser)
    tally.sources[source] = tally.sources.get(source, 0) + count


def guided_piece(state: Path, parser: Parser, seconds: float, seed: int = 1) -> Tally:
    """Fuzz one parser for a piece more; gives its tally."""
    path = tally_path(state, "guided", parser.name)
    return run_piece(
        path,
        seconds,
        lambda tally, hand: fuzz(parser, seconds, tally, f"{seed} {parser.name} {tally.pieces}", hand=hand),
    )


def lines_of(parser: Parser, tally: Tally) -> tuple[int, Lines]:
    """How many lines good inputs reach, and the lines that they and the corpus of a tally do, run once more."""
    lines, good = Lines(parser.modules), 0
    for inputs in (parser.seeds(), tally.inputs()):
        good = len(lines.seen)
        with lines:
            for content in inputs:
                fault_of(parser, content)
    return good, lines


def row_of(parser: Parser, tally: Tally) -> str:
    """A line of the table under HEAD."""
    kept = len(tally.corpus) + len(parser.seeds())
    return (
        f"| {parser.name} | {tally.executions:,} | {tally.seconds:.0f} | {kept} | {tally.good_lines} | {tally.lines} "
        f"| {tally.slowest:.2f} | {tally.memory >> 20} | {len(tally.faults)} |"
    )


def faults_of(name: str, tally: Tally) -> list[str]:
    """What went wrong, with the beginning of an input in base64."""
    return [f"{name}: {fault}\n  input {content[:600]}" for fault, content in tally.faults.items()]


def fuzz_all(state: Path, parsers: Iterable[Parser], seconds: float, seed: int) -> list[str]:
    """Fuzz each parser up to some seconds in all; prints the table, and gives the faults."""
    print(f"{HEAD}\n{'|---' * (HEAD.count('|') - 1)}|")
    bad = []
    for parser in parsers:
        tally = load_tally(tally_path(state, "guided", parser.name))
        while (left := seconds - tally.seconds) > 0:
            tally = guided_piece(state, parser, min(PIECE, left), seed)
        print(row_of(parser, tally), flush=True)
        bad += faults_of(parser.name, tally)
    return bad


def main() -> int:
    """Fuzz all parsers, or those that are named."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=60.0, help="of processor time for each parser")
    options.add_argument("--parsers", default="", help="names, with commas between; all where not given")
    options.add_argument("--state", type=Path, help="a folder that keeps corpus and counts")
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="sketch-fuzz-") as folder:
        state = given.state or Path(folder)
        with only_one(state):
            bad = fuzz_all(state, chosen_parsers(given.parsers), given.seconds, given.seed)
    print("\n".join(bad))
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
