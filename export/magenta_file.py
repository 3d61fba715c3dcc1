"""Google Magenta's published Sketch-RNN models: the reader of their JSON files, with numpy alone.

A file is an array of three: ``[info, dims, blobs]``. `info` names the model; `dims` holds the shape of each tensor,
row-major; `blobs` their numbers, as base64 of little-endian int16, or, in older files, as lists of whole numbers. A
weight is ``10 * q / 32767``. A file of 5 tensors is a decoder alone ("gen"), one of 17 a whole VAE ("vae").

Sizes: H decoder units, He encoder units a direction, M normals, Z latent.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.manifest import (
    MAX_NAME_LENGTH,
    MAX_POINTS,
    PEN_STATES,
    refuse_constant,
    short,
    without_repeats,
)
from sketch_edge.runtime.strokes import STROKE

MAX_BYTES = 48 << 20
"""The largest published files have some 12 MB, in their older form 30. Bounds what parsing one may take."""

MOST_BRACKETS = 1000
"""Lists and objects in one file; there are 2 * 17 + 4 at most. Counted before parsing, as empty ones are cheap to write
and dear to keep."""

LARGEST_WEIGHT = 10.0
LARGEST_INTEGER = 32767

MOST = {"H": 2048, "He": 2048, "M": 128, "Z": 1024}
"""What a bundle may have."""

STATED = ("r_loss", "kl_loss", "training_size")
"""What a file may say of its training."""

DOWNLOAD_AGAIN = "download the file again"

Kind = Literal["gen", "vae"]
Reals = npt.NDArray[np.float64]

DECODER = ("output_w", "output_b", "decoder_wx", "decoder_wh", "decoder_b")
ENCODER = (
    *(f"{direction}_{part}" for direction in ("forward", "backward") for part in ("wx", "wh", "b")),
    *("mu_w", "mu_b", "sigma_w", "sigma_b", "start_w", "start_b"),
)
NAMES: Mapping[Kind, tuple[str, ...]] = {"gen": DECODER, "vae": (*ENCODER, *DECODER)}
"""The tensors in the order of the file."""


@dataclass(frozen=True)
class MagentaModel:
    """What a file holds."""

    file: str
    """Its name, without the folder."""

    sha256: str
    kind: Kind
    name: str
    """What the file calls the model; may be empty."""

    version: str
    """The file's own version number, as text; may be empty."""

    max_points: int
    """max_seq_len: the most points of a drawing, 1 to 10,000."""

    scale_factor: float
    """Canvas pixels in one unit of the model."""

    stated: Mapping[str, float]
    """Of r_loss, kl_loss and training_size those that the file states."""

    tensors: Mapping[str, Reals]
    """By the names of NAMES; float64. Gates are four blocks of columns, in the order i, g, f, o."""

    @property
    def hidden(self) -> int:
        """H."""
        return len(self.tensors["output_w"])

    @property
    def mixtures(self) -> int:
        """M."""
        return (len(self.tensors["output_b"]) - PEN_STATES) // 6

    @property
    def latent(self) -> int:
        """Z; 0 for a decoder alone."""
        return len(self.tensors["decoder_wx"]) - STROKE

    @property
    def encoder_hidden(self) -> int:
        """He; 0 for a decoder alone."""
        return len(self.tensors["forward_wh"]) if self.kind == "vae" else 0

    @property
    def label(self) -> str:
        """The class that it draws, told by the file's name: "alarm clock" of alarm_clock.gen.json."""
        return class_of(self.file)


def class_of(file: str) -> str:
    """The class that a file of this name draws; "drawing" where the name says none."""
    stem = re.sub(r"(\.(gen|vae|full))?(\.json)?$", "", file, flags=re.IGNORECASE)
    plain = "".join(char if char.isprintable() else " " for char in stem.replace("_", " "))
    return " ".join(plain.split())[:MAX_NAME_LENGTH].strip() or "drawing"


def looks_like_magenta(path: Path) -> bool:
    """Whether a file is meant to be one of Magenta's: by its name, or as it begins with an array."""
    if path.name.lower().endswith(".json"):
        return True
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(64).lstrip().startswith(b"[")
    except (OSError, ValueError):
        return False


