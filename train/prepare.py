"""From files of drawings to one data set: what is dropped, what goes where.

The result depends on the files, the options and the seed alone, not on the order in which files are named: every
choice is made by a keyed hash of the drawing itself, which is as good as a draw of lots.
"""

from __future__ import annotations

import difflib
import hashlib
import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import DataError, InputError
from sketch_edge.train.credit import LONGEST_GIVEN, OWN_DRAWINGS, QUICKDRAW, check_credit, join_credits
from sketch_edge.train.dataset import TEST, TRAIN, VALID, DataSet, Source, file_sha256
from sketch_edge.train.readers import Drawing, DrawingReader, check_name
from sketch_edge.train.readers.drawing import OWN
from sketch_edge.train.readers.search import find_files

DRAWINGS_BETWEEN_REPORTS = 256


@dataclass(frozen=True)
class PrepareOptions:
    """What `prepare` keeps and where it puts it."""

    classes: tuple[str, ...] = ()
    """Class names to keep; all when empty."""

    limit_per_class: int | None = None
    """At most so many drawings of a class, chosen by the seed; synthetic ones only fill what real ones leave."""

    limit_synthetic: int | None = None
    """At most so many synthetic drawings of a class, chosen by the seed."""

    max_points: int = 200
    """Drawings of more stroke-3 rows are dropped."""

    split: tuple[float, float, float] = (70.0, 15.0, 15.0)
    """Shares of train, valid and test, for drawings whose file gives no split."""

    seed: int = 0
    """Of the limits and the split."""

    skip_bad: bool = False
    """Count bad records and files instead of stopping at the first."""

    credit: str = ""
    """Whose the drawings are that do not say so themselves. Where empty, SVG files are "own drawings" and all else is
    Google's Quick, Draw!."""

    licence: str = ""
    """Under which licence those are; "not stated" where empty."""

    svg_class: str | None = None
    """Class of all SVG files; the names of their folders where not given."""

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        for name in ("limit_per_class", "limit_synthetic", "max_points"):
            value = getattr(self, name)
            if value is not None and value < (0 if name == "limit_synthetic" else 1):
                raise InputError(f"{name}: is {value} (expected 1 or more); choose another number")
        if len(self.split) != 3 or not all(math.isfinite(share) and share >= 0 for share in self.split):
            raise InputError(f"split: is {self.split} (expected three numbers of 0 or more); write 70:15:15")
        if sum(self.split) <= 0:
            raise InputError("split: all three shares are 0 (expected one above 0); write 70:15:15")
        for name in ("credit", "licence"):
            if (text := getattr(self, name)) and (problem := check_credit(text, LONGEST_GIVEN)):
                raise InputError(f"{name}: {problem}; write it shorter, on one line")
        if self.svg_class is not None and (problem := check_name(self.svg_class)):
            raise InputError(f"svg_class: {problem}; choose another name")

    def credit_of(self, drawing: Drawing) -> tuple[str, str]:
        """Credit and licence of a drawing."""
        if drawing.credit not in (OWN, None):
            return drawing.credit
        if drawing.credit is None and not (self.credit or self.licence):
            return QUICKDRAW
        return self.credit or OWN_DRAWINGS[0], self.licence or OWN_DRAWINGS[1]


@dataclass
class ClassCounts:
    """What became of the drawings of one class: `read` is the sum of all others but `synthetic`."""

    read: int = 0
    train: int = 0
    valid: int = 0
    test: int = 0
    synthetic: int = 0
    """How many of `train` a model made."""

    unrecognised: int = 0
    """Dropped: the game did not recognise them."""

    too_long: int = 0
    """Dropped: more than `max_points` rows."""

    empty: int = 0
    """Dropped: no ink."""

    duplicate: int = 0
    """Dropped: stroke by stroke the same as another of the class."""

    over_limit: int = 0
    """Left out by a limit."""


