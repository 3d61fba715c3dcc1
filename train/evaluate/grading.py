"""Blind grading: a page that mixes real and generated drawings, and the key that it does not hold.

Two files: ``grading.html``, which opens anywhere and asks of one drawing after another "real, possibly real or fake?",
and ``grading-key.json``, which tells what each was. Keep the key from the grader. The page saves answers as JSON;
`tabulate` (``sketch-eval --grades FILE``) joins them with the key.

Real and generated drawings are written in the same form: fitted to the same box, whole coordinates, one stroke width.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.manifest import refuse_constant, short, without_repeats
from sketch_edge.train.evaluate.grading_page import PAGE
from sketch_edge.train.evaluate.pictures import drawing_path

if TYPE_CHECKING:  # answers are tabulated without torch
    from sketch_edge.train.evaluate.figures import Report

FORMAT = 1
REAL = "real drawings"
GRADES = ("real", "possibly real", "fake")
KEY_NAME = "grading-key.json"
PAGE_NAME = "grading.html"

MAX_BYTES = 16 << 20


def make_grading(report: Report, count: int) -> tuple[str, str]:
    """Make the page and its key: about `count` drawings, half of them real, the rest shared by the models.

    Drawings are chosen class by class in turn, so that all classes are about equally often there, and real and
    generated ones of a class are equally many as far as they go.
    """
    rng = np.random.default_rng([report.options.seed, 50])
    names = [real.name for real in report.real]
    order = [names[i] for i in rng.permutation(len(names))]
    half, models = max(1, count // 2), len(report.models)
    items: list[tuple[str, str, str]] = []
    for number in range(half):
        name, again = order[number % len(order)], number // len(order)
        shown = report.shown[name]
        items.append((REAL, name, drawing_path(shown.real[again % len(shown.real)])))
        model = (number + again) % models
        drawn = shown.drawn[model]
        items.append((report.models[model].name, name, drawing_path(drawn[again % len(drawn)])))
    items = [items[i] for i in rng.permutation(len(items))]
    asked = [{"label": name, "path": path} for _, name, path in items]
    page = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    key = {
        "format": FORMAT,
        "page": page,
        "items": [{"source": source, "class": name} for source, name, _ in items],
    }
    # "<" cannot end the script element that the data stands in
    data = json.dumps({"format": FORMAT, "page": page, "items": asked}).replace("<", "\\u003c")
    return PAGE.replace("%DATA%", data), json.dumps(key, indent=1) + "\n"


@dataclass(frozen=True)
class Graded:
    """How drawings of one source were graded."""

    source: str
    counts: tuple[int, int, int]
    """Graded real, possibly real, fake."""

    low: float
    high: float
    """95 % interval of the share that was not graded fake."""

    @property
    def total(self) -> int:
        """Answers."""
        return sum(self.counts)

    @property
    def passed(self) -> float:
        """Share graded real or possibly real."""
        return (self.counts[0] + self.counts[1]) / self.total if self.total else 0.0


def tabulate(answers: list[Path], key: Path) -> list[Graded]:
    """Join the answers of one or more graders with the key: real drawings first, then each model.

    Raises:
        InputError: a file cannot be read, is of another kind, or belongs to another page.
    """
    truth = _read(key, "items", list)
    sources = [_source(key, item) for item in truth["items"]]
    places = {str(number) for number in range(len(sources))}
    counts: dict[str, list[int]] = {source: [0, 0, 0] for source in [REAL, *sorted(set(sources) - {REAL})]}
    for path in answers:
        found = _read(path, "answers", dict)
        if found.get("page") != truth.get("page"):
            raise InputError(f"{path}: answers another page than {key} is the key of; name the report with --out")
        for number, grade in found["answers"].items():
            # as the page writes it: "7" and "07" would count one drawing twice
            if number not in places:
                raise InputError(f"{path}:answers: {short(number)} is no drawing of the page (0 to {len(sources) - 1})")
            if grade not in GRADES:
                raise InputError(f"{path}:answers.{number}: is {short(grade)} (expected one of {', '.join(GRADES)})")
            counts[sources[int(number)]][GRADES.index(grade)] += 1
    return [_graded(source, each) for source, each in counts.items()]


def _graded(source: str, counts: list[int]) -> Graded:
    """Add the Wilson interval, which stays honest for few answers and shares of 0 and 1."""
    total, z = sum(counts), 1.959964
    if total == 0:
        return Graded(source, (0, 0, 0), 0.0, 1.0)
    share = (counts[0] + counts[1]) / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    spread = z / (1 + z * z / total) * (share * (1 - share) / total + z * z / (4 * total * total)) ** 0.5
    return Graded(source, (counts[0], counts[1], counts[2]), max(0.0, middle - spread), min(1.0, middle + spread))


def _source(path: Path, item: Any) -> str:
    source = item.get("source") if isinstance(item, dict) else None
    if not isinstance(source, str):
        raise InputError(f"{path}:items: has an entry without a source; make the report again")
    return source


def _read(path: Path, member: str, kind: type) -> dict[str, Any]:
    """Read a JSON file of ours."""
    try:
        if path.exists() and not path.is_file():
            raise InputError(
                f"{path}: is no plain file (expected JSON with {member}); name the file that the page saved"
            )
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: is larger than {MAX_BYTES} bytes; it is no file of a grading")
        text = path.read_text("utf-8")
        content = json.loads(text, object_pairs_hook=without_repeats, parse_constant=refuse_constant)
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read ({reason}); name the JSON that the page saved") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get(member), kind):
        raise InputError(f"{path}: is no JSON of format {FORMAT} with {member}; name the file that the page saved")
    return content
