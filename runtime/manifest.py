"""manifest.json, what a bundle says about itself: the dataclasses and their strict reader.

docs/FORMAT.md lists every key with its meaning and range.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NoReturn, TypeVar

from sketch_edge.runtime.errors import BundleError
from sketch_edge.runtime.version import VERSION

FORMAT = 1
MANIFEST = "manifest.json"
REQUIRED_MEMBERS = ("start.onnx", "step.onnx")
ENCODER = "encode.onnx"
"""Required where the model has a latent vector, not allowed where it has none."""
OPTIONAL_MEMBERS = ("draw.onnx",)
"""Allowed with the head "mixture" alone, whose rule of sampling it holds."""
MEMBER_ORDER = (MANIFEST, *REQUIRED_MEMBERS, ENCODER, *OPTIONAL_MEMBERS)
MIXTURE, OFFSET = "mixture", "offset"
HEADS = (MIXTURE, OFFSET)
"""What y holds behind the pen logits: a mixture to draw the next offset from, or the offset itself."""
VARIANTS = ("fp32", "w8", "int8")

PEN_STATES = 3
"""Down, up, end: the first numbers of y."""

OFFSET_OUTPUTS = PEN_STATES + 2
"""Width of y with the head "offset": dx and dy behind the pen logits."""

GATES = 4
"""Of an LSTM cell: the constant has a number for each of them and each unit, where the manifest says no other width."""

MIN_SCALE = 1e-6
"""Far below what whole offsets can have; given drawings are divided by it, and must stay numbers of 32 bits."""
MAX_CLASSES = 4096
MAX_NAME_LENGTH = 100
MAX_TEMPERATURE = 10.0
TEMPERATURE = 0.2
"""What a new bundle draws with where nobody says another: tidy drawings that still differ."""
MAX_POINTS = 10_000
MAX_STATE = 8192
MAX_CONSTANT = 65_536
"""With 64 sketches at once, states take at most 8 MiB and constants 16."""

EXPORT_AGAIN = "export it again with sketch-export"

T = TypeVar("T")


@dataclass(frozen=True)
class Sizes:
    """Sizes of the model."""

    latent: int
    """Z, size of the latent vector z; 0 (a decoder alone, without encoder) to 1024."""

    hidden: int
    """H, units of the decoder's layer, or of each of its layers; 1 to 2048."""

    mixtures: int
    """M, bivariate normals of the mixture; 1 to 128, or 0 with the head "offset"."""

    max_points: int
    """Most rows of a sketch; 1 to 10,000."""

    state: int | None = None
    """Width of h and of c where it is not H: several layers stand side by side; 1 to 8192. See `state_width`."""

    constant: int | None = None
    """Width of what start tells every step ("gate") where it is not 4 H; 1 to 65,536. See `constant_width`."""

    def __post_init__(self) -> None:
        if self.state == self.hidden:
            object.__setattr__(self, "state", None)
        if self.constant == GATES * self.hidden:
            object.__setattr__(self, "constant", None)

    @property
    def state_width(self) -> int:
        """S, width of h and of c."""
        return self.hidden if self.state is None else self.state

    @property
    def constant_width(self) -> int:
        """K, width of what start tells every step."""
        return GATES * self.hidden if self.constant is None else self.constant

    @property
    def outputs(self) -> int:
        """Width of y: 6 M + 3, or with the head "offset" 5."""
        return 6 * self.mixtures + PEN_STATES if self.mixtures else OFFSET_OUTPUTS

    def to_dict(self) -> dict[str, int]:
        """What stands in the manifest: widths that are those of a single LSTM layer are left out."""
        return {key: size for key, size in asdict(self).items() if size is not None}


@dataclass(frozen=True)
class Defaults:
    """What drawing uses where the caller says nothing."""

    temperature: float
    """0 to 10; of every class that has none of its own."""

    temperatures: Mapping[str, float] = field(default_factory=dict)
    """0 to 10, by class name: of those that are drawn better with another."""

    def temperature_of(self, name: str) -> float:
        """What the class `name`, as the manifest spells it, is drawn with."""
        return self.temperatures.get(name, self.temperature)

    def to_dict(self) -> dict[str, Any]:
        """What stands in the manifest: `temperatures` only where there are some."""
        content = asdict(self)
        if not self.temperatures:
            del content["temperatures"]
        return content


@dataclass(frozen=True)
class Parity:
    """How far the exported step graph was seen to depart from the trained model."""

    steps: int
    """Steps carried one after the other."""

    batches: tuple[int, ...]
    """Batch sizes tried."""

    max_abs_error: float
    """Largest difference of any output or state in a step: absolute up to magnitude 1, relative beyond."""

    reference: str
    """What it was compared with, such as "torch 2.13.0"."""