@dataclass(frozen=True)
class Prepared:
    """A data set and the account of how it came about."""

    data: DataSet
    counts: dict[str, ClassCounts]
    """Of each class, sorted by name."""

    bad: dict[str, tuple[int, str]] = field(default_factory=dict)
    """With `skip_bad`: file -> (how many records, 0 for the whole file; the first error)."""

    ignored: tuple[Path, ...] = ()
    """Files of a given folder that hold no drawings."""

    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """File -> what was passed over in it, such as "2 texts passed over"."""


@dataclass(slots=True, eq=False)
class _File:
    """A file that drawings come from; its hash is known once it was read."""

    name: str
    sha256: str = ""


_RANKS = {TEST: 0, VALID: 1, TRAIN: 2, None: 3}
"""Of equal drawings the one with the lowest rank stays: what an official file holds out is never trained on."""


@dataclass(slots=True)
class _Entry:
    """A drawing that is kept so far."""

    points: npt.NDArray[np.int16]
    synthetic: bool
    split: int | None
    files: tuple[_File, ...]
    """All files that have it in the same role."""

    credit: tuple[str, str]
    """And licence."""

    @property
    def role(self) -> tuple[bool, int]:
        return self.synthetic, _RANKS[self.split]


class _Class:
    """The drawings of one class as they come in, each content once, no more than the limits can keep."""

    def __init__(self, name: str, options: PrepareOptions) -> None:
        self.counts = ClassCounts()
        self._name = name
        self._options = options
        self._kept: dict[bytes, _Entry] = {}
        self._seen: dict[bytes, tuple[bool, int]] = {}

    def add(self, drawing: Drawing, synthetic: bool, file: _File) -> None:
        """Count a drawing and keep it for now, unless it is to be dropped."""
        counts = self.counts
        counts.read += 1
        rows = len(drawing.points)
        if not drawing.recognized:
            counts.unrecognised += 1
        elif rows == 0:
            counts.empty += 1
        elif rows > self._options.max_points:
            counts.too_long += 1
        else:
            credit = self._options.credit_of(drawing)
            self._keep(_Entry(drawing.points, synthetic, drawing.split, (file,), credit))

    def _keep(self, entry: _Entry) -> None:
        """Keep a drawing, or of two equal ones the one with the lower role: real before synthetic, then `_RANKS`."""
        content = hashlib.blake2b(entry.points.tobytes(), digest_size=16).digest()
        role = self._seen.get(content)
        if role is not None:
            self.counts.duplicate += 1
            if role == entry.role and content in self._kept and entry.files[0] not in self._kept[content].files:
                self._kept[content].files += entry.files
            if role <= entry.role:
                return
        self._seen[content] = entry.role
        self._kept[content] = entry
        limit = self._options.limit_per_class
        if limit is not None and len(self._kept) > 2 * limit + 1024:  # a class of 100,000 for a limit of 1000
            self._kept = dict(self._chosen())

    def lot(self, content: bytes, purpose: str) -> bytes:
        """Draw a lot for a drawing: the same for the same seed, class, purpose and content."""
        key = f"{self._options.seed}/{purpose}/{self._name}".encode()
        return hashlib.blake2b(content, key=hashlib.blake2b(key, digest_size=32).digest(), digest_size=16).digest()

    def _chosen(self) -> list[tuple[bytes, _Entry]]:
        """Return the drawings that the limits keep."""
        limit, most = self._options.limit_per_class, self._options.limit_synthetic
        real = [item for item in self._kept.items() if not item[1].synthetic]
        synthetic = [item for item in self._kept.items() if item[1].synthetic]
        real = self._draw(real, limit)
        room = None if limit is None else limit - len(real)
        room = most if room is None else room if most is None else min(room, most)
        return real + self._draw(synthetic, room)

    def _draw(self, items: list[tuple[bytes, _Entry]], count: int | None) -> list[tuple[bytes, _Entry]]:
        if count is None or len(items) <= count:
            return items
        return heapq.nsmallest(count, items, key=lambda item: self.lot(item[0], "limit"))

    def finish(self, shares: Sequence[float]) -> list[tuple[_Entry, int]]:
        """Apply the limits, split what has no split, and return (entry, split), sorted by content."""
        chosen = sorted(self._chosen(), key=lambda item: item[0])
        self.counts.over_limit = len(self._seen) - len(chosen)
        splits = {content: entry.split for content, entry in chosen}
        splits |= {content: TRAIN for content, entry in chosen if entry.synthetic}
        free = [content for content, split in splits.items() if split is None]
        free.sort(key=lambda content: self.lot(content, "split"))
        parts = np.repeat([TRAIN, VALID, TEST], share_out(len(free), shares))
        splits |= dict(zip(free, parts.tolist(), strict=True))
        placed = [(entry, split) for content, entry in chosen if (split := splits[content]) is not None]
        for entry, split in placed:
            self.counts.train += split == TRAIN
            self.counts.valid += split == VALID
            self.counts.test += split == TEST
            self.counts.synthetic += entry.synthetic
        return placed


