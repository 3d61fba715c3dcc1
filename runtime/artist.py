"""The artist: a loaded bundle that draws. The library's front door."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple, Unpack

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.blocks import draw_sketches
from sketch_edge.runtime.bundle import Bundle, open_bundle
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.knobs import PLACE_OPTIONS, PLAIN, KnobOptions, Knobs
from sketch_edge.runtime.manifest import MAX_NAME_LENGTH, MAX_POINTS, MAX_TEMPERATURE, Manifest, fold_name, short
from sketch_edge.runtime.noise import KEY_LIMIT
from sketch_edge.runtime.provider import open_session
from sketch_edge.runtime.sampler import Job, Rows, draw_rows, stream_rows
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.strokes import lines_to_stroke3, stroke3_to_lines, stroke3_to_stroke5
from sketch_edge.runtime.typical import MOST_TRIES, typical_of_each

if TYPE_CHECKING:  # a star alone needs no pages, and nobody's drawing
    from sketch_edge.runtime.plain.session import PlainSession
    from sketch_edge.runtime.scene import Scene
    from sketch_edge.runtime.scenes.composition import Composition
    from sketch_edge.runtime.session import Session
    from sketch_edge.runtime.together.redraw import DrawOptions, Settings

RANDOM_SEED_BITS = 32
"""Seeds that nobody chose are short enough to be typed again."""


class Point(NamedTuple):
    """A point of a sketch, as it is drawn."""

    x: float
    """Right, in Quick, Draw! units from the first point."""

    y: float
    """Down, likewise."""

    drawn: bool
    """The move to this point leaves ink."""

    lift: bool
    """The pen lifts at this point."""


class Stream:
    """The points of one sketch, each as soon as the model gives it."""

    def __init__(self, points: Iterator[Point], label: str, seed: int, index: int) -> None:
        self._points = points
        self.label = label
        """Class name."""
        self.seed = seed
        """With it and `index`, `Artist.draw` gives the same sketch."""
        self.index = index

    def __iter__(self) -> Iterator[Point]:
        return self._points

    def __next__(self) -> Point:
        return next(self._points)


@dataclass(frozen=True)
class Order:
    """A sketch that is wanted: what `Artist.draw` takes."""

    name: str
    """A class; upper or lower case, spaces, "_" and "-" do not matter."""

    seed: int
    """0 .. 2**64 - 1."""

    index: int = 0
    """Which sketch of that seed, 0 .. 2**64 - 1."""

    temperature: float | None = None
    """0 to 10; that of its class where not given (`Artist.temperature_of`)."""


class Artist:
    """A bundle, ready to draw. Several threads may share one.

    The same bundle, class, seed, index, temperature and most points give the same sketch, alone or among many.

    Args:
        bundle: as `read_bundle` gave it; `load` does both.
        provider: "cpu" or "cuda" (onnxruntime), "numpy" (no onnxruntime), or "auto": what the environment variable
            SKETCH_PROVIDER says, else CUDA where it is really there, else the CPU, else, where onnxruntime cannot be
            imported, numpy.
        threads: that one step may use, 1 to 64; one is fastest for all but large batches.

    Raises:
        InputError, BundleError, UnfinishedError: as `Session`.
    """

    def __init__(self, bundle: Bundle, *, provider: str = "auto", threads: int = 1) -> None:
        self._session, self.fallback = open_session(bundle, provider, threads)
        """Why numpy draws, where "auto" would have taken onnxruntime; else None."""
        self._ids = {
            name: number for number, name in reversed(list(enumerate(map(fold_name, bundle.manifest.classes))))
        }
        self._ids |= {name: number for number, name in enumerate(bundle.manifest.classes)}
        self.manifest: Manifest = bundle.manifest
        """What the bundle says about itself."""
        self.source = f"{bundle.manifest.name} {bundle.sha256[:12]}"
        """Name and hash of the bundle, as it stands in each sketch."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of what it can draw."""
        return self.manifest.classes

    @property
    def listed_classes(self) -> tuple[str, ...]:
        """Those of `classes` that are not hidden: hidden ones can be drawn too, but poorly, as their bundle says."""
        return self.manifest.listed

    @property
    def provider(self) -> str:
        """What it runs on: "cpu", "cuda" or "numpy"."""
        return self._session.provider

    @property
    def session(self) -> Session | PlainSession:
        """The loaded graphs."""
        return self._session

    def class_id(self, name: str) -> int:
        """The number of a class, an index into `classes`; case, spaces, "_" and "-" of the name do not matter.

        Raises:
            InputError: no such class; the message names the nearest.
        """
        if not isinstance(name, str):
            raise InputError(f"class {short(name)}: is {type(name).__name__} (expected text)")
        number = self._ids.get(name, self._ids.get(fold_name(name)))
        if number is None:
            raise InputError(
                f"class {short(name)}: is not among the {len(self.classes)} classes of {self.manifest.name}; "
                + self._nearest(name)
            )
        return number

    def label_of(self, name: str) -> str:
        """What sketches of the class `name` are called: its name as the model has it."""
        return self.classes[self.class_id(name)]

    def artist_of(self, name: str) -> Artist:
        """The artist of the bundle that draws the class `name`: itself, unless it is a folder of several.

        Raises:
            InputError: an unknown class.
        """
        self.class_id(name)
        return self

    def most_points(self, name: str) -> int:
        """Points at which sketches of the class `name` are cut where nobody says another number."""
        self.class_id(name)
        return self.manifest.sizes.max_points

    def is_hidden(self, name: str) -> bool:
        """Whether the class `name` is none of `listed_classes`."""
        return self.classes[self.class_id(name)] not in self.listed_classes

    def temperature_of(self, name: str) -> float:
        """What the class `name` is drawn with where nobody says a temperature: its own one, or that of the bundle."""
        return self.manifest.defaults.temperature_of(self.label_of(name))

    def draw(
        self,
        name: str,
        *,
        seed: int | None = None,
        index: int = 0,
        temperature: float | None = None,
        max_points: int | None = None,
        best_of: int = 1,
        **knobs: Unpack[KnobOptions],
    ) -> Sketch:
        """Draw one sketch.

        Args:
            name: a class; upper or lower case, spaces, "_" and "-" do not matter.
            seed: 0 .. 2**64 - 1; a random one where not given. It stands in the sketch.
            index: which sketch of that seed, 0 .. 2**64 - 1.
            temperature: 0 (always the likeliest) to 10; that of the class where not given (`temperature_of`).
            max_points: where the sketch is cut, 1 to 10,000; the bundle's own where not given.
            best_of: sketches that are drawn, from `index` on, 1 to 100; the most typical of them is given
                (`runtime/typical.py`). Its own index stands in it: with that alone it is drawn again.
            **knobs: `pen_temperature`, `top_k` and `end_bias`, as in `sketch_edge.runtime.knobs.Knobs`.

        Raises:
            InputError: an unknown class or a number out of range.
            BundleError: the model gives numbers that are not finite.
        """
        return self.draw_many(
            [name],
            seed=seed,
            temperature=temperature,
            max_points=max_points,
            first_index=index,
            best_of=best_of,
            **knobs,
        )[0]

    def draw_many(
        self,
        names: Sequence[str],
        *,
        seed: int | None = None,
        temperature: float | None = None,
        max_points: int | None = None,
        first_index: int = 0,
        best_of: int = 1,
        **knobs: Unpack[KnobOptions],
    ) -> list[Sketch]:
        """Draw a sketch of each name; number i is the same as ``draw(names[i], seed=seed, index=first_index + i)``.

        With `best_of` each is the most typical of so many, number i of those from ``first_index + i * best_of`` on.
        Arguments and errors are those of `draw`. Many sketches are drawn side by side, which is several times faster
        than one after the other.
        """
        return list(
            self.draw_each(
                names,
                seed=seed,
                temperature=temperature,
                max_points=max_points,
                first_index=first_index,
                best_of=best_of,
                **knobs,
            )
        )

    def draw_each(
        self,
        names: Sequence[str],
        *,
        seed: int | None = None,
        temperature: float | None = None,
        max_points: int | None = None,
        first_index: int = 0,
        best_of: int = 1,
        **knobs: Unpack[KnobOptions],
    ) -> Iterator[Sketch]:
        """Draw as `draw_many`, but give each sketch as soon as it and those before it are done."""
        if isinstance(names, str):
            raise InputError(f"names: is the text {short(names)} (expected a list of class names); write [{names!r}]")
        best_of = _checked_integer("best_of", best_of, 1, MOST_TRIES)
        tries = [name for name in names for _ in range(best_of)]
        drawn = self._draw_each(tries, seed, temperature, max_points, first_index, knobs)
        return typical_of_each(drawn, repeat(best_of, len(names)))

    def _draw_each(
        self,
        names: Sequence[str],
        seed: int | None,
        temperature: float | None,
        max_points: int | None,
        first_index: int,
        knobs: KnobOptions,
    ) -> Iterator[Sketch]:
        """Draw a sketch of each name, as `draw_each` does without a choice."""
        ids = [self.class_id(name) for name in names]
        seed, tau, most = _checked_seed(seed), _checked_temperature(temperature), self._checked_points(max_points)
        first = _checked_integer("index", first_index, 0, KEY_LIMIT - max(1, len(ids)))
        jobs = [self._job(class_id, seed, first + number, tau) for number, class_id in enumerate(ids)]
        chosen = Knobs.named(knobs).fitting(self.manifest)
        how = chosen.describe()
        return (self._sketch(job, rows, how) for job, rows in zip(jobs, self._rows(jobs, most, chosen), strict=True))

    def draw_orders(self, orders: Sequence[Order], *, max_points: int | None = None) -> list[Sketch]:
        """Draw a sketch for each order, each with its own seed, index and temperature: as `draw` gives it.

        All are drawn side by side, as in `draw_many`.

        Raises:
            InputError, BundleError: as `draw`.
        """
        most = self._checked_points(max_points)
        jobs = []
        for order in orders:
            index = _checked_integer("index", order.index, 0, KEY_LIMIT - 1)
            class_id, seed = self.class_id(order.name), _checked_seed(order.seed)
            jobs.append(self._job(class_id, seed, index, _checked_temperature(order.temperature)))
        drawn = self._rows(jobs, most)
        return [self._sketch(job, rows) for job, rows in zip(jobs, drawn, strict=True)]

    def compose(self, composition: Composition, *, max_points: int | None = None) -> Scene:
        """Draw a page of things: each in its size and its place, and what lies behind something removed.

        Without a seed in `composition` a random one is drawn; it stands in the objects of the scene.

        Raises:
            InputError, BundleError: as `sketch_edge.runtime.scenes.compose.compose`.
        """
        from sketch_edge.runtime.scenes.compose import compose
        from sketch_edge.runtime.scenes.hidden import hide

        scene = compose(composition, self, max_points=max_points)
        return hide(scene) if composition.hidden else scene

    def stream(
        self,
        name: str,
        *,
        seed: int | None = None,
        index: int = 0,
        temperature: float | None = None,
        max_points: int | None = None,
        **knobs: Unpack[KnobOptions],
    ) -> Stream:
        """Draw one sketch point by point: the points of `draw` with the same arguments, each as soon as it is known.

        The first is the origin, (0, 0), to which the pen moves without ink. A point may equal the one before it: a
        line of which that is all is a dot. The pen also lifts when the stream ends.
        """
        class_id, seed = self.class_id(name), _checked_seed(seed)
        index = _checked_integer("index", index, 0, KEY_LIMIT - 1)
        job, most = (
            self._job(class_id, seed, index, _checked_temperature(temperature)),
            self._checked_points(max_points),
        )
        chosen = Knobs.named(knobs).fitting(self.manifest)
        rows = stream_rows(self._session, self.manifest, job, self.manifest.defaults.temperature, most, chosen)
        return Stream(_points(rows, self.manifest.grid), self.classes[class_id], seed, job.index)

    def reconstruct(self, sketch: Sketch, name: str | None = None, **options: Unpack[DrawOptions]) -> Sketch:
        """Draw a sketch again as the model sees it: from the mean of q(z | sketch, class) (Ha & Eck 2017, section 4.2).

        Args:
            sketch: in any units; see `sketch_edge.runtime.together.given.bring`.
            name: its class; its label where not given.
            **options: `seed`, `index`, `temperature`, `max_points` and the knobs of `draw`.

        Returns:
            The new drawing, in Quick, Draw! units from its first point.

        Raises:
            InputError: an unknown class, a number out of range, a sketch without lines or of too many points, or a
                model without an encoder.
            BundleError: the model gives numbers that are not finite.
        """
        from sketch_edge.runtime.together.redraw import reconstruct

        return reconstruct(self, self._settings(options), sketch, name)

    def between(
        self,
        first: Sketch,
        last: Sketch,
        count: int = 7,
        *,
        names: tuple[str | None, str | None] = (None, None),
        **options: Unpack[DrawOptions],
    ) -> list[Sketch]:
        """Draw the way from one sketch to another: spherical interpolation of z (White 2016; Ha & Eck 2017, fig. 5).

        Where their classes differ, what the decoder knows of the class is mixed likewise. The first and the last
        drawing are what `reconstruct` gives of the two sketches with the same options; all have the same noise.

        Args:
            first: as in `reconstruct`.
            last: likewise.
            count: drawings, both ends among them, 2 to 10,000.
            names: the classes of the two; their labels where not given.
            **options: as in `reconstruct`; errors too.
        """
        from sketch_edge.runtime.together.redraw import between

        return between(self, self._settings(options), first, last, count, names)

    def vary(
        self,
        sketch: Sketch,
        count: int = 1,
        amount: float = 0.3,
        *,
        name: str | None = None,
        **options: Unpack[DrawOptions],
    ) -> list[Sketch]:
        """Draw what is like a sketch: from z near the one that the model sees in it.

        Args:
            sketch: as in `reconstruct`.
            count: drawings, 1 to 10,000; number i has the noise of `index` + i.
            amount: how far from the sketch, 0 (what `reconstruct` gives) to 1 (any drawing of the class).
            name: its class; its label where not given.
            **options: as in `reconstruct`; errors too.
        """
        from sketch_edge.runtime.together.redraw import vary

        return vary(self, self._settings(options), sketch, count, amount, name)

    def finish(
        self,
        sketch: Sketch,
        name: str | None = None,
        count: int = 1,
        *,
        latent: str = "fit",
        size: float | None = None,
        joined: bool = False,
        **options: Unpack[DrawOptions],
    ) -> list[Sketch]:
        """Go on from given strokes (Ha & Eck 2017, section 4.5): these are kept exactly, the rest is drawn.

        Args:
            sketch: the strokes so far, in any units, in the order in which they were drawn.
            name: what it is to become; its label where not given.
            count: endings, 1 to 10,000; number i has the noise of `index` + i.
            latent: where z comes from: "fit" (one of 16 draws from the prior, by how likely the model finds the
                strokes with it), "prior" (any draw), "encode" (what the model sees in the strokes as a whole drawing).
                A model whose head is "offset" cannot say how likely strokes are: for it "fit" is "prior".
            size: larger side of the whole drawing, in the units of the sketch; where not given, 255 if these are
                whole numbers within 0 to 255, else guessed (`runtime/together/guess.py`), which a model whose head is
                "offset" cannot do either. It stands in the endings.
            joined: the last stroke goes on, instead of the pen having been lifted there.
            **options: as in `reconstruct`; `max_points` counts the given ones, after simplification.

        Returns:
            The endings, in the units of the sketch: first its lines, then those of the model.

        Raises:
            InputError, BundleError: as `reconstruct`; an encoder is needed for "encode" alone.
        """
        from sketch_edge.runtime.together.redraw import finish

        settings = self._settings(options)
        return finish(self, settings, sketch, name, count=count, latent=latent, size=size, joined=joined)

    def encode(self, sketch: Sketch, name: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """What the model sees in a sketch of the class `name`.

        Args:
            sketch: in Quick, Draw! units (larger side about 255), of at most 10,000 points.
            name: a class.

        Returns:
            mu and sigma of q(z | sketch, class), each of shape (Z,).

        Raises:
            InputError: an unknown class, or a sketch without lines or with too many points.
        """
        class_id = self.class_id(name)
        stroke3 = lines_to_stroke3(sketch.lines)
        if not 1 <= len(stroke3) <= MAX_POINTS:
            raise InputError(f"sketch: has {len(stroke3)} points (expected 1 to {MAX_POINTS}); simplify its lines")
        scaled = stroke3.astype(np.float64)
        scaled[:, :2] /= self.manifest.scale
        mu, sigma = self._session.encode(stroke3_to_stroke5(scaled)[None], [len(stroke3)], [class_id])
        return mu[0], sigma[0]

    def _settings(self, options: DrawOptions) -> Settings:
        """Options of drawing together, checked and filled in."""
        from sketch_edge.runtime.together.redraw import Settings

        knobs = Knobs.named({key: value for key, value in options.items() if key not in PLACE_OPTIONS})
        return Settings(
            _checked_seed(options.get("seed")),
            _checked_integer("index", options.get("index", 0), 0, KEY_LIMIT - 1),
            _checked_temperature(options.get("temperature")),
            self._checked_points(options.get("max_points")),
            knobs.fitting(self.manifest),
        )

    def _job(self, class_id: int, seed: int, index: int, temperature: float | None) -> Job:
        """What is to be drawn, at the temperature of its class where none is given."""
        if temperature is None:
            temperature = self.manifest.defaults.temperature_of(self.manifest.classes[class_id])
        return Job(class_id, seed, index, temperature=temperature)

    def _rows(self, jobs: Sequence[Job], most: int, knobs: Knobs = PLAIN) -> Iterator[Rows]:
        """Draw jobs side by side, each at its own temperature."""
        tau = self.manifest.defaults.temperature  # of jobs that have none
        if knobs == PLAIN:
            return draw_sketches(self._session, self.manifest, jobs, tau, most)
        return draw_rows(self._session, self.manifest, jobs, tau, most, knobs)  # draw.onnx knows no other choice

    def _sketch(self, job: Job, drawn: Rows, how: str = "") -> Sketch:
        lines = [line / self.manifest.grid for line in stroke3_to_lines(drawn.rows)]
        label = self.classes[job.class_id]
        return Sketch(tuple(lines), label, job.seed, job.index, job.temperature, self.source, drawn.complete, how)

    def _nearest(self, name: str) -> str:
        """Say which classes a name may have meant."""
        import difflib

        parts = [part.strip() for part in name.split(",")]
        if len(parts) > 1 and all(fold_name(part) in self._ids for part in parts):
            return "name one class at a time: --class once for each, or draw_many of a list"
        nearest = (
            difflib.get_close_matches(fold_name(name), list(self._ids), n=6) if len(name) <= MAX_NAME_LENGTH else []
        )
        found = dict.fromkeys(self.classes[self._ids[each]] for each in nearest)
        if not found:
            everything = "--list" if len(self.listed_classes) == len(self.classes) else "--list --all"
            return f"{everything}, or Artist.classes, names them all"
        listed = set(self.listed_classes)
        return f"the nearest: {', '.join(sorted(found, key=lambda each: each not in listed)[:3])}"

    def _checked_points(self, max_points: int | None) -> int:
        if max_points is None:
            return self.manifest.sizes.max_points
        return _checked_integer("max_points", max_points, 1, MAX_POINTS)


def load(path: str | os.PathLike[str] | None = None, *, provider: str = "auto", threads: int = 1) -> Artist:
    """Load a bundle, or the one that comes with the package where no path is given; of a folder, all its bundles.

    A folder of bundles gives a `sketch_edge.runtime.shelf.Shelf`, which draws the classes of all of them.

    Raises:
        BundleError: the file cannot be read, is no bundle, is damaged or changed, or onnxruntime refuses it.
        InputError: a provider that is not there, or a number of threads out of range.
        UnfinishedError: onnxruntime cannot be loaded.
    """
    if path is not None and os.path.isdir(path):  # noqa: PTH112 - a path may be any text here
        from sketch_edge.runtime.shelf import Shelf

        return Shelf(path, provider=provider, threads=threads)
    return Artist(open_bundle(path), provider=provider, threads=threads)


def _points(rows: Iterator[tuple[int, int, int]], grid: int) -> Iterator[Point]:
    """Add up rows of whole numbers and give each point; the origin first."""
    x = y = lifted = 0
    yield Point(0.0, 0.0, drawn=False, lift=False)
    for dx, dy, lift in rows:
        x, y = x + dx, y + dy
        yield Point(x / grid, y / grid, not lifted, bool(lift))
        lifted = lift


def _checked_seed(seed: int | None) -> int:
    if seed is None:
        return int.from_bytes(os.urandom(RANDOM_SEED_BITS // 8), "big")
    return _checked_integer("seed", seed, 0, KEY_LIMIT - 1)


def _checked_temperature(temperature: float | None) -> float | None:
    if temperature is None:
        return None
    try:
        value = float(temperature)
    except (TypeError, ValueError, OverflowError):
        value = -1.0
    if not 0.0 <= value <= MAX_TEMPERATURE:  # false for nan too
        raise InputError(f"temperature {short(temperature)}: choose a number, 0 to {MAX_TEMPERATURE:g}")
    return value


def _checked_integer(name: str, value: int, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
        raise InputError(f"{name} {short(value)}: choose a whole number, {low} to {high}")
    return int(value)
