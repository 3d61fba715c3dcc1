"""A small coverage-guided fuzzer: what reaches a new line is kept and changed further.

    python -m tests.fuzz.guided [--seconds 60] [--parsers bundle,scene]

Lines of a parser's own modules are counted with sys.settrace while it runs. Prints, for each parser, executions, inputs
kept, lines reached, the slowest execution, and what went wrong: any error that is no SketchError, any that has more
than one line, and any execution of over ten seconds. Ends with 1 if anything did.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any

from sketch_edge.runtime.errors import SketchError
from tests.fuzz.mutation import mutate
from tests.fuzz.parsers import Parser, parsers

LONGEST = 10.0
"""Seconds that any refusal may take."""

MOST_FOUND = 5
"""Different faults of one parser that are shown."""


def fault_of(parser: Parser, content: bytes) -> str | None:
    """Parse an input; what is wrong with how that ended, or None."""
    began = time.monotonic()
    try:
        parser.run(content)
    except SketchError as error:
        if not str(error) or "\n" in str(error):
            return f"a message of {str(error).count(chr(10)) + 1} lines: {str(error)[:200]!r}"
    except Exception as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
        return f"{type(error).__name__}: {str(error)[:200]}{place}"
    seconds = time.monotonic() - began
    return f"takes {seconds:.1f} s" if seconds > LONGEST else None


class Lines:
    """The lines of some modules that ran while it was active."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._modules = tuple(modules)
        self.seen: set[tuple[str, int]] = set()
        self.new = False

    def __enter__(self) -> Lines:
        self.new = False
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._line if frame.f_code.co_filename.endswith(self._modules) else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        key = frame.f_code.co_filename, frame.f_lineno
        if key not in self.seen:
            self.seen.add(key)
            self.new = True
        return self._line


def fuzz(parser: Parser, seconds: float, seed: int, most: int = sys.maxsize) -> tuple[str, list[str]]:
    """Fuzz one parser; gives a line of a table, and the faults found."""
    rng, lines = random.Random(seed), Lines(parser.modules)
    kept, faults, count, slowest = list(parser.seeds()), dict[str, bytes](), 0, 0.0
    ends = time.monotonic() + seconds
    for content in kept:
        with lines:
            fault_of(parser, content)
    began = len(lines.seen)
    while time.monotonic() < ends and count < most:
        content = mutate(rng, kept, parser.words)
        before = time.perf_counter()
        with lines:
            fault = fault_of(parser, content)
        slowest = max(slowest, time.perf_counter() - before)
        count += 1
        if fault is not None and len(faults) < MOST_FOUND:
            faults.setdefault(fault, content)
        if lines.new:
            kept.append(content)
    text = f"| {parser.name} | {count} | {len(kept)} | {began} | {len(lines.seen)} | {slowest:.2f} | {len(faults)} |"
    return text, [f"{parser.name}: {fault}\n  input {content[:400]!r}" for fault, content in faults.items()]


def main() -> int:
    """Fuzz all parsers, or those that are named."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=60.0, help="for each parser")
    options.add_argument("--parsers", default="")
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    chosen = [each for each in parsers() if not given.parsers or each.name in given.parsers.split(",")]
    print("| parser | executions | kept | lines of good inputs | lines | slowest, s | faults |")
    print("|---|---|---|---|---|---|---|")
    bad = []
    for parser in chosen:
        row, faults = fuzz(parser, given.seconds, given.seed)
        print(row, flush=True)
        bad += faults
    print("\n".join(bad))
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
