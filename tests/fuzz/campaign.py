"""All fuzzing of the project in rounds, so that every parser gets an equal share however early it is stopped.

    python -m tests.fuzz.campaign --state DIR [--seconds 600] [--examples 100000] [--titles 100000] [--parsers a,b]
    python -m tests.fuzz.campaign --state DIR --table | --missed

In a round each parser gets half a minute of guided fuzzing (`guided.py`) and its part of the Hypothesis examples
(`examples.py`), and the titles theirs (`titles.py`), until each has what was asked for; what earlier runs with the same
--state did counts. Ends with 1 if a fault was found. --table tries nothing and prints the tables of
docs/RELIABILITY.md, as far as the campaign has come; --missed prints the lines that no input has reached yet, of the
functions that were entered.
"""

from __future__ import annotations

import argparse
import linecache
import sys
import time
from pathlib import Path

from tests.fuzz import examples, guided, titles
from tests.fuzz.parsers import Parser, chosen_parsers, source_of
from tests.fuzz.tally import Tally, load_tally, only_one, tally_path


def run_round(state: Path, parsers: list[Parser], seconds: float, count: int, texts: int) -> bool:
    """Give everything that is not done yet a piece more; False once all is."""
    pieces = max(1, round(seconds / guided.PIECE))  # rounds after which all end together
    more = False
    for parser in parsers:
        left = seconds - load_tally(tally_path(state, "guided", parser.name)).seconds
        if left > 0:
            guided.guided_piece(state, parser, min(guided.PIECE, left))
            more = True
        missing = count - load_tally(tally_path(state, "examples", parser.name)).executions
        if missing > 0:
            examples.examples_piece(state, parser, min(missing, max(1000, -(-count // pieces))))
            more = True
    missing = texts - load_tally(tally_path(state, "titles", "all")).executions
    if missing > 0:
        titles.titles_piece(state, min(missing, max(500, -(-texts // pieces))))
        more = True
    return more


def table(state: Path, parsers: list[Parser]) -> list[str]:
    """The tables of docs/RELIABILITY.md, and below them what went wrong; gives the faults."""
    bad, tallies, old = list[str](), list[tuple[Tally, Tally]](), set[str]()
    heads = "| parser | guided executions | CPU s | kept | lines of good inputs | lines | of "
    heads += "| examples | CPU s | slowest, s | most MiB | faults |"
    print(f"{heads}\n{'|---' * (heads.count('|') - 1)}|")
    for parser in parsers:
        one = load_tally(tally_path(state, "guided", parser.name))
        two = load_tally(tally_path(state, "examples", parser.name))
        good, lines = guided.lines_of(parser, one)
        kept = len(parser.seeds()) + len(one.corpus)
        faults = guided.faults_of(parser.name, one) + guided.faults_of(parser.name, two)
        print(
            f"| {parser.name} | {one.executions:,} | {one.seconds:.0f} | {kept} | {good} "
            f"| {len(lines.seen)} | {len(lines.seen) + len(lines.missed)} | {two.executions:,} | {two.seconds:.0f} "
            f"| {max(one.slowest, two.slowest):.2f} "
            f"| {max(one.memory, two.memory) >> 20} | {len(faults)} |"
        )
        bad += faults
        tallies.append((one, two))
        if {*one.sources, *two.sources} - {source_of(parser)}:
            old.add(parser.name)
    print()
    for which, what in enumerate(("guided executions", "Hypothesis examples")):
        count, seconds = (sum(getattr(each[which], name) for each in tallies) for name in ("executions", "seconds"))
        print(f"{count:,} {what} in {seconds / 60:.0f} minutes of processor time.")
    text = load_tally(tally_path(state, "titles", "all"))
    print(f"{text.executions:,} texts through SVG and G-code: {text.refused} refused, {len(text.faults)} wrong.")
    if old:
        print(f"In part or whole with sources other than these here: {', '.join(sorted(old))}.")
    return bad + guided.faults_of("titles", text)


def missed(state: Path, parsers: list[Parser]) -> None:
    """Print the lines that guided fuzzing has not reached."""
    for parser in parsers:
        _, lines = guided.lines_of(parser, load_tally(tally_path(state, "guided", parser.name)))
        print(f"{parser.name}: {len(lines.missed)} of {len(lines.seen) + len(lines.missed)}")
        for file, line in sorted(lines.missed):
            print(f"  {Path(file).name}:{line}  {linecache.getline(file, line).strip()}")


def main() -> int:
    """Run the campaign, or print how far it has come."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--state", type=Path, required=True, help="a folder that keeps corpus and counts")
    options.add_argument("--seconds", type=float, default=600.0, help="of guided fuzzing, processor time per parser")
    options.add_argument("--examples", type=int, default=100_000, help="for each parser")
    options.add_argument("--titles", type=int, default=100_000, help="texts in all")
    options.add_argument("--parsers", default="", help="names, with commas between; all where not given")
    options.add_argument("--table", action="store_true", help="print how far it has come, and end")
    options.add_argument("--missed", action="store_true", help="print the lines that were not reached, and end")
    given = options.parse_args()
    parsers = chosen_parsers(given.parsers)
    if given.missed:
        missed(given.state, parsers)
        return 0
    if not given.table:
        with only_one(given.state):
            number = 1
            while run_round(given.state, parsers, given.seconds, given.examples, given.titles):
                print(f"round {number} done at {time.strftime('%F %T')}", flush=True)
                number += 1
    bad = table(given.state, parsers)
    print("\n".join(bad))
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
