"""What holds for every bundle that is written, whatever it is made of: its name, its size, its figures."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal
from pathlib import Path

from sketch_edge.runtime.errors import InputError, UnfinishedError
from sketch_edge.runtime.manifest import MAX_NAME_LENGTH, MAX_TEMPERATURE, short

VARIANTS = {"none": "fp32", "w8": "w8", "int8": "int8"}
"""What `--quantize` says, and the variant that the manifest names."""

LARGEST_SHARE = 0.3
"""Of the float32 bytes that a rounded bundle may have, where there is enough to round: SIZED bytes in float32."""

SIZED = 1_000_000
DRAW_EXTRA = 8192
"""Bytes by which draw.onnx may exceed step.onnx: the sampler's, not weights."""


def check_sizes(members: dict[str, bytes], fp32_total: int, quantize: str) -> None:
    """Refuse what is larger than it should be: weights that were silently not rounded, or stored twice.

    Raises:
        UnfinishedError: more than LARGEST_SHARE of the float32 bytes, or a draw graph with more than the step in it.
    """
    total = sum(map(len, members.values()))
    if quantize != "none" and fp32_total >= SIZED and total > LARGEST_SHARE * fp32_total:
        raise UnfinishedError(
            f"the graphs have {total} bytes, over {LARGEST_SHARE} of float32's {fp32_total}; report this"
        )
    if "draw.onnx" in members and len(members["draw.onnx"]) > len(members["step.onnx"]) + DRAW_EXTRA:
        raise UnfinishedError(
            f"draw.onnx: has {len(members['draw.onnx'])} bytes, too many around step.onnx; report this"
        )


def check_texts(name: str, temperature: float) -> None:
    """Refuse what a manifest cannot say, before the work begins."""
    if not 1 <= len(name) <= MAX_NAME_LENGTH or not name.isprintable():
        raise InputError(f"name {short(name)}: expected 1 to {MAX_NAME_LENGTH} printable letters")
    if not 0 <= temperature <= MAX_TEMPERATURE:  # false for nan too
        raise InputError(f"temperature {temperature}: expected a number, 0 to {MAX_TEMPERATURE:g}")


def name_of(path: Path) -> str:
    """Name a model as its file, up to the first dot, as far as a manifest can say it."""
    name = "".join(char for char in path.name.split(".")[0] if char.isprintable())
    return name[:MAX_NAME_LENGTH] or "model"


def round_up(number: float) -> float:
    """Round up to two digits: further ones depend on the machine, and two exports shall be equal."""
    if number == 0:
        return 0.0
    unit = Decimal(1).scaleb(Decimal(number).adjusted() - 1)
    return float(Decimal(number).quantize(unit, ROUND_UP))