def prepare(
    paths: Sequence[Path],
    options: PrepareOptions | None = None,
    synthetic: Sequence[Path] = (),
    progress: Callable[[int], None] | None = None,
) -> Prepared:
    """Read files and folders of drawings and make a data set of them.

    Args:
        paths: files of any kind that `readers` knows, and folders of them (in folders inside these, SVG alone).
        options: what to keep; the defaults of `PrepareOptions` if None.
        synthetic: more files and folders, whose drawings a model made: they only ever go to train. So do drawings
            whose record says ``"synthetic": true``. A file named here and in `paths` counts as synthetic.
        progress: called with the number of bytes read since its last call.

    Raises:
        DataError: a file is damaged, foreign or empty, nothing remains, or a class is in no file.
    """
    options = options or PrepareOptions()
    files, ignored = find_files(paths, synthetic)
    collector = _Collector(options, progress)
    for path, is_synthetic in files:
        collector.read(path, is_synthetic)
    collector.check_classes()
    return collector.finish(tuple(ignored))


def total_bytes(paths: Sequence[Path], synthetic: Sequence[Path] = ()) -> int:
    """Bytes that `prepare` reports to `progress` when all is read."""
    return sum(path.stat().st_size for path, _ in find_files(paths, synthetic)[0])


class _Collector:
    """Reads files one by one into classes."""

    def __init__(self, options: PrepareOptions, progress: Callable[[int], None] | None) -> None:
        self._options = options
        self._progress = progress or (lambda _: None)
        self._classes: dict[str, _Class] = {}
        self._words: set[str] = set()
        self._bad: dict[str, tuple[int, str]] = {}
        self._notes: dict[str, tuple[str, ...]] = {}

    def read(self, path: Path, synthetic: bool) -> None:
        """Read one file; with `skip_bad`, note its errors instead of raising them."""
        reader = DrawingReader(path, frozenset(self._options.classes) or None, svg_class=self._options.svg_class)
        if self._options.skip_bad:
            reader.on_bad = lambda error: self._note(path, 1, error)
        file = _File(path.name)
        reported = 0
        try:
            for number, drawing in enumerate(reader):
                if drawing.word not in self._classes:
                    self._classes[drawing.word] = _Class(drawing.word, self._options)
                self._classes[drawing.word].add(drawing, synthetic or drawing.synthetic, file)
                if number % DRAWINGS_BETWEEN_REPORTS == 0:
                    self._progress(reader.count - reported)
                    reported = reader.count
            file.sha256 = reader.sha256
        except DataError as error:
            if not self._options.skip_bad:
                raise
            self._note(path, 0, error)
            file.sha256 = file_sha256(path) if path.is_file() else ""
        self._words |= reader.words
        if reader.notes:
            self._notes[str(path)] = tuple(reader.notes)
        self._progress(path.stat().st_size - reported if path.is_file() else 0)

    def _note(self, path: Path, records: int, error: DataError) -> None:
        count, first = self._bad.get(str(path), (0, str(error)))
        self._bad[str(path)] = (count + records, first)

    def check_classes(self) -> None:
        """Refuse a wanted class that no file has."""
        for name in self._options.classes:
            if name not in self._words:
                near = difflib.get_close_matches(name, sorted(self._words), n=3, cutoff=0.5)
                hint = f"the nearest: {', '.join(near)}" if near else f"there are: {', '.join(sorted(self._words)[:5])}"
                raise DataError(f"classes: {name!r} is in no file ({hint}); correct the name or add its file")

    def finish(self, ignored: tuple[Path, ...]) -> Prepared:
        """Place the drawings and put the arrays together."""
        classes = sorted(self._classes.items())
        placed = {name: members for name, one in classes if (members := one.finish(self._options.split))}
        counts = {name: one.counts for name, one in classes}
        if not placed:
            raise DataError(_explain_nothing(counts))
        everything = [pair for members in placed.values() for pair in members]
        lengths = [len(entry.points) for entry, _ in everything]
        credit, licence = join_credits(sorted({entry.credit for entry, _ in everything}))
        data = DataSet(
            points=np.concatenate([entry.points for entry, _ in everything]),
            offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            class_ids=np.repeat(np.arange(len(placed), dtype=np.int32), [len(members) for members in placed.values()]),
            split_ids=np.asarray([split for _, split in everything], np.uint8),
            synthetic=np.asarray([entry.synthetic for entry, _ in everything], np.bool_),
            class_names=tuple(placed),
            sources=_list_sources(entry for entry, _ in everything),
            credit=credit,
            licence=licence,
        )
        return Prepared(data, counts, self._bad, ignored, self._notes)


