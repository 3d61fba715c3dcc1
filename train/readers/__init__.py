"""Readers of the public drawing formats, behind one stream of `Drawing`.

======================  ===================================================================================
kind                    what it is
======================  ===================================================================================
simplified              Quick, Draw! ndjson, one drawing a line, in a 0..255 box; also packed with gzip
raw                     the same unscaled and with times: scaled to the box and simplified when read
json                    what `sketch-draw --out x.json` writes: the simplified form, one record or a list
sketchrnn               sketch-rnn .npz with pickled arrays and splits of its own, read without unpickling
svg                     one drawing a file, flattened, scaled to the box and simplified when read
======================  ===================================================================================

A file's content says what it is, not its name; only a sketch-rnn file takes its class from the name ("cat.npz",
"kanji.rdp200.npz": up to the first dot), and an SVG file from the name of its folder.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from sketch_edge.runtime.drawings import NAME_LIMIT, check_name, find_word, parse_record, read_records
from sketch_edge.runtime.errors import DataError
from sketch_edge.train.readers.drawing import Drawing, encode_svg
from sketch_edge.train.readers.sketchrnn import LARGEST_FILE, read_sketchrnn
from sketch_edge.train.readers.source import HashedFile, Inflated, find_kind
from sketch_edge.train.readers.text import read_drawing

__all__ = ["Drawing", "DrawingReader", "check_name", "find_kind"]


@dataclass
class DrawingReader:
    """One file of drawings; iterate over it once, then read what it found.

    Iterating raises DataError at the first bad record, or, with `on_bad`, passes that error on and continues; a file
    that is bad as a whole always raises.
    """

    path: Path
    """The file."""

    classes: Collection[str] | None = None
    """Class names to read, None for all. Records of other classes are passed over unparsed."""

    on_bad: Callable[[DataError], None] | None = None
    """Takes the error of each bad record."""

    svg_class: str | None = None
    """Class of an SVG file; the name of its folder where not given."""

    notes: list[str] = field(default_factory=list)
    """What was passed over within a file that was read otherwise, such as "2 texts passed over"."""

    words: set[str] = field(default_factory=set)
    """Class names met so far, wanted or not."""

    kinds: set[str] = field(default_factory=set)
    """Kinds met so far: simplified, raw, json, sketchrnn, svg."""

    count: int = 0
    """Bytes of the file read so far."""

    sha256: str = ""
    """Hash of the whole file in hex, once it was read to its end; empty for a file of unwanted classes."""

    def __iter__(self) -> Iterator[Drawing]:
        """Read the drawings."""
        kind = find_kind(self.path)
        if kind == "dataset":
            raise DataError(f"{self.path}: is a data set already (expected drawings); give it to sketch-train")
        try:
            with HashedFile(self.path) as source:
                if kind == "sketchrnn":
                    records = self._sketchrnn(source)
                elif kind == "svg":
                    records = self._svg(source)
                else:
                    records = self._text(source, kind == "gzip")
                for drawing in records:
                    self.count = source.count
                    yield drawing
                self.count = source.size
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error.strerror or error}); check it") from error

    def _wanted(self, word: str) -> bool:
        if len(word) <= NAME_LIMIT:  # what is longer is no class, and may be megabytes
            self.words.add(word)
        return self.classes is None or word in self.classes

    def _sketchrnn(self, source: HashedFile) -> Iterator[Drawing]:
        self.kinds.add("sketchrnn")
        word = self.path.name.split(".")[0]
        problem = check_name(word)
        if problem is not None:
            raise DataError(f"{self.path}: the file name {problem}; rename the file to its class")
        if not self._wanted(word):
            return
        if source.size > LARGEST_FILE:
            raise DataError(f"{self.path}: has {source.size} bytes (at most {LARGEST_FILE}); it is no drawing file")
        content = source.read() or b""
        for result in read_sketchrnn(self.path, content, word):
            if isinstance(result, Drawing):
                yield result
            else:
                self._refuse(result)
        self.sha256 = source.finish()

    def _svg(self, source: HashedFile) -> Iterator[Drawing]:
        from sketch_edge.train.readers.svg import LARGEST_SVG, read_svg, unpack

        word = self.svg_class or self.path.parent.name or self.path.parent.resolve().name
        problem = check_name(word)
        if problem is not None:
            raise DataError(f"{self.path}: its folder {problem}; rename the folder to the class, or give --svg-class")
        if not self._wanted(word):
            return
        self.kinds.add("svg")
        content = source.read(LARGEST_SVG + 1) or b""
        found = read_svg(unpack(content, self.path), str(self.path))
        self.notes += found.notes
        yield encode_svg(word, found.lines)
        self.sha256 = source.finish()

    def _text(self, source: HashedFile, packed: bool) -> Iterator[Drawing]:
        raw_io = cast("Any", Inflated(source, self.path) if packed else source)
        file = cast("BinaryIO", io.BufferedReader(raw_io, 1 << 18))
        records = read_records(self.path, file)
        first = next(records, None)
        if first is None or self._is_other_class(first[1]):
            return
        for place, record in itertools.chain([first], records):
            drawing = self._record(place, record)
            if drawing is not None:
                yield drawing
        self.sha256 = source.finish()

    def _is_other_class(self, record: bytes | dict[str, object]) -> bool:
        """Whether a file named after the class of its first record, as the official ones are, holds none wanted."""
        word = find_word(record) if isinstance(record, bytes) else None
        if word is None or word != self.path.name.split(".")[0]:
            return False
        return not self._wanted(word)

    def _record(self, place: str, record: bytes | dict[str, object]) -> Drawing | None:
        """Read one record; None where it is of an unwanted class, or bad and passed on."""
        try:
            if isinstance(record, bytes):
                word = find_word(record) if self.classes is not None else None
                if word is not None and not self._wanted(word):
                    return None
                fields, kind = parse_record(place, record), "simplified"
            else:
                fields, kind = record, "json"
            drawing, raw = read_drawing(place, fields)
        except DataError as error:
            self._refuse(error)
            return None
        if not self._wanted(drawing.word):
            return None
        self.kinds.add("raw" if raw else kind)
        return drawing

    def _refuse(self, error: DataError) -> None:
        if self.on_bad is None:
            raise error
        self.on_bad(error)
