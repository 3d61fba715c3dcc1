"""The shelf: a folder of bundles that draws as one artist.

Each bundle is opened when something of it is first drawn; until then its manifest alone is read. Of one on the shelf a
class is called by its name where no other bundle has it, and by the bundle's file name and its own where one does:
``dog``, but ``mine/cat`` and ``cat.vae/cat`` for mine.sketch.zip and cat.vae.sketch.zip. The long form always works.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from sketch_edge.runtime.artist import Artist, Order, Stream, _checked_integer, _checked_seed, _checked_temperature
from sketch_edge.runtime.bundle import SUFFIX, read_bundle, read_manifest
from sketch_edge.runtime.errors import BundleError, InputError, escape
from sketch_edge.runtime.manifest import MAX_POINTS, Manifest, fold_name, short
from sketch_edge.runtime.noise import KEY_LIMIT
from sketch_edge.runtime.provider import why_numpy

if TYPE_CHECKING:
    from typing import Unpack

    import numpy as np
    import numpy.typing as npt

    from sketch_edge.runtime.knobs import KnobOptions
    from sketch_edge.runtime.sketch import Sketch
    from sketch_edge.runtime.together.redraw import DrawOptions

MOST_BUNDLES = 4096
MOST_CLASSES = 1 << 17
"""Of all bundles of a folder together; each takes some 1.3 kB."""
MOST_OPEN = 8
"""Bundles whose graphs are kept in memory, some 10 MB each."""


class Place(NamedTuple):
    """Where a class stands."""

    bundle: int
    """Which bundle of the shelf."""

    name: str
    """What the class is called in it."""


def find_bundles(folder: str | os.PathLike[str]) -> list[Path]:
    """The bundles of a folder, by file name; hidden files are left out.

    Raises:
        BundleError: it cannot be read, or holds none, or too many.
    """
    folder = Path(folder)
    try:
        found = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIX) and path.name[0] != ".")
    except OSError as error:
        raise BundleError(f"{folder}: cannot be read ({error.strerror or error}); check the name") from error
    if not 1 <= len(found) <= MOST_BUNDLES:
        raise BundleError(
            f"{folder}: holds {len(found)} files that end in {SUFFIX} (expected 1 to {MOST_BUNDLES}); "
            "name a bundle, or a folder of bundles"
        )
    return found


def _read_manifests(folder: Path, paths: Sequence[Path]) -> list[Manifest]:
    """What the bundles say of themselves; refuses more classes than memory has room for."""
    manifests, count = [], 0
    for path in paths:
        manifests.append(read_manifest(path))
        count += len(manifests[-1].classes)
        if count > MOST_CLASSES:
            raise BundleError(f"{folder}: has over {MOST_CLASSES} classes; name a bundle, or a folder of fewer")
    return manifests


class Shelf(Artist):
    """A folder of bundles, ready to draw all their classes. Several threads may share one.

    A sketch is the one that its bundle gives alone, with the same class, seed, index and temperature. What needs a
    single bundle (`manifest`, `session`) is refused; `artist_of` gives the one that draws a class.

    Args:
        folder: of files that end in .sketch.zip.
        provider: as that of `Artist`.
        threads: likewise.

    Raises:
        BundleError: the folder holds no bundle, or a file in it that is none.
        InputError: as `Artist`.
    """

    def __init__(self, folder: str | os.PathLike[str], *, provider: str = "auto", threads: int = 1) -> None:
        self._folder = Path(folder)
        self._paths = find_bundles(folder)
        self._manifests = _read_manifests(self._folder, self._paths)
        self._settings_of_engine = (provider, threads)
        self.fallback = why_numpy(provider, threads)
        self._open: OrderedDict[int, Artist] = OrderedDict()
        self._lock = threading.Lock()
        self._long: dict[str, Place] = {}
        """Places by their long names, as they are and folded; the first where two fold to one."""
        self._short: dict[str, list[Place]] = {}
        """Places by folded class name."""
        self._fill()
        count = len(self._paths)
        self.source = f"{count} {'bundle' if count == 1 else 'bundles'} of {self._folder}"

    def _fill(self) -> None:
        """Name every class."""
        places = [Place(number, name) for number, manifest in enumerate(self._manifests) for name in manifest.classes]
        for place in places:
            self._short.setdefault(fold_name(place.name), []).append(place)
            self._long.setdefault(self._long_name(place), place)
        for place in places:
            self._long.setdefault(fold_name(self._long_name(place)), place)
        shown = {place: place.name if self._is_plain(place.name) else self._long_name(place) for place in places}
        self._classes = tuple(shown.values())
        hidden = {Place(number, name) for number, manifest in enumerate(self._manifests) for name in manifest.hidden}
        self._listed = tuple(name for place, name in shown.items() if place not in hidden)
        self._numbers = {place: number for number, place in enumerate(shown)}
        self._ids = {fold_name(name): number for number, name in enumerate(self._classes)}

    def _is_plain(self, name: str) -> bool:
        """Whether the name of a class is enough: no other is called so, neither by its name nor by its long one."""
        folded = fold_name(name)
        return len(self._short[folded]) == 1 and name not in self._long and folded not in self._long

    def _long_name(self, place: Place) -> str:
        # A file may have line ends in its name, lists of names may not.
        return f"{escape(self._paths[place.bundle].name.removesuffix(SUFFIX))}/{place.name}"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of what it can draw, bundle by bundle; long ones where two bundles have a class of that name."""
        return self._classes

    @property
    def listed_classes(self) -> tuple[str, ...]:
        """Those of `classes` that are not hidden by their bundle."""
        return self._listed

    @property
    def provider(self) -> str:
        """What it runs on: "cpu", "cuda" or "numpy"."""
        with self._lock:
            artist = next(reversed(self._open.values()), None)
        return (artist or self._artist(0)).provider

    @property
    def manifest(self) -> Manifest:  # type: ignore[override]
        """Each bundle has its own: `artist_of(name).manifest`.

        Raises:
            InputError: always.
        """
        self._refuse_one()

    @property
    def session(self) -> NoReturn:
        """Each bundle has its own: `artist_of(name).session`.

        Raises:
            InputError: always.
        """
        self._refuse_one()

    def _refuse_one(self) -> NoReturn:
        raise InputError(f"{self._folder}: is a folder of bundles, and this needs a single one; name a file in it")

    def class_id(self, name: str) -> int:
        """The number of a class, an index into `classes`.

        Raises:
            InputError: no such class, the message names the nearest; or several bundles have it.
        """
        return self._numbers[self._find(name)]

    def label_of(self, name: str) -> str:
        """What sketches of the class `name` are called: its name in its own bundle."""
        return self._find(name).name

    def most_points(self, name: str) -> int:
        """Points at which sketches of the class `name` are cut where nobody says another number."""
        return self._manifests[self._find(name).bundle].sizes.max_points

    def temperature_of(self, name: str) -> float:
        """What the class `name` is drawn with where nobody says a temperature."""
        place = self._find(name)
        return self._manifests[place.bundle].defaults.temperature_of(place.name)

    def artist_of(self, name: str) -> Artist:
        """The artist of the bundle that draws the class `name`; there it has the name that `label_of` gives."""
        return self._artist(self._find(name).bundle)

    def _draw_each(
        self,
        names: Sequence[str],
        seed: int | None,
        temperature: float | None,
        max_points: int | None,
        first_index: int,
        knobs: KnobOptions,
    ) -> Iterator[Sketch]:
        """Draw as `Artist.draw_each`; names of one bundle that follow each other are drawn side by side."""
        places = [self._find(name) for name in names]
        seed, temperature = _checked_seed(seed), _checked_temperature(temperature)
        if max_points is not None:
            max_points = _checked_integer("max_points", max_points, 1, MAX_POINTS)
        first = _checked_integer("index", first_index, 0, KEY_LIMIT - max(1, len(places)))

        def drawn() -> Iterator[Sketch]:
            index = first
            for bundle, group in groupby(places, lambda place: place.bundle):
                own = [place.name for place in group]
                yield from self._artist(bundle).draw_each(
                    own, seed=seed, temperature=temperature, max_points=max_points, first_index=index, **knobs
                )
                index += len(own)

        return drawn()

    def draw_orders(self, orders: Sequence[Order], *, max_points: int | None = None) -> list[Sketch]:
        """Draw as `Artist.draw_orders`, bundle after bundle."""
        numbered: dict[int, list[tuple[int, Order]]] = {}
        for number, order in enumerate(orders):
            place = self._find(order.name)
            own = Order(place.name, order.seed, order.index, order.temperature)
            numbered.setdefault(place.bundle, []).append((number, own))
        sketches: dict[int, Sketch] = {}
        for bundle, group in numbered.items():
            drawn = self._artist(bundle).draw_orders([order for _, order in group], max_points=max_points)
            sketches |= zip((number for number, _ in group), drawn, strict=True)
        return [sketches[number] for number in range(len(orders))]

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
        """Draw one sketch point by point, as `Artist.stream`."""
        return self.artist_of(name).stream(
            self.label_of(name), seed=seed, index=index, temperature=temperature, max_points=max_points, **knobs
        )

    def encode(self, sketch: Sketch, name: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """What the model of the class `name` sees in a sketch, as `Artist.encode`."""
        return self.artist_of(name).encode(sketch, self.label_of(name))

    def reconstruct(self, sketch: Sketch, name: str | None = None, **options: Unpack[DrawOptions]) -> Sketch:
        """Draw a sketch again as the model of its class sees it, as `Artist.reconstruct`."""
        artist, own = self._own(sketch, name)
        return artist.reconstruct(sketch, own, **options)

    def between(
        self,
        first: Sketch,
        last: Sketch,
        count: int = 7,
        *,
        names: tuple[str | None, str | None] = (None, None),
        **options: Unpack[DrawOptions],
    ) -> list[Sketch]:
        """Draw the way between two sketches, as `Artist.between`; both classes must stand in one bundle."""
        given = (sketch.label if name is None else name for sketch, name in zip((first, last), names, strict=True))
        near, far = (self._find(name) for name in given)
        if near.bundle != far.bundle:
            raise InputError(
                f"class {short(far.name)}: is in another bundle than {short(near.name)} (expected one for both); "
                "choose classes of one model"
            )
        return self._artist(near.bundle).between(first, last, count, names=(near.name, far.name), **options)

    def vary(
        self,
        sketch: Sketch,
        count: int = 1,
        amount: float = 0.3,
        *,
        name: str | None = None,
        **options: Unpack[DrawOptions],
    ) -> list[Sketch]:
        """Draw what is like a sketch, as `Artist.vary`."""
        artist, own = self._own(sketch, name)
        return artist.vary(sketch, count, amount, name=own, **options)

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
        """Go on from given strokes, as `Artist.finish`."""
        artist, own = self._own(sketch, name)
        return artist.finish(sketch, own, count, latent=latent, size=size, joined=joined, **options)

    def _own(self, sketch: Sketch, name: str | None) -> tuple[Artist, str]:
        """Whose class a sketch is of, and what it is called there; its label says which where `name` does not."""
        place = self._find(sketch.label if name is None else name)
        return self._artist(place.bundle), place.name

    def _find(self, name: str) -> Place:
        """Where a class stands."""
        if not isinstance(name, str):
            raise InputError(f"class {short(name)}: is {type(name).__name__} (expected text)")
        folded = fold_name(name)
        place = self._long.get(name) or self._long.get(folded)
        if place is not None:
            return place
        places = self._short.get(folded, [])
        if len(places) == 1:
            return places[0]
        if places:
            some = ", ".join(self._long_name(each) for each in places[:3]) + (" ..." if len(places) > 3 else "")
            raise InputError(
                f"class {short(name)}: is in {len(places)} bundles of {self._folder}; choose one of {some}"
            )
        raise InputError(
            f"class {short(name)}: is not among the {len(self._classes)} classes of {self._folder}; "
            + self._nearest(name)
        )

    def _artist(self, bundle: int) -> Artist:
        """The artist of a bundle; opened now, unless it still is."""
        with self._lock:
            if bundle not in self._open:
                opened = read_bundle(self._paths[bundle])
                if opened.manifest != self._manifests[bundle]:
                    raise BundleError(f"{self._paths[bundle]}: was replaced since its folder was read; load that again")
                provider, threads = self._settings_of_engine
                self._open[bundle] = Artist(opened, provider=provider, threads=threads)
                while len(self._open) > MOST_OPEN:
                    self._open.popitem(last=False)
            self._open.move_to_end(bundle)
            return self._open[bundle]