def _list_sources(entries: Iterable[_Entry]) -> tuple[Source, ...]:
    """Count the drawings of each file; one that several files have counts for the first of them by name and hash."""
    used: Counter[tuple[str, str, bool]] = Counter()
    for entry in entries:
        name, sha256 = min((file.name, file.sha256) for file in entry.files)
        used[name, sha256, entry.synthetic] += 1
    return tuple(Source(name, sha256, used[name, sha256, made], made) for name, sha256, made in sorted(used))


def _explain_nothing(counts: dict[str, ClassCounts]) -> str:
    """Say why no drawing remains."""
    read = sum(one.read for one in counts.values())
    if read == 0:
        return "prepare: the files hold no drawings (expected one or more); give other files"
    reasons = {
        "unrecognised": sum(one.unrecognised for one in counts.values()),
        "too long": sum(one.too_long for one in counts.values()),
        "empty": sum(one.empty for one in counts.values()),
        "over a limit": sum(one.over_limit for one in counts.values()),
    }
    why = ", ".join(f"{count} {reason}" for reason, count in reasons.items() if count)
    return f"prepare: none of {read} drawings remains ({why}); raise --max-points or the limits, or give other files"


def share_out(count: int, shares: Sequence[float]) -> list[int]:
    """Cut `count` into parts in the ratio of `shares`, which are not all 0.

    Rounded by largest remainder; where there is enough for all, each part that has a share gets at least one.
    """
    exact = [count * share / sum(shares) for share in shares]
    parts = [math.floor(size) for size in exact]
    by_remainder = sorted(range(len(parts)), key=lambda part: parts[part] - exact[part])
    for part in by_remainder[: count - sum(parts)]:
        parts[part] += 1
    wanting = [part for part, share in enumerate(shares) if share > 0]
    for part in wanting:
        if parts[part] == 0 and count >= len(wanting):
            parts[parts.index(max(parts))] -= 1
            parts[part] += 1
    return parts