def read_magenta(path: str | os.PathLike[str], file_name: str | None = None) -> MagentaModel:
    """Read and check a file.

    Args:
        path: the file.
        file_name: what it is called, where it lies under another name.

    Raises:
        InputError: cannot be read, is no such file, is damaged, or its parts contradict each other.
    """
    path = Path(path)
    where = str(path) if file_name is None else file_name
    content = _read(path, where)
    parts = _parse(content, where)
    if not isinstance(parts, list) or len(parts) != 3:
        got = f"a list of {len(parts)}" if isinstance(parts, list) else short(parts)
        raise InputError(f"{where}: is {got} (expected [info, dims, blobs], as Magenta publishes them); check the file")
    info, dims, blobs = parts
    if not isinstance(info, dict):
        _refuse(where, "info", f"is {short(info)} (expected an object)")
    shapes = _read_dims(where, dims)
    kind = _read_kind(where, info, len(shapes))
    _check_shapes(where, kind, shapes)
    if not isinstance(blobs, list) or len(blobs) != len(shapes):
        got = f"{len(blobs)}" if isinstance(blobs, list) else short(blobs)
        _refuse(where, "blobs", f"are {got} (expected {len(shapes)}, as many as dims)")
    tensors = {
        name: _read_blob(f"{where}:blobs[{number}]", blob, shape)
        for number, (name, blob, shape) in enumerate(zip(NAMES[kind], blobs, shapes, strict=True))
    }
    return MagentaModel(
        file=path.name if file_name is None else file_name,
        sha256=hashlib.sha256(content).hexdigest(),
        kind=kind,
        name=_text(where, info, "name"),
        version=_text(where, info, "version"),
        max_points=_whole(where, info, "max_seq_len", MAX_POINTS),
        scale_factor=_scale_factor(where, info),
        stated={key: _number(where, info, key) for key in STATED if info.get(key) is not None},
        tensors=tensors,
    )


def _read(path: Path, where: str) -> bytes:
    try:
        if path.exists() and not path.is_file():
            what = "a folder" if path.is_dir() else "no plain file"
            raise InputError(f"{where}: is {what} (expected a file such as cat.gen.json); name the file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(f"{where}: cannot be read ({reason}); check the name") from error
    if len(content) > MAX_BYTES:
        raise InputError(
            f"{where}: is larger than any of Magenta's models (over {MAX_BYTES >> 20} MiB); check the name"
        )
    return content


def _parse(content: bytes, where: str) -> Any:
    """The JSON, where it is small in everything but text and numbers."""
    brackets = content.count(b"[") + content.count(b"{") + content.count(b":")
    if brackets > MOST_BRACKETS:
        raise InputError(
            f"{where}: holds {brackets} lists, objects and keys (at most {MOST_BRACKETS}), so it is none of Magenta's "
            "models; check the file"
        )
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=without_repeats, parse_constant=refuse_constant)
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: is no UTF-8 text ({error.reason}); {DOWNLOAD_AGAIN}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: is no proper JSON ({str(error)[:200]}); {DOWNLOAD_AGAIN}") from error


def _read_dims(where: str, dims: object) -> list[tuple[int, ...]]:
    """The shapes: one or two sizes each, within what any model may have."""
    if not isinstance(dims, list) or len(dims) not in map(len, NAMES.values()):
        got = f"{len(dims)}" if isinstance(dims, list) else short(dims)
        _refuse(where, "dims", f"are {got} (expected 5 for a decoder, 17 for a whole model)")
    for number, shape in enumerate(dims):
        fits = isinstance(shape, list) and 1 <= len(shape) <= 2
        if not fits or not all(type(size) is int and 1 <= size <= 4 * MOST["H"] for size in shape):
            text = ", ".join(map(short, shape[:3])) if isinstance(shape, list) else short(shape)
            _refuse(where, f"dims[{number}]", f"is [{text}] (expected one or two sizes, 1 to {4 * MOST['H']})")
    return [tuple(shape) for shape in dims]


def _read_kind(where: str, info: Mapping[str, object], count: int) -> Kind:
    """What `mode` and the number of tensors say, which must be the same."""
    kind: Kind = "gen" if count == len(DECODER) else "vae"
    if "mode" in info:
        mode = info["mode"]
        said: Kind = "gen" if (type(mode) is int and mode == 2) or mode == "gen" else "vae"
        if said != kind:
            expected = len(NAMES[said])
            _refuse(where, "info.mode", f"is {short(mode)}, which has {expected} tensors (the file has {count})")
    return kind


def _check_shapes(where: str, kind: Kind, shapes: Sequence[tuple[int, ...]]) -> None:
    """Compare every shape with the sizes that the first matrices tell."""
    found = dict(zip(NAMES[kind], shapes, strict=True))
    H, width = (*found["output_w"], 0)[:2]
    M, rest = divmod(width - PEN_STATES, 6)
    if M < 1 or rest:
        place = NAMES[kind].index("output_w")
        _refuse(where, f"dims[{place}]", f"is {list(found['output_w'])} (expected [H, 6 M + 3])")
    Z = found["start_w"][0] if kind == "vae" else 0
    He = found["forward_wh"][0] if kind == "vae" else 0
    for name, size in {"H": H, "He": He, "M": M, "Z": Z}.items():
        if size > MOST[name]:
            _refuse(where, "dims", f"say {name} = {size} (at most {MOST[name]})")
    for number, (name, shape) in enumerate(expected_shapes(kind, H, M, Z, He).items()):
        if found[name] != shape:
            _refuse(where, f"dims[{number}]", f"is {list(found[name])} (expected {list(shape)}, {name})")


