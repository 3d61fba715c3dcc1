"""Long campaigns: pieces that are counted fully or not at all, also where they are killed or bring themselves down."""

import gc
import os
import re
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path
from types import CodeType

import pytest

from sketch_edge.runtime.errors import DataError
from tests.fuzz.examples import examples_piece
from tests.fuzz.guided import Lines, guided_piece, lines_of
from tests.fuzz.parsers import Parser, chosen_parsers
from tests.fuzz.tally import Tally, load_tally, only_one, run_piece, tally_path

ROOT = Path(__file__).parents[2]


def parser_of(run):
    return Parser("toy", run, lambda: [b"good"], ("test_campaign.py",))


def test_the_figures_of_pieces_add_up(tmp_path):
    """Executions, processor time, pieces; the corpus of one is where the next begins."""

    def toy(content: bytes) -> None:
        if content[:2] == b"go":
            raise DataError("no")

    parser = parser_of(toy)
    first = guided_piece(tmp_path, parser, 0.1)
    second = guided_piece(tmp_path, parser, 0.1)
    assert (first.pieces, second.pieces) == (1, 2)
    assert second.executions > first.executions > 0
    assert second.seconds >= first.seconds + 0.1 >= 0.2
    assert second.corpus[: len(first.corpus)] == first.corpus
    assert sum(second.sources.values()) == second.executions
    assert load_tally(tally_path(tmp_path, "guided", "toy")) == second


def test_pieces_try_different_examples(tmp_path):
    """Each has a seed of its own, and the same one every time."""
    seen = tmp_path / "seen"

    def toy(content: bytes) -> None:
        with seen.open("ab") as file:
            file.write(content.hex().encode() + b"\n")

    def piece(state: str) -> set[bytes]:
        seen.unlink(missing_ok=True)
        (tmp_path / state).mkdir(exist_ok=True)
        tally = examples_piece(tmp_path / state, parser_of(toy), 150)
        assert tally.executions >= 150 * tally.pieces
        return {line for line in seen.read_bytes().split() if len(line) > 16}

    one, two, again = piece("a"), piece("a"), piece("b")
    assert one == again
    assert len(one & two) < 0.2 * len(one)


@pytest.mark.parametrize(
    ("ending", "fault"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "the process ended with SIGKILL in piece 0"),
        (lambda: os.kill(os.getpid(), signal.SIGXCPU), "the process ended with SIGXCPU in piece 0"),
        (lambda: bytearray(3 << 30), "MemoryError: "),
    ],
    ids=["crash", "hang", "memory"],
)
def test_what_brings_a_piece_down_is_a_fault(tmp_path, ending, fault):
    """With the input that did it; the next piece is another."""

    def toy(content: bytes) -> None:
        if content != b"good":
            ending()

    tally = guided_piece(tmp_path, parser_of(toy), 0.05)
    assert [each.startswith(fault) for each in tally.faults] == [True]
    assert tally.faults != {fault: ""}
    assert tally.pieces == 1


def test_a_piece_that_cannot_be_done_ends_the_campaign(tmp_path, capfd):
    """A mistake of the kit is not counted as one of a parser, and not tried for ever."""

    def work(tally, hand):
        raise RuntimeError("mistake")

    with pytest.raises(SystemExit, match="could not be done"):
        run_piece(tmp_path / "a.json", 1.0, work)
    assert "RuntimeError: mistake" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_second_campaign_in_the_folder_is_refused(tmp_path):
    """Two would overwrite each other's figures."""
    with only_one(tmp_path), pytest.raises(SystemExit, match="another campaign"), only_one(tmp_path):
        pass


def test_a_killed_campaign_goes_on(tmp_path):
    """kill -9 in the middle of pieces: what is there can be read, and the end has as much as was asked for."""
    state = tmp_path / "state"
    command = [sys.executable, "-m", "tests.fuzz.campaign", "--state", str(state), "--parsers", "length,pen"]
    command += ["--seconds", "1.5", "--examples", "1000", "--titles", "20"]
    paths = [tally_path(state, kind, name) for kind in ("guided", "examples") for name in ("length", "pen")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    ends = time.monotonic() + 60
    while not paths[0].exists() and time.monotonic() < ends:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    begun = load_tally(paths[0])
    assert begun.executions > 0
    assert all(isinstance(load_tally(path), Tally) for path in paths)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(load_tally(path).seconds >= 1.5 for path in paths[:2])
    assert load_tally(paths[0]).executions >= begun.executions
    assert all(load_tally(path).executions >= 1000 for path in paths[2:])
    assert re.search(r"^20 texts through SVG and G-code: \d+ refused, 0 wrong\.$", done.stdout, re.MULTILINE)
    assert [path.name for path in state.iterdir() if path.suffix not in (".json", "")] == []


def test_lines_that_no_input_reaches_are_told(tmp_path):
    """Of the functions that were entered: what is left to be tried."""

    def toy(content: bytes) -> None:
        if content == b"what no mutation ever makes":
            os.abort()

    parser = parser_of(toy)
    tally = guided_piece(tmp_path, parser, 0.05)
    good, lines = lines_of(parser, tally)
    begin = toy.__code__.co_firstlineno
    assert good == len(lines.seen) == tally.lines
    assert {line - begin for _, line in lines.seen} == {0, 1}
    assert {line - begin for _, line in lines.missed} == {2}


def test_functions_of_others_are_not_kept():
    """Some are compiled anew at every call: a piece of half a minute would take half a gigabyte for them."""
    made = list[weakref.ref[CodeType]]()
    lines = Lines(("test_campaign.py",))
    for _ in range(3):
        code = compile("def made():\n    pass\nmade()", "<string>", "exec")
        with lines:
            exec(code, {})
        made += [weakref.ref(code), *(weakref.ref(each) for each in code.co_consts if isinstance(each, CodeType))]
        del code
    gc.collect()
    assert len(made) == 6
    assert [each() for each in made] == [None] * 6
    assert lines.missed == set()


def test_an_unknown_parser_is_refused():
    """With those that there are."""
    with pytest.raises(SystemExit, match="no parser is called 'bundel'; choose of bundle, "):
        chosen_parsers("bundel")