@dataclass(frozen=True)
class Credit:
    """Where the training data came from."""

    credit: str
    licence: str
    synthetic: str | None
    """What made the drawings that no person made; None where there are none."""

    drawings: int
    """Drawings that were trained on."""


@dataclass(frozen=True)
class Origin:
    """The checkpoint that the bundle was exported from."""

    sha256: str
    step: int
    """Training steps done."""


@dataclass(frozen=True)
class Imported:
    """The model of somebody else that the bundle was made of, and what is to be known before it is passed on."""

    file: str
    """Name of its file; `Origin.sha256` is that of the file."""

    model: str
    """What the file calls the model, and its version; such as "cat, version 6"."""

    source: str
    """Who published it."""

    note: str
    """Where it was converted, and what is known of the licence of its weights."""


@dataclass(frozen=True)
class Member:
    """What the manifest says of another member."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """What manifest.json says; docs/FORMAT.md lists every key."""

    name: str
    classes: tuple[str, ...]
    """Class names; the index is the class id."""

    scale: float
    """Quick, Draw! units in one unit of the model."""

    sizes: Sizes
    variant: str
    defaults: Defaults
    parity: Parity
    data: Credit
    checkpoint: Origin
    head: str = MIXTURE
    """One of `HEADS`."""

    grid: int = 16
    """Sampled offsets are rounded to 1 / grid of a Quick, Draw! unit before they are drawn and fed back."""

    imported: Imported | None = None
    """None for what was trained here."""

    hidden: tuple[str, ...] = ()
    """Classes that it draws poorly, never all: they can be drawn, and lists leave them out."""

    producer: str = f"sketch-edge {VERSION}"
    members: Mapping[str, Member] = field(default_factory=dict)
    """Every member but the manifest itself; filled in by `write_bundle`."""

    @property
    def listed(self) -> tuple[str, ...]:
        """The classes that are not hidden, in their order."""
        hidden = frozenset(self.hidden)
        return tuple(name for name in self.classes if name not in hidden)

    def to_json(self) -> str:
        """Write manifest.json: sorted keys, one space of indent, a new line at the end."""
        content = {"format": FORMAT, **asdict(self)}
        content |= {"sizes": self.sizes.to_dict(), "defaults": self.defaults.to_dict()}
        if self.imported is None:
            del content["imported"]
        if not self.hidden:
            del content["hidden"]
        return json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = MANIFEST) -> Manifest:
        """Read manifest.json strictly; `where` names it in an error.

        Raises:
            BundleError: no JSON, another format, or a key that is missing, unknown, twice there, of the wrong type or
                out of range.
        """
        try:
            content = json.loads(text, object_pairs_hook=without_repeats, parse_constant=refuse_constant)
        except (ValueError, RecursionError) as error:
            raise BundleError(f"{where}: is no proper JSON ({error}); {EXPORT_AGAIN}") from error
        if not isinstance(content, dict):
            raise BundleError(f"{where}: is {short(content)} (expected an object with keys); {EXPORT_AGAIN}")
        _check_format(content, where)
        return _read_manifest(_Keys(where, content))


class _Keys:
    """The keys of one JSON object, each taken once with its type and range checked; `done` refuses the rest."""

    def __init__(self, where: str, content: dict[str, Any], prefix: str = "") -> None:
        self._where = where
        self._content = dict(content)
        self._prefix = prefix

    def take(self, key: str) -> Any:
        if key not in self._content:
            self.refuse(key, f"is missing; {EXPORT_AGAIN}")
        return self._content.pop(key)

    def refuse(self, key: str, problem: str) -> NoReturn:
        raise BundleError(f"{self._where}:{self._prefix}{key}: {problem}")

    def refuse_whole(self, problem: str) -> NoReturn:
        """Refuse the object itself."""
        raise BundleError(f"{self._where}:{self._prefix.removesuffix('.')}: {problem}")

    def inner(self, key: str) -> _Keys:
        value = self.take(key)
        if not isinstance(value, dict):
            self.refuse(key, f"is {short(value)} (expected an object); {EXPORT_AGAIN}")
        return _Keys(self._where, value, f"{self._prefix}{key}.")

    @property
    def names(self) -> list[str]:
        return list(self._content)

    def items(self, key: str, shortest: int, longest: int) -> list[Any]:
        value = self.take(key)
        if not isinstance(value, list) or not shortest <= len(value) <= longest:
            got = f"a list of {len(value)}" if isinstance(value, list) else short(value)
            self.refuse(key, f"is {got} (expected a list of {shortest} to {longest}); {EXPORT_AGAIN}")
        return value

    def integer(self, key: str, low: int, high: int) -> int:
        return self.checked_integer(key, self.take(key), low, high)

    def checked_integer(self, key: str, value: object, low: int, high: int) -> int:
        if type(value) is not int or not low <= value <= high:
            self.refuse(key, f"is {short(value)} (expected a whole number, {low} to {high}); {EXPORT_AGAIN}")
        return value

    def number(self, key: str, low: float, high: float) -> float:
        value = self.take(key)
        if type(value) not in (int, float) or not low <= value <= high:  # false for nan and inf too
            self.refuse(key, f"is {short(value)} (expected a number, {low:g} to {high:g}); {EXPORT_AGAIN}")
        return float(value)

    def text(self, key: str, longest: int = 1000) -> str:
        return self.checked_text(key, self.take(key), longest)

    def checked_text(self, key: str, value: object, longest: int = 1000) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
            self.refuse(key, f"is {short(value)} (expected printable text of 1 to {longest} letters); {EXPORT_AGAIN}")
        return value

    def one_of(self, key: str, choices: tuple[str, ...]) -> str:
        value = self.take(key)
        if value not in choices:
            self.refuse(key, f"is {short(value)} (this version knows {', '.join(choices)}); update sketch-edge")
        return str(value)

    def sha256(self, key: str) -> str:
        value = self.take(key)
        if not isinstance(value, str) or len(value) != 64 or not set(value) <= set("0123456789abcdef"):
            self.refuse(key, f"is {short(value)} (expected 64 digits 0-9a-f); {EXPORT_AGAIN}")
        return value

    def done(self) -> None:
        if self._content:
            self.refuse(short_name(next(iter(self._content))), f"is unknown; {EXPORT_AGAIN}, or update sketch-edge")


def _check_format(content: dict[str, Any], where: str) -> None:
    """Look at the format number before anything else: another format may have other keys."""
    number = content.get("format")
    if type(number) is int and number > FORMAT:
        raise BundleError(f"{where}:format: is {short(number)}, this version reads {FORMAT}; update sketch-edge")
    if type(number) is not int or number != FORMAT:
        got = short(number) if "format" in content else "missing"
        raise BundleError(f"{where}:format: is {got} (expected {FORMAT}); {EXPORT_AGAIN}")


def _read_manifest(keys: _Keys) -> Manifest:
    keys.take("format")
    head = keys.one_of("head", HEADS)
    classes = _read_classes(keys)
    manifest = Manifest(
        name=keys.text("name", MAX_NAME_LENGTH),
        producer=keys.text("producer"),
        classes=classes,
        scale=keys.number("scale", MIN_SCALE, 1000.0),
        grid=keys.integer("grid", 1, 4096),
        head=head,
        variant=keys.one_of("variant", VARIANTS),
        sizes=_read_object(keys, "sizes", lambda inner: _read_sizes(inner, head)),
        defaults=_read_object(keys, "defaults", lambda inner: _read_defaults(inner, classes)),
        parity=_read_object(keys, "parity", _read_parity),
        data=_read_object(keys, "data", _read_credit),
        checkpoint=_read_object(
            keys, "checkpoint", lambda inner: Origin(inner.sha256("sha256"), _count(inner, "step"))
        ),
        imported=_read_object(keys, "imported", _read_imported) if "imported" in keys.names else None,
        hidden=_read_hidden(keys, classes) if "hidden" in keys.names else (),
        members=_read_object(keys, "members", lambda inner: _read_members(inner, head)),
    )
    keys.done()
    return manifest


def _read_object(keys: _Keys, key: str, read: Callable[[_Keys], T]) -> T:
    inner = keys.inner(key)
    value = read(inner)
    inner.done()
    return value


def _read_classes(keys: _Keys) -> tuple[str, ...]:
    names = keys.items("classes", 1, MAX_CLASSES)
    _check_names(keys, "classes", names)
    return tuple(names)


def _check_names(keys: _Keys, key: str, names: list[Any]) -> None:
    """Refuse a list that holds anything but class names, or one of them twice."""
    seen: set[str] = set()
    for number, name in enumerate(names):
        where = f"{key}[{number}]"
        keys.checked_text(where, name, MAX_NAME_LENGTH)
        if name in seen:
            keys.refuse(where, f"is {short(name)} once more (expected a name of its own); {EXPORT_AGAIN}")
        seen.add(name)


def _read_hidden(keys: _Keys, classes: tuple[str, ...]) -> tuple[str, ...]:
    names = keys.items("hidden", 1, MAX_CLASSES)
    _check_names(keys, "hidden", names)
    known = set(classes)
    for number, name in enumerate(names):
        if name not in known:
            keys.refuse(f"hidden[{number}]", f"is {short(name)} (expected one of the classes); {EXPORT_AGAIN}")
    if len(names) == len(classes):
        keys.refuse("hidden", f"names all {len(classes)} classes (expected one left to be listed); {EXPORT_AGAIN}")
    return tuple(names)


def _read_defaults(keys: _Keys, classes: tuple[str, ...]) -> Defaults:
    temperature = keys.number("temperature", 0, MAX_TEMPERATURE)
    if "temperatures" not in keys.names:
        return Defaults(temperature)
    return Defaults(temperature, _read_object(keys, "temperatures", lambda inner: _read_temperatures(inner, classes)))


def _read_temperatures(keys: _Keys, classes: tuple[str, ...]) -> dict[str, float]:
    known = set(classes)
    for name in keys.names:
        if name not in known:
            keys.refuse(short_name(name), f"is none of the classes; {EXPORT_AGAIN}")
    found = {name: keys.number(name, 0, MAX_TEMPERATURE) for name in keys.names}
    if not found:
        keys.refuse_whole(f"holds nothing (expected a temperature of a class); {EXPORT_AGAIN}")
    return found


def _read_sizes(keys: _Keys, head: str) -> Sizes:
    return Sizes(
        latent=keys.integer("latent", 0, 1024),
        hidden=keys.integer("hidden", 1, 2048),
        mixtures=_read_mixtures(keys, head),
        max_points=keys.integer("max_points", 1, MAX_POINTS),
        state=keys.integer("state", 1, MAX_STATE) if "state" in keys.names else None,
        constant=keys.integer("constant", 1, MAX_CONSTANT) if "constant" in keys.names else None,
    )


def _read_mixtures(keys: _Keys, head: str) -> int:
    if head == MIXTURE:
        return keys.integer("mixtures", 1, 128)
    count = keys.take("mixtures")
    if type(count) is not int or count != 0:
        keys.refuse("mixtures", f"is {short(count)} (expected 0, as head is {short(head)}); {EXPORT_AGAIN}")
    return count


def _read_parity(keys: _Keys) -> Parity:
    batches = keys.items("batches", 1, 64)
    for number, batch in enumerate(batches):
        keys.checked_integer(f"batches[{number}]", batch, 1, 10**6)
    return Parity(
        steps=_count(keys, "steps"),
        batches=tuple(batches),
        max_abs_error=keys.number("max_abs_error", 0.0, 1000.0),
        reference=keys.text("reference"),
    )


def _read_credit(keys: _Keys) -> Credit:
    credit, licence = keys.text("credit"), keys.text("licence")
    synthetic = keys.take("synthetic")
    if synthetic is not None:
        keys.checked_text("synthetic", synthetic)
    return Credit(credit, licence, synthetic, _count(keys, "drawings"))


def _read_imported(keys: _Keys) -> Imported:
    return Imported(keys.text("file", 255), keys.text("model"), keys.text("source"), keys.text("note"))


def _read_members(keys: _Keys, head: str) -> dict[str, Member]:
    members = {}
    for name in keys.names:
        if name in OPTIONAL_MEMBERS and head != MIXTURE:
            keys.refuse(name, f"is listed (expected none, as head is {short(head)}); {EXPORT_AGAIN}")
        if name not in MEMBER_ORDER[1:]:
            keys.refuse(short_name(name), f"is no member of a bundle; {EXPORT_AGAIN}, or update sketch-edge")
        members[name] = _read_object(keys, name, lambda inner: Member(inner.sha256("sha256"), _count(inner, "size")))
    return members


def _count(keys: _Keys, key: str) -> int:
    return keys.integer(key, 0, 10**15)


def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object in which a key stands twice, as it is open which of the two counts."""
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key stands twice")
    return content


def refuse_constant(text: str) -> NoReturn:
    """Refuse NaN and Infinity, which json reads and JSON does not have."""
    raise ValueError(f"{text} is no JSON number")


def fold_name(name: str) -> str:
    """A class name without what users write differently: case, "_", "-", spaces around and between."""
    return re.sub(r"[\s_-]+", " ", name.casefold()).strip()


def short(value: object) -> str:
    """A value as it may stand in a message: never long, whatever the file says."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if type(value) is int and value.bit_length() > 200:
        return "a huge number"  # Python refuses to write numbers of over 4300 digits
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def short_name(name: str) -> str:
    """A name as it may stand in a message: as it is, where that is printable and not long."""
    return name if name.isprintable() and 0 < len(name) <= 60 else short(name)
