"""What a campaign has tried so far, kept in a folder, so that it can be stopped at any moment and gone on with.

Work is done in pieces of half a minute or so. Each runs in a process of its own with a gigabyte more memory than it
began with, and as its last act replaces the tally of its kind and parser, one JSON file, as a whole. So whatever is
killed when, a piece is counted fully or not at all, and the figures of many sittings add up. A piece that brings its
process down is a fault as well, with the input that it had in hand.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import gc
import json
import mmap
import os
import resource
import signal
import struct
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sketch_edge.runtime.files import sweep_temporaries, write_atomic

MEMORY = 1 << 30
"""Bytes that a piece may take beyond what its process begins with."""

SPARE_SECONDS = 120
"""Processor seconds that a piece may take beyond its share, before it counts as hung."""

MOST_FAULTS = 20
"""Different faults of one parser that are kept."""

_SHOWN = 1 << 16


def processor_seconds() -> float:
    """Processor time of this process and of its children that have ended, user and system, in seconds."""
    both = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)


def most_memory() -> int:
    """The most memory that this process has ever taken, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


@dataclass
class Tally:
    """The figures of one kind of trial for one parser."""

    pieces: int = 0
    """Pieces done; the number of the next, and so its seed."""

    executions: int = 0
    refused: int = 0
    """Executions that ended with an error of the project."""

    seconds: float = 0.0
    """Processor time of the pieces that were done."""

    slowest: float = 0.0
    """Processor seconds of the slowest execution."""

    memory: int = 0
    """The most that a piece took beyond what its process began with, in bytes."""

    raised: int = 0
    hungriest: str = ""
    """The input that raised the most memory ever taken by the most, its beginning in base64, and by how many bytes."""

    good_lines: int = 0
    lines: int = 0
    """Lines of the parser's modules that good inputs reach, and that all inputs did."""

    corpus: list[str] = field(default_factory=list)
    """Inputs that reached new lines, in base64."""

    faults: dict[str, str] = field(default_factory=dict)
    """What went wrong, with the beginning of an input that does it, in base64."""

    sources: dict[str, int] = field(default_factory=dict)
    """Executions by the hash of the parser's modules: which state of the source was tried."""

    def inputs(self) -> list[bytes]:
        """The corpus."""
        return [base64.b64decode(text) for text in self.corpus]

    def keep(self, content: bytes) -> None:
        """Put an input into the corpus."""
        self.corpus.append(base64.b64encode(content).decode())

    def feed(self, content: bytes, raised: int) -> None:
        """Note by how many bytes an input raised the most memory ever taken."""
        if raised > self.raised:
            self.raised, self.hungriest = raised, base64.b64encode(content[:_SHOWN]).decode()

    def blame(self, fault: str, content: bytes) -> None:
        """Note a fault, once each, and not without end."""
        if len(self.faults) < MOST_FAULTS:
            self.faults.setdefault(fault, base64.b64encode(content[:_SHOWN]).decode())

    def save(self, path: Path) -> None:
        """Replace the file as a whole."""
        write_atomic(path, (json.dumps(asdict(self), indent=0) + "\n").encode())


def load_tally(path: Path) -> Tally:
    """Read a tally; a new one where there is no file yet."""
    return Tally(**json.loads(path.read_bytes())) if path.exists() else Tally()


def tally_path(state: Path, kind: str, name: str) -> Path:
    """Where the tally of a kind of trial (guided, examples, titles) for a parser is kept."""
    return state / f"{kind}-{name}.json"


class Hand:
    """The input that is being tried, in memory that outlives the process which tries it."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _SHOWN + 8)

    def take(self, content: bytes) -> None:
        """Note what is tried next."""
        shown = content[:_SHOWN]
        self._memory[: 8 + len(shown)] = struct.pack("<q", len(shown)) + shown

    @property
    def content(self) -> bytes:
        """What was noted last."""
        (length,) = struct.unpack("<q", self._memory[:8])
        return bytes(self._memory[8 : 8 + length])


@contextlib.contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Keep a second campaign out of a state folder; the lock ends with the processes that hold it."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"{state}: another campaign is under way there; wait for it, or name another --state")
        yield


def run_piece(path: Path, seconds: float, work: Callable[[Tally, Hand], None]) -> Tally:
    """Do one piece in a process of its own, and give the tally as it then is.

    `work` tries inputs for about `seconds` of processor time, adds to the tally that it is given, and notes each input
    before it tries it.
    """
    sweep_temporaries(path.parent, path.name)
    hand = Hand()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        ending = 1
        try:
            _work(path, seconds, work, hand)
            ending = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(ending)
    _, status, used = os.wait4(child, 0)
    code, tally = os.waitstatus_to_exitcode(status), load_tally(path)
    if code > 0:
        sys.exit(f"{path.name}: piece {tally.pieces} could not be done, which is no fault of the parser; see above")
    if code < 0:
        tally.blame(f"the process ended with {signal.Signals(-code).name} in piece {tally.pieces}", hand.content)
        tally.pieces += 1
        tally.seconds += used.ru_utime + used.ru_stime
        tally.save(path)
    return tally


def _work(path: Path, seconds: float, work: Callable[[Tally, Hand], None], hand: Hand) -> None:
    """What the process of a piece does."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    limit = int(seconds + SPARE_SECONDS)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    tally, began = load_tally(path), processor_seconds()
    before = most_memory()
    work(tally, hand)
    tally.memory = max(tally.memory, most_memory() - before)
    tally.seconds += processor_seconds() - began
    tally.pieces += 1
    tally.save(path)
