"""The weights of a trained model, read back from its bundle: what `train/models/cut.py` and the exporter did, undone.

Nothing of a float32 bundle is lost but how the bias of the decoder's gates was split in two, which changes no number
that the model gives. Weights of the variants w8 and int8 come back as they are computed with, rounded to 8 bits: for
a training that goes on, a small noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sketch_edge.runtime.bundle import Bundle
from sketch_edge.runtime.errors import BundleError, CheckpointError, InputError
from sketch_edge.runtime.plain.onnx_reader import Graph, read_graph
from sketch_edge.train.about import About, check_exportable
from sketch_edge.train.checkpoint import Checkpoint, check_tensors
from sketch_edge.train.config import Config
from sketch_edge.train.models import weight_shapes

Array = npt.NDArray[np.float32]

STATE_LEVELS = 63
"""Variant int8 stores the scales of the two products with the state divided by this (docs/FORMAT.md)."""

START = ("embedding", "state_weight", "state_bias", "gate_weight", "gate_bias")
STEP = ("row_weight", "hidden_weight", "output_weight", "output_bias")
ENCODE = ("start_weight", "start_bias", "lstm_w", "lstm_r", "lstm_b", "posterior_weight", "posterior_bias")
OF_STATE = ("hidden_weight", "output_weight")


def read_weights(bundle: Bundle) -> Checkpoint:
    """Make a checkpoint without anything to resume from a bundle that `sketch-export` made of one.

    Raises:
        BundleError: a graph is damaged, or the bundle was made of something else than a model of this kind.
    """
    coarse = OF_STATE if bundle.manifest.variant == "int8" else ()
    start = _tensors(bundle, "start.onnx", START)
    step = _tensors(bundle, "step.onnx", STEP, coarse)
    encode = _tensors(bundle, "encode.onnx", ENCODE)
    manifest = bundle.manifest
    about = About(
        classes=manifest.classes,
        scale=manifest.scale,
        max_points=manifest.sizes.max_points,
        step=manifest.checkpoint.step,
        credit=manifest.data.credit,
        licence=manifest.data.licence,
    )
    try:
        sizes = {
            "encoder_hidden": encode["lstm_r"].shape[-1],
            "decoder_hidden": manifest.sizes.hidden,
            "latent": manifest.sizes.latent,
            "class_embedding": start["embedding"].shape[-1],
            "mixtures": manifest.sizes.mixtures,
        }
        config = Config().replace(sizes, "sizes.")
        check_exportable(about)
        arrays = _decoder(start, step) | _encoder(encode)
        tensors = {name: torch.from_numpy(np.array(array, np.float32, order="C")) for name, array in arrays.items()}
        shapes = weight_shapes(config, len(about.classes))
        weights = check_tensors({name: tensors[name] for name in shapes}, shapes, "weights")
    except (InputError, ValueError, IndexError, KeyError) as error:
        reason = (
            str(error).split(";")[0] if isinstance(error, CheckpointError | InputError) else "their shapes disagree"
        )
        raise _foreign(bundle, f"its weights do not fit together ({reason})") from error
    return Checkpoint(config, about, weights, sha256=bundle.sha256)


def _tensors(bundle: Bundle, member: str, names: tuple[str, ...], coarse: tuple[str, ...] = ()) -> dict[str, Array]:
    """The weights of a graph by name, in float32; `coarse` are those of the products that variant int8 takes whole."""
    if member not in bundle.members:
        raise _foreign(bundle, f"it has no {member}")
    graph = read_graph(bundle.members[member], f"{bundle.path}:{member}")
    axes = {
        node.inputs[0]: node.attributes.get("axis", 1) for node in graph.nodes if node.operator == "DequantizeLinear"
    }
    return {name: _read(bundle, graph, axes, name, name in coarse) for name in names}


def _read(bundle: Bundle, graph: Graph, axes: Mapping[str, Any], name: str, coarse: bool) -> Array:
    """One weight, as it is or given back from int8."""
    if name in graph.tensors:
        return np.asarray(graph.tensors[name], np.float32)
    parts = [graph.tensors.get(f"{name}_{part}") for part in ("int8", "scale")]
    if parts[0] is None or parts[1] is None:
        raise _foreign(bundle, f"it has no weight {name!r}")
    whole, scale = parts[0].astype(np.float32), parts[1].astype(np.float32)
    shape = [1] * whole.ndim
    shape[int(axes.get(f"{name}_int8", 1))] = -1
    factor = np.float32(STATE_LEVELS) if coarse else np.float32(1)
    try:
        return np.asarray(whole * (scale * factor).reshape(shape), np.float32)
    except (ValueError, IndexError) as error:
        raise _foreign(bundle, f"the scales of {name!r} do not fit it") from error


def _foreign(bundle: Bundle, reason: str) -> BundleError:
    return BundleError(
        f"{bundle.path}: cannot be trained on: {reason}; give a bundle that sketch-export made of a model.pt, or learn "
        "from its drawings (sketch-data sample)"
    )


def _decoder(start: Mapping[str, Array], step: Mapping[str, Array]) -> dict[str, Array]:
    """Undo `train.models.cut.Start` and `Step`: weights lie transposed there, and the gates in the order i, f, o, g."""
    bias = _torch_gates(start["gate_bias"], "ifog")
    return {
        "embedding.weight": start["embedding"],
        "decoder_start.weight": start["state_weight"].T,
        "decoder_start.bias": start["state_bias"],
        "decoder.weight_ih_l0": _torch_gates(np.concatenate([step["row_weight"], start["gate_weight"]]).T, "ifog"),
        "decoder.weight_hh_l0": _torch_gates(step["hidden_weight"].T, "ifog"),
        "decoder.bias_ih_l0": bias,
        "decoder.bias_hh_l0": np.zeros_like(bias),
        "head.weight": step["output_weight"].T,
        "head.bias": step["output_bias"],
    }


def _encoder(encode: Mapping[str, Array]) -> dict[str, Array]:
    """Undo the exporter's encode graph: both directions lie in one tensor, the gates in the order i, o, f, g."""
    weights = {
        "encoder_start.weight": encode["start_weight"].T,
        "encoder_start.bias": encode["start_bias"],
        "posterior.weight": encode["posterior_weight"].T,
        "posterior.bias": encode["posterior_bias"],
    }
    for number, name in enumerate(("encoder_forward", "encoder_backward")):
        input_bias, hidden_bias = np.split(encode["lstm_b"][number], 2)
        weights[f"{name}.weight_ih_l0"] = _torch_gates(encode["lstm_w"][number], "iofg")
        weights[f"{name}.weight_hh_l0"] = _torch_gates(encode["lstm_r"][number], "iofg")
        weights[f"{name}.bias_ih_l0"] = _torch_gates(input_bias, "iofg")
        weights[f"{name}.bias_hh_l0"] = _torch_gates(hidden_bias, "iofg")
    return weights


def _torch_gates(array: Array, order: str) -> Array:
    """Bring the four blocks of rows from `order` to torch's i, f, g (the candidate), o."""
    blocks = dict(zip(order, np.split(array, 4), strict=True))
    return np.concatenate([blocks[gate] for gate in "ifgo"])
