"""What the options of sketch-export say of single classes: names with commas, and temperatures as text or in a file."""

from __future__ import annotations

import json
from pathlib import Path

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.manifest import refuse_constant, short, without_repeats

SUFFIX = ".json"
MAX_BYTES = 1 << 20
"""Of the file: a manifest has no more."""

EXAMPLE = "write --temperatures star=0.1,cat=0.3, or name a .json file of such pairs"


def read_names(option: str, text: str) -> list[str]:
    """The class names of an option, with commas between.

    Raises:
        InputError: it was given, and names none.
    """
    names = [part.strip() for part in text.split(",") if part.strip()]
    if text and not names:
        raise InputError(f"{option} {short(text)}: names no class; write {option} star,moon or leave it out")
    return names


def read_temperatures(text: str) -> dict[str, float]:
    """Temperatures by class name, as --temperatures gives them; names and range are checked by whoever knows the model.

    Args:
        text: such as "star=0.1,cat=0.3", or the name of a .json file that holds {"star": 0.1, "cat": 0.3}.

    Raises:
        InputError: it is neither, or the file cannot be read.
    """
    if text.strip().lower().endswith(SUFFIX):
        return _read_file(Path(text))
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = (piece.strip() for piece in part.rpartition("="))
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if not name or not 0 <= value < float("inf"):  # false for nan too
            raise InputError(f"--temperatures: {short(part.strip())} is no class and number; {EXAMPLE}")
        if name in found:
            raise InputError(f"--temperatures: {short(name)} stands there twice; leave one of them out")
        found[name] = value
    return found


def _read_file(path: Path) -> dict[str, float]:
    """The pairs of a file; whether values are numbers is left to whoever knows the model."""
    try:
        if not path.is_file():
            raise InputError(f"--temperatures {path}: is no file; {EXAMPLE}")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise InputError(f"--temperatures {path}: is larger than {MAX_BYTES} bytes; {EXAMPLE}")
        content = json.loads(raw.decode("utf-8"), object_pairs_hook=without_repeats, parse_constant=refuse_constant)
    except OSError as error:
        raise InputError(
            f"--temperatures {path}: cannot be read ({error.strerror or error}); check the name"
        ) from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"--temperatures {path}: is no proper JSON ({str(error)[:200]}); {EXAMPLE}") from error
    if not isinstance(content, dict) or not content:
        got = "nothing" if content == {} else short(content)
        raise InputError(f"--temperatures {path}: holds {got} (expected an object, class to number); {EXAMPLE}")
    return content
