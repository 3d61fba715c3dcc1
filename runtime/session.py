"""The graphs of a bundle, loaded into onnxruntime: one class that hides every name, shape and setting of it.

onnxruntime is imported when the first session is made, not before: it takes longer than everything else in a command
that only prints its help.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.bundle import Bundle
from sketch_edge.runtime.errors import BundleError, InputError, UnfinishedError
from sketch_edge.runtime.manifest import ENCODER, EXPORT_AGAIN, PEN_STATES, Sizes
from sketch_edge.runtime.plain.onnx_reader import Graph, read_graph
from sketch_edge.runtime.strokes import STROKE
from sketch_edge.runtime.walk import DRAW, walk

Floats = npt.NDArray[np.float32]

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
CHOICES = ("auto", *PROVIDERS)
MAX_THREADS = 64

_REAL, _EXACT, _WHOLE = "tensor(float)", "tensor(double)", "tensor(int64)"
_FREE = None  # a dimension that must not be frozen in the graph: the batch, the rows of a sketch, the steps


class State(NamedTuple):
    """What the start graph gives, for B sketches."""

    gate: Floats
    """What every step is told of z and the class, (B, K); of a single LSTM layer what they add to its gates."""

    h: Floats
    """(B, S); of several layers, that of one beside that of the next."""

    c: Floats
    """(B, S), likewise."""


class Stepping(Protocol):
    """A batch of B sketches under way: write `x`, call `run`, read `y`."""

    where: str
    """What to name in an error."""
    x: Floats
    """Stroke-5 rows in model units, (B, 5)."""
    y: Floats
    """Raw output of the last `run`, (B, 6 M + 3), or with the head "offset" (B, 5)."""

    def run(self) -> None:
        """Take `x` and the state one step on."""

    @property
    def state(self) -> State:
        """The state that the next `run` starts from."""


class Decoder(Protocol):
    """What the sampler needs of a model: `Session` is one; a model in training is another."""

    def start(self, z: Floats, class_ids: Sequence[int]) -> State:
        """From z of shape (B, Z) and B class ids to the first state."""

    def steps(self, state: State) -> Stepping:
        """Begin stepping from `state`."""


class Session:
    """The graphs of one bundle, ready to run. Several threads may share one.

    Args:
        bundle: as `read_bundle` gave it.
        provider: "cpu", "cuda", or "auto": CUDA where the installed onnxruntime really offers it, else the CPU.
        threads: that one step may use, 1 to 64. One is fastest for all but large batches.

    Raises:
        InputError: unknown provider, a provider that is not there, or too many threads.
        BundleError: a graph is not one that an exporter of ours writes (`walk.py`), its inputs and outputs are not
            those that the manifest asks for, or onnxruntime refuses it.
        UnfinishedError: onnxruntime is not installed or cannot be loaded.
    """

    _draw: Any = None
    _step: Any = None

    def __init__(self, bundle: Bundle, provider: str = "auto", threads: int = 1) -> None:
        if provider not in CHOICES:
            raise InputError(f"provider {provider!r}: is unknown; choose one of {', '.join(CHOICES)}")
        check_threads(threads)
        self._bundle = bundle
        self._threads = threads
        self._sizes = bundle.manifest.sizes
        self._lock = threading.Lock()
        self._encode: Any = None
        runtime = _import_onnxruntime()
        self.provider = _choose_provider(runtime, provider)
        """ "cpu" or "cuda": what the graphs run on."""
        try:
            self._load_first()
        except _NotCreatedError as error:
            if provider != "auto":
                raise InputError(_no_provider(runtime, provider, "it could not be started")) from error
            self.provider = "cpu"
            self._load_first()

    @property
    def draws(self) -> bool:
        """Whether `draw` can be used: the bundle has draw.onnx, and this is a CPU."""
        return self._draw is not None

    def start(self, z: Floats, class_ids: Sequence[int]) -> State:
        """Run the start graph: z of shape (B, Z) and B class ids to the first state."""
        ids = self._checked_ids(class_ids)
        if z.shape != (len(ids), self._sizes.latent):
            raise ValueError(f"z must have shape {(len(ids), self._sizes.latent)} (got {z.shape})")
        feed = {"z": np.ascontiguousarray(z, np.float32), "class_id": ids}
        return State(*self._run(self._start, "start.onnx", ["gate", "h", "c"], feed))

    def steps(self, state: State) -> Steps:
        """Begin stepping from `state`; see `Steps`."""
        with self._lock:
            if self._step is None:
                self._step = self._load("step.onnx")
        return Steps(self._step, state, self._sizes, f"{self._bundle.path}:step.onnx")

    def draw(
        self, x: Floats, state: State, gumbels: Floats, normals: Floats, tau: float | npt.NDArray[np.float64]
    ) -> tuple[Floats, State]:
        """Take B sketches up to T steps on in one call, sampling included; it stops when every one has ended.

        Args:
            x: the rows before, stroke-5 in model units, (B, 5); first the start token.
            state: as `start` gave it, or an earlier call.
            gumbels: (T, B, 3 + M) as `Noise.steps` gives them; -inf for an end that must not be chosen yet.
            normals: (T, B, 2), likewise.
            tau: temperature, 0 to 10; one for all, or that of each, (B,).

        Returns:
            The next N <= T rows, stroke-5 in model units, (N, B, 5), of which those behind an end row mean nothing;
            and the state after them.

        Raises:
            BundleError: the graph cannot be run, or gives numbers that are not finite.
        """
        feed = {
            "x": x,
            **state._asdict(),
            "gumbels": gumbels,
            "normals": normals,
            "temperature": np.full(len(x), tau, np.float64),
            "steps": np.array(len(gumbels)),
        }
        rows, h, c = self._run(self._draw, "draw.onnx", ["rows", "h_next", "c_next"], feed)
        self._check_rows(rows, gumbels)
        return rows, State(state.gate, h, c)

    def _check_rows(self, rows: Floats, gumbels: Floats) -> None:
        """Refuse rows that our own loop would not have given: it stops with the last sketch, and at no other moment."""
        ends = rows[:, :, STROKE - 1] > 0
        problem = None
        if len(rows) != len(gumbels) and not (0 < len(rows) < len(gumbels) and ends.any(axis=0).all()):
            problem = f"gives {len(rows)} rows in {len(gumbels)} steps, though not every sketch has ended"
        elif np.isneginf(gumbels[0, ends[0], PEN_STATES - 1]).any():
            problem = "ends a sketch before its first point"
        if problem is not None:
            raise BundleError(f"{self._bundle.path}:draw.onnx: {problem}; {EXPORT_AGAIN}")

    def encode(self, strokes: Floats, lengths: Sequence[int], class_ids: Sequence[int]) -> tuple[Floats, Floats]:
        """Run the encoder: what the model sees in drawings.

        Args:
            strokes: stroke-5 rows in model units, shape (B, T, 5), padded with end rows.
            lengths: rows before the end row of each, 1 to T.
            class_ids: B class ids.

        Returns:
            mu and sigma of q(z | strokes, class), each of shape (B, Z).

        Raises:
            InputError: the model has no encoder.
        """
        if ENCODER not in self._bundle.members:
            raise InputError(
                f"{self._bundle.path}: is a decoder alone (expected one with an encoder); choose another model"
            )
        ids = self._checked_ids(class_ids)
        batch, rows = strokes.shape[0], strokes.shape[1]
        if strokes.shape != (len(ids), rows, STROKE) or len(lengths) != batch:
            raise ValueError(f"strokes must have shape ({len(ids)}, T, {STROKE}) (got {strokes.shape})")
        if not all(1 <= length <= rows for length in lengths):
            raise ValueError(f"lengths must be 1 to {rows} (got {list(lengths)})")
        with self._lock:
            if self._encode is None:
                self._encode = self._load("encode.onnx")
        feed = {
            "strokes": np.ascontiguousarray(strokes, np.float32),
            "length": np.asarray(lengths, np.int64),
            "class_id": ids,
        }
        mu, sigma = self._run(self._encode, "encode.onnx", ["mu", "sigma"], feed)
        return mu, sigma

    def _checked_ids(self, class_ids: Sequence[int]) -> npt.NDArray[np.int64]:
        """Class ids as the graphs take them; onnxruntime itself would count negative ones from the end."""
        ids = np.asarray(class_ids, np.int64)
        count = len(self._bundle.manifest.classes)
        if ids.ndim != 1 or len(ids) == 0 or ids.min() < 0 or ids.max() >= count:
            raise ValueError(f"class ids must be 0 to {count - 1}, at least one (got {class_ids})")
        return ids

    def _run(self, session: Any, member: str, outputs: list[str], feed: dict[str, Any]) -> list[Floats]:
        try:
            arrays: list[Floats] = session.run(outputs, feed)
        except Exception as error:  # onnxruntime's errors have no common parent
            raise BundleError(f"{self._bundle.path}:{member}: cannot be run ({first_line(error)})") from error
        batch, expected = len(next(iter(feed.values()))), signature(member, self._sizes)[1]
        for name, array in zip(outputs, arrays, strict=True):
            shape = (batch, expected[name][1][-1])  # onnxruntime takes what the graph says of its outputs as a hint
            if array.shape[-2:] != shape or array.ndim != len(expected[name][1]):
                problem = f"gives {name} as {array.shape} (expected {_shape_text(shape)}, a batch of {batch})"
                raise BundleError(f"{self._bundle.path}:{member}: {problem}; {EXPORT_AGAIN}")
            if not np.isfinite(array).all():
                raise BundleError(f"{self._bundle.path}:{member}: gives numbers that are not finite ({name})")
        return arrays

    def _load_first(self) -> None:
        """Load what drawing begins with; the rest is loaded when it is asked for.

        On a CUDA device sketches go by steps: each small operator of draw.onnx would be a launch of its own.
        """
        self._start = self._load("start.onnx")
        if self.provider == "cpu" and "draw.onnx" in self._bundle.members:
            self._draw = self._load("draw.onnx")
        else:
            self._step = self._load("step.onnx")

    def _load(self, member: str) -> Any:
        """Check what a member does, takes and gives, and only then make an onnxruntime session of it."""
        where = f"{self._bundle.path}:{member}"
        content = self._bundle.members[member]
        load_graph(content, member, self._sizes, where)
        runtime = _import_onnxruntime()
        providers: list[Any] = [PROVIDERS["cpu"]]
        if self.provider == "cuda":  # TF32 would round every product to 10 bits
            providers.insert(0, (PROVIDERS["cuda"], {"use_tf32": "0"}))
        try:
            session = runtime.InferenceSession(
                content, _options(runtime, self._threads), providers=providers, enable_fallback=0
            )
        except Exception as error:  # onnxruntime's errors have no common parent
            if self.provider != "cpu":
                raise _NotCreatedError from error
            raise BundleError(f"{where}: onnxruntime cannot load it ({first_line(error)}); {EXPORT_AGAIN}") from error
        if session.get_providers()[0] != PROVIDERS[self.provider]:
            raise _NotCreatedError
        return session


class Steps:
    """A batch of B sketches on the step graph: write `x`, call `run`, read `y`.

    The state stays in here. Inputs and outputs are bound to fixed memory once, which saves a tenth of a step; two
    bindings take turns, so that each reads the state that the other wrote.
    """

    def __init__(self, session: Any, state: State, sizes: Sizes, where: str) -> None:
        value = _import_onnxruntime().OrtValue.ortvalue_from_numpy
        batch = len(state.h)
        self.x: Floats = np.zeros((batch, STROKE), np.float32)
        """Stroke-5 rows in model units, (B, 5); written in place."""
        self.y: Floats = np.zeros((batch, sizes.outputs), np.float32)
        """Raw output of the last `run`, (B, 6 M + 3), or with the head "offset" (B, 5)."""
        self.where = where
        """Names the graph in an error."""
        self._run = session.run_with_iobinding
        self._gate = np.ascontiguousarray(state.gate, np.float32)
        self._states = [
            (np.array(state.h, np.float32), np.array(state.c, np.float32)),
            (np.zeros_like(state.h), np.zeros_like(state.c)),
        ]
        self._turn = 0
        self._bindings = []
        for (h, c), (h_next, c_next) in (self._states, self._states[::-1]):
            binding = session.io_binding()
            for name, array in {"x": self.x, "gate": self._gate, "h": h, "c": c}.items():
                binding.bind_ortvalue_input(name, value(array))
            for name, array in {"y": self.y, "h_next": h_next, "c_next": c_next}.items():
                binding.bind_ortvalue_output(name, value(array))
            self._bindings.append(binding)

    def run(self) -> None:
        """Take `x` and the state one step on.

        Raises:
            BundleError: the graph cannot be run.
        """
        try:
            self._run(self._bindings[self._turn])
        except Exception as error:  # onnxruntime's errors have no common parent
            raise BundleError(f"{self.where}: cannot be run ({first_line(error)})") from error
        self._turn ^= 1

    @property
    def state(self) -> State:
        """The state that the next `run` starts from; views that it will write over."""
        return State(self._gate, *self._states[self._turn])


class _NotCreatedError(Exception):
    """A session could not be made on the chosen provider."""


def check_threads(threads: int) -> None:
    """Refuse a number of threads that is out of range.

    Raises:
        InputError: not 1 to 64.
    """
    if not isinstance(threads, int) or not 1 <= threads <= MAX_THREADS:
        raise InputError(f"threads {threads!r}: choose a whole number, 1 to {MAX_THREADS}")


def _import_onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        reason = f"onnxruntime: cannot be loaded ({first_line(error)})"
        raise UnfinishedError(f"{reason}; pip install onnxruntime, or choose provider numpy") from error
    onnxruntime.set_default_logger_severity(4)  # its errors come as exceptions; standard error is for our own lines
    return onnxruntime


def _options(runtime: Any, threads: int) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.load_model_format", "ONNX")  # else the bytes choose the loader
    options.add_session_config_entry("session.disable_quant_qdq", "1")  # weight-only int8 runs as exact float
    return options


def _choose_provider(runtime: Any, provider: str) -> str:
    available = runtime.get_available_providers()
    if provider == "auto":
        return "cuda" if PROVIDERS["cuda"] in available else "cpu"
    if PROVIDERS[provider] not in available:
        raise InputError(_no_provider(runtime, provider, "it is not in this onnxruntime"))
    return provider


def _no_provider(runtime: Any, provider: str, reason: str) -> str:
    """Say what was asked for, what there is, and which onnxruntime distributions are installed."""
    from importlib.metadata import distributions

    installed = sorted(
        {
            f"{found.metadata['Name']} {found.version}"
            for found in distributions()
            if (found.metadata["Name"] or "").lower().startswith(("onnxruntime", "ort-"))
        }
    )
    return (
        f"provider {provider!r}: {reason} (available: {', '.join(runtime.get_available_providers())}; installed: "
        f"{', '.join(installed) or 'no known distribution'}); install onnxruntime-gpu alone, or choose --provider cpu"
    )


Ports = Mapping[str, tuple[str, tuple[int | None, ...]]]


@lru_cache(maxsize=64)
def signature(member: str, sizes: Sizes) -> tuple[Ports, Ports]:
    """Inputs and outputs that a member must have: name to (type, shape), None for a free dimension."""
    latent = sizes.latent

    def real(*shape: int | None) -> tuple[str, tuple[int | None, ...]]:
        return _REAL, (_FREE, *shape)

    whole = (_WHOLE, (_FREE,))
    width = real(sizes.state_width)
    state = {"gate": real(sizes.constant_width), "h": width, "c": width}
    after = {"h_next": width, "c_next": width}
    if member == "start.onnx":
        return {"z": real(latent), "class_id": whole}, state
    if member == "draw.onnx":
        inputs = {"x": real(STROKE), **state}
        inputs |= {"gumbels": real(_FREE, PEN_STATES + sizes.mixtures), "normals": real(_FREE, 2)}
        inputs |= {"temperature": (_EXACT, (_FREE,)), "steps": (_WHOLE, ())}
        return inputs, {"rows": real(_FREE, STROKE), **after}
    if member == "step.onnx":
        return {"x": real(STROKE), **state}, {"y": real(sizes.outputs), **after}
    inputs = {"strokes": real(_FREE, STROKE), "length": whole, "class_id": whole}
    return inputs, {"mu": real(latent), "sigma": real(latent)}


def load_graph(content: bytes, member: str, sizes: Sizes, where: str) -> Graph:
    """Read a member: only what an exporter of ours writes, with inputs and outputs as the manifest asks for.

    Raises:
        BundleError: anything else.
    """
    graph = read_graph(content, where, bodies=member == DRAW)
    inputs, outputs = signature(member, sizes)
    check_ports(where, "input", graph.inputs, inputs)
    check_ports(where, "output", graph.outputs, outputs)
    walk(graph, member, where)
    return graph


def check_ports(where: str, kind: str, got: Sequence[Any], expected: Ports) -> None:
    """Compare a graph's inputs or outputs with the signature."""
    found = {port.name: port for port in got}
    if set(found) != set(expected):
        raise BundleError(
            f"{where}: has the {kind}s {', '.join(sorted(found))[:200]!r} (expected "
            f"{', '.join(sorted(expected))}); {EXPORT_AGAIN}"
        )
    for name, (dtype, shape) in expected.items():
        dims = [dim if isinstance(dim, int) else _FREE for dim in found[name].shape]
        if found[name].type != dtype or dims != list(shape):
            raise BundleError(
                f"{where}: {kind} {name} is {found[name].type} {_shape_text(dims)} (expected {dtype} "
                f"{_shape_text(shape)}, as the manifest says); {EXPORT_AGAIN}"
            )


def _shape_text(shape: Sequence[int | None]) -> str:
    return "(" + ", ".join("any" if dim is None else str(dim) for dim in shape) + ")"


def first_line(error: BaseException) -> str:
    """The first line of an error's text, as it may stand in a message of ours."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
