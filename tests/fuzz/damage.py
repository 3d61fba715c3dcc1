"""Damage a bundle and a checkpoint of ours in every way that disks and copies do, and count what is used all the same.

    python -m tests.fuzz.damage

64 cuts, 200 flipped bits, 20 zeroed and 20 swapped pages of 4096 bytes each; a page that is zero already, or equal to
its partner, is left out. "Used" is a file that was read without an error though its bytes are others; ends with 1 if
there is one, or if an error is no SketchError.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator

from sketch_edge.runtime.bundle import read_bundle
from sketch_edge.runtime.errors import SketchError
from sketch_edge.train.checkpoint import load_checkpoint
from tests.fuzz.parsers import checkpoint_file, in_file, shipped

PAGE = 4096
COUNTS = {"cut": 64, "flipped bit": 200, "zeroed page": 20, "swapped pages": 20}


def damaged(content: bytes, kind: str, count: int, seed: int = 1) -> Iterator[bytes]:
    """Yield `count` damaged copies that differ from `content`."""
    rng, pages = random.Random(seed), max(2, len(content) // PAGE)
    for number in range(count):
        while True:
            copy = bytearray(content)
            if kind == "cut":
                del copy[len(content) * number // count :]
            elif kind == "flipped bit":
                copy[rng.randrange(len(copy))] ^= 1 << rng.randrange(8)
            else:
                one, other = rng.sample(range(pages), 2)
                a, b = slice(one * PAGE, (one + 1) * PAGE), slice(other * PAGE, (other + 1) * PAGE)
                if kind == "zeroed page":
                    copy[a] = bytes(len(copy[a]))
                else:
                    copy[a], copy[b] = content[b], content[a]
            if copy != content:
                break
        yield bytes(copy)


def try_all(
    content: bytes, read: Callable[[bytes], object], counts: dict[str, int]
) -> Iterator[tuple[str, int, int, int]]:
    """Read damaged copies; yields kind, how many, how many were used, how many ended in another error than ours."""
    read(content)
    for kind, count in counts.items():
        used = wrong = 0
        for each in damaged(content, kind, count):
            try:
                read(each)
                used += 1
            except SketchError:
                pass
            except Exception:
                wrong += 1
        yield kind, count, used, wrong


def main() -> int:
    """Print the table."""
    bad = 0
    print("| file | bytes | damage | tried | silently used | other errors |\n|---|---|---|---|---|---|")
    files = {
        "shipped bundle": (shipped(), in_file(read_bundle, ".sketch.zip")),
        "checkpoint": (checkpoint_file(96), in_file(load_checkpoint, ".pt")),
    }
    began = time.monotonic()
    for name, (content, read) in files.items():
        for kind, count, used, wrong in try_all(content, read, COUNTS):
            print(f"| {name} | {len(content)} | {kind} | {count} | {used} | {wrong} |", flush=True)
            bad += used + wrong
    print(f"{time.monotonic() - began:.0f} s")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