def expected_shapes(kind: Kind, H: int, M: int, Z: int, He: int) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor, in the order of the file."""
    output = 6 * M + PEN_STATES
    shapes: dict[str, tuple[int, ...]] = {}
    if kind == "vae":
        for direction in ("forward", "backward"):
            shapes |= {
                f"{direction}_wx": (STROKE, 4 * He),
                f"{direction}_wh": (He, 4 * He),
                f"{direction}_b": (4 * He,),
            }
        shapes |= {"mu_w": (2 * He, Z), "mu_b": (Z,), "sigma_w": (2 * He, Z), "sigma_b": (Z,)}
        shapes |= {"start_w": (Z, 2 * H), "start_b": (2 * H,)}
    shapes |= {"output_w": (H, output), "output_b": (output,)}
    return shapes | {"decoder_wx": (STROKE + Z, 4 * H), "decoder_wh": (H, 4 * H), "decoder_b": (4 * H,)}


def _read_blob(where: str, blob: object, shape: tuple[int, ...]) -> Reals:
    """The weights of one tensor, from base64 or from a list of whole numbers."""
    count = math.prod(shape)
    if isinstance(blob, str):
        if len(blob) != 4 * math.ceil(2 * count / 3):
            raise InputError(
                f"{where}: has {len(blob)} letters (expected {4 * math.ceil(2 * count / 3)} for {list(shape)}); "
                f"{DOWNLOAD_AGAIN}"
            )
        try:
            raw = base64.b64decode(blob, validate=True)
        except (binascii.Error, ValueError) as error:
            raise InputError(f"{where}: is no base64 ({error}); {DOWNLOAD_AGAIN}") from error
        if len(raw) != 2 * count:
            raise InputError(f"{where}: has {len(raw)} bytes (expected {2 * count}); {DOWNLOAD_AGAIN}")
        numbers = np.frombuffer(raw, "<i2")
    elif isinstance(blob, list):
        numbers = _read_integers(where, blob, count)
    else:
        raise InputError(f"{where}: is {short(blob)} (expected base64 text or a list); {DOWNLOAD_AGAIN}")
    return numbers.reshape(shape) * (LARGEST_WEIGHT / LARGEST_INTEGER)


def _read_integers(where: str, blob: list[object], count: int) -> npt.NDArray[np.int64]:
    if len(blob) != count:
        raise InputError(f"{where}: has {len(blob)} numbers (expected {count}); {DOWNLOAD_AGAIN}")
    for number, value in enumerate(blob):
        if type(value) is not int or not -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER:
            raise InputError(
                f"{where}[{number}]: is {short(value)} (expected a whole number, -32768 to 32767); {DOWNLOAD_AGAIN}"
            )
    return np.array(blob, np.int64)


def _text(where: str, info: Mapping[str, object], key: str) -> str:
    """A name or a number, as text that may stand in a manifest; empty where there is none."""
    value = info.get(key, "")
    text = str(value) if type(value) is float or (type(value) is int and abs(value) < 10**15) else value
    if not isinstance(text, str) or len(text) > MAX_NAME_LENGTH or not text.isprintable():
        _refuse(where, f"info.{key}", f"is {short(value)} (expected at most {MAX_NAME_LENGTH} printable letters)")
    return text


def _whole(where: str, info: Mapping[str, object], key: str, most: int) -> int:
    value = info.get(key)
    if type(value) is not int or not 1 <= value <= most:
        got = short(value) if key in info else "missing"
        _refuse(where, f"info.{key}", f"is {got} (expected a whole number, 1 to {most})")
    return value


def _number(where: str, info: Mapping[str, object], key: str) -> float:
    value = info.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not -1e12 <= value <= 1e12:  # false for nan too
        got = short(value) if key in info else "missing"
        _refuse(where, f"info.{key}", f"is {got} (expected a finite number)")
    return float(value)


def _scale_factor(where: str, info: Mapping[str, object]) -> float:
    value = _number(where, info, "scale_factor")
    if not 1e-3 <= value <= 1e4:
        _refuse(where, "info.scale_factor", f"is {value:g} (expected 0.001 to 10000)")
    return value


def _refuse(where: str, key: str, problem: str) -> NoReturn:
    raise InputError(f"{where}:{key}: {problem}; {DOWNLOAD_AGAIN}")
